"""Files of bytes, read by documents: grouped with the node behind them, and each node by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.runtime.conftest import Workshop, node, rows_of, workshop

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.runtime.results import NodeResult

__all__ = ["workshop"]


@dataclass
class Desk:
    """Put files into a folder and read them."""

    workshop: Workshop

    def put(self, name: str, content: bytes | str) -> str:
        """Write a file and return its name."""
        place = self.workshop.folder / name
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def read(
        self, kind: str, path: str, *, grouping: str = "auto", **config: Any
    ) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
        """Return columns and rows of a source."""
        results = self._run(grouping, kind, path, config)
        assert results["all"].state == "success", results["all"].error or results["file"].error
        return table_of(results["all"])

    def read_each(self, *sources: tuple[str, str, Mapping[str, Any]]) -> list[Any]:
        """Return columns and rows, or the error's message, of each source (type, path, config) of one document."""
        entries = [node(f"n{at}", kind, path=path, **config) for at, (kind, path, config) in enumerate(sources)]
        results = self.workshop.run(*entries)
        found: list[Any] = []
        for result in results.values():
            if result.state == "success":
                found.append(table_of(result))
                continue
            error = result.error or {}
            assert error["failure"] == "data", error
            assert error["hint"], error
            found.append(error["message"])
        return found

    def fault(self, kind: str, path: str, *, grouping: str = "auto", **config: Any) -> str:
        """Return the error of a source whose file is not as it should be."""
        results = self._run(grouping, kind, path, config)
        assert (results["file"].state, results["all"].state) == ("failed", "not_run")
        error = results["file"].error or {}
        assert (error["node"], error["failure"]) == ("file", "data"), error
        assert error["hint"]
        return str(error["message"])

    def problem(self, kind: str, path: str, **config: Any) -> tuple[str, str]:
        """Return the field and the message of what a check says of a source."""
        document = {"id": "made", "nodes": [node("file", kind, path=path, **config)]}
        (found,) = check(document, Facts(files=Files.of(self.workshop.settings))).problems
        assert found.hint
        return found.pointer.removeprefix("/nodes/0/config/"), found.message

    def rejects(self, kind: str, path: str, **config: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Return the rows that fit, and file, line, column, text and reason of the others, the same grouped and not."""
        found = [self._run(grouping, kind, path, {**config, "rejects": True}) for grouping in ("auto", "none")]
        both = []
        for results in found:
            assert results["file"].fired == ["rows", "rejects"], results["file"].error
            rejects = [tuple(row.values()) for row in rows_of(results["file"], "rejects")]
            names = [(str(self.workshop.folder / row[0].rsplit("/", 1)[-1]), *row[1:]) for row in rejects]
            assert names == rejects
            rows = [tuple(row.values()) for row in rows_of(results["all"])]
            both.append((rows, [(row[0].rsplit("/", 1)[-1], *row[1:]) for row in rejects]))
        assert both[0] == both[1]
        return both[0]

    def _run(self, grouping: str, kind: str, path: str, config: Mapping[str, Any]) -> dict[str, NodeResult]:
        source = node("file", kind, path=path, **config)
        return self.workshop.run(
            source, node("all", "filter", where="TRUE"), edges="file.rows>all", grouping=grouping
        )  # fmt: skip


def table_of(result: NodeResult) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Return columns and rows that left a node."""
    return dict(result.outputs["rows"]["columns"]), [tuple(row.values()) for row in rows_of(result)]


@pytest.fixture
def desk(workshop: Workshop) -> Desk:
    """Return a desk in a folder of its own."""
    return Desk(workshop)
