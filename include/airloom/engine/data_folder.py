"""Where the tables and large objects lie that pass between steps, and their clean-up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.engine.address import is_url, lies_in, path_part
from airloom.engine.filesystem import files_below, modified, open_filesystem
from airloom.engine.storage import local_file, part_folder, put_file
from airloom.spec.error import DataError

NO_INDEX = "-"
"""The folder of what lies in no mapped task and no loop; no index path is called so."""


@dataclass(frozen=True)
class DataFolder:
    """The place of the tables and large objects that pass between steps."""

    url: str

    def place(self, run: Any, port: str, suffix: str) -> str:
        """Return where an output of a node lies: pipeline, run, node, index path, port and try name it.

        `run` has pipeline, run_id, node, index and attempt. An index path is one folder, `-` where it is empty.
        """
        parts = [run.node, run.index or NO_INDEX, f"{port}-{run.attempt}.{suffix}"]
        return "/".join([self.run_folder(run.pipeline, run.run_id), *(path_part(part) for part in parts)])

    def run_folder(self, pipeline: str, run_id: str) -> str:
        """Return the folder of all that a run leaves."""
        return "/".join([self.url.rstrip("/"), path_part(pipeline), path_part(run_id)])

    def holds(self, uri: str) -> bool:
        """Tell whether a place lies in this folder, wherever links lead."""
        if is_url(self.url) or is_url(uri):
            # A key of a bucket may have `%2F` in it, as that of a loop's item has: only what `place` makes is ours.
            root = self.url.rstrip("/") + "/"
            names = [urllib.parse.unquote(part) for part in uri.removeprefix(root).split("/")]
            steps_up = any(".." in name.split("/") for name in names)
            return not steps_up and uri == root + "/".join(map(path_part, names)) and all(names)
        return lies_in(Path(os.path.realpath(uri)), [self.url])

    def remove_run(self, pipeline: str, run_id: str) -> None:
        """Remove all that a run has left; do nothing where that is nothing."""
        system, folder = open_filesystem(self.run_folder(pipeline, run_id))
        with contextlib.suppress(FileNotFoundError):
            system.rm(folder, recursive=True)

    def write_json(self, value: Any, uri: str) -> int:
        """Write a JSON value; return its size in bytes."""
        data = json.dumps(value, ensure_ascii=False).encode()
        folder = part_folder(uri)
        try:
            local = os.path.join(folder, "value.json")
            Path(local).write_bytes(data)
            put_file(local, uri)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return len(data)


def read_json(uri: str) -> Any:
    """Read a JSON value that `DataFolder.write_json` wrote."""
    with existing(uri), local_file(uri) as path:
        return json.loads(Path(path).read_bytes())


@contextlib.contextmanager
def existing(uri: str) -> Iterator[None]:
    """Turn a missing file of an earlier step into an error that says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise gone(uri) from None


def gone(uri: str) -> DataError:
    """Return the error for an output that clean-up has removed."""
    parts = uri.split("/")
    node = urllib.parse.unquote(parts[-3]) if len(parts) >= 3 else uri
    return DataError(
        f"the output of node {node!r} is gone: {uri}",
        hint=f"clean-up has removed it; clear the run from node {node!r} on",
    )


@dataclass(frozen=True)
class Removed:
    """Say how many runs lost their data, and how many files that was.

    `at_work` is how many stay though they are old; `complete` is False where time was over before all were looked at.
    """

    runs: int
    files: int
    at_work: int
    complete: bool


def remove_older_than(
    url: str, days: float, *, spared: str, is_at_work: Callable[[str, str], bool], until: float | None = None
) -> Removed:
    """Remove the data of runs whose newest file is older than `days`, and which are not at work.

    `spared` is a place that may lie among them, which stays. `is_at_work` is asked for a pipeline and a run, just
    before. No run is begun with after `until`, by the clock of `time.monotonic`.
    """
    limit = time.time() - days * 86400
    system, root = open_filesystem(url)
    runs = files = at_work = 0
    for folder in _folders_of_runs(system, root, open_filesystem(spared)[1]):
        if until is not None and time.monotonic() > until:
            return Removed(runs, files, at_work, complete=False)
        found = files_below(system, folder)
        if any(modified(facts) >= limit for facts in found):
            continue
        pipeline, run_id = (urllib.parse.unquote(part) for part in folder.rstrip("/").split("/")[-2:])
        if is_at_work(pipeline, run_id):
            at_work += 1
            continue
        system.rm(folder, recursive=True)
        runs, files = runs + 1, files + len(found)
    return Removed(runs, files, at_work, complete=True)


def _folders_of_runs(system: Any, root: str, spared: str) -> Iterator[str]:
    if system.exists(root):
        for pipeline in system.ls(root, detail=False):
            if system.isdir(pipeline) and not _holds(pipeline, spared):
                yield from system.ls(pipeline, detail=False)


def _holds(folder: str, place: str) -> bool:
    outer, inner = (f"{os.path.realpath(path)}/" for path in (folder, place))
    return inner.startswith(outer)
