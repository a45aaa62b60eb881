"""One process for the table nodes of bodies, which run over and over: works that are alike share what it compiled."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping

from airloom.engine.address import is_url
from airloom.engine.child import StandingChild
from airloom.engine.reference import TableReference
from airloom.runtime.table_plan import TableWork
from airloom.runtime.table_work import TableDone, run_alike, run_table_work

SESSIONS = 30
"""How many databases a process holds open before another takes its place: none of them is closed (`run_table_work`)."""


class TableChild:
    """Run works of DuckDB, one after the other, in a process that ends with `end`."""

    def __init__(self, memory: int, folder: str) -> None:
        """Begin without a process; `folder` is where the run's data lies, and `memory` what a process may allocate."""
        self._child = StandingChild(memory)
        self._folder = "" if is_url(folder) else folder
        self._opened: set[str] = set()
        self._files: set[str] = set()

    def run(self, work: TableWork, *, alike: bool, timeout: float) -> TableDone:
        """Run a work; with `alike`, in the database of an earlier one that had the same nodes.

        Raises what `run_in_child` raises.
        """
        lasting = {name: source for name, source in work.sources.items() if not self._holds(source.uri)}
        key = _key(work, lasting)
        files = {node.file for node in work.nodes}
        if len(self._opened) >= SESSIONS or not (files <= self._files or not self._opened):
            # A process that is there does not know the files of node types that this one has read since.
            self.end()
        self._files |= files
        if alike:
            self._opened.add(key)
            return self._child.run(run_alike, work, key, self._folder, lasting, timeout=timeout)
        self._opened.add(f"{key} {len(self._opened)}")
        return self._child.run(run_table_work, work, timeout=timeout)

    def end(self) -> None:
        """End the process."""
        self._child.end()
        self._opened.clear()

    def _holds(self, uri: str | None) -> bool:
        # A table of a bucket is brought here for each work.
        return uri is not None and (is_url(uri) or (self._folder != "" and uri.startswith(f"{self._folder}/")))


def _key(work: TableWork, lasting: Mapping[str, TableReference]) -> str:
    """Return a text that only works share which differ in their targets, and in their other sources, alone."""
    # As JSON, a text of SQL would lose the values that stand beside it.
    return hashlib.sha256(pickle.dumps((work.nodes, lasting))).hexdigest()
