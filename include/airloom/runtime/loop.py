"""Running the nodes that stand in a node's body, once for each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airloom.plan.plan import Plan
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.results import FAILED, NodeResult, Surroundings, error_text
from airloom.runtime.upstream import Upstream
from airloom.runtime.values import value_of
from airloom.spec.configuration import Configuration
from airloom.spec.error import AirloomError, Failure


class ItemFailed(AirloomError):
    """Raise when a node of a body failed for an item; it has the type, node and hint of that failure."""

    code = "item"

    def __init__(self, item: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{item}: {error['message']}", node=error["node"], field=error["field"], hint=error["hint"])
        self.failure: Failure = error["failure"]
        self.code = error["code"]


class BodyRun:
    """Run a body for the items of one node; `statistics` say how often each node inside ended how, and its rows."""

    def __init__(
        self,
        node: str,
        plan: Plan,
        document: Mapping[str, Any],
        around: Surroundings,
        upstream: Upstream,
        settings: Configuration,
    ) -> None:
        self._node = node
        self._plan = plan
        self._document = document
        self._around = around
        self._upstream = upstream
        self._settings = settings
        self.statistics: dict[str, dict[str, int]] = {}

    def run(self, item: Any, index: int) -> Any:
        """Run the body for an item and return what its result port carries, None where that did not fire.

        Raises ItemFailed for the first node that failed with nothing to handle it.
        """
        from airloom.runtime.pipeline import run_pipeline

        around = self._around
        given = {**around.given, "loop": {"item": item, "index": index}}
        surroundings = LocalSurroundings(
            run=replace(around.run, index=f"{around.run.index}/{index}".lstrip("/")),
            params=around.params,
            connections=around.connection,
            trigger=around.trigger,
            log=around.log,
            sample_rows=around.sample_rows,
            given=given,
            outer=self._upstream,
            node_files=around.node_file,
            redactor=around.redactor,
        )
        failure: dict[str, Any] | None = None
        for name, result in run_pipeline(self._plan, self._document, surroundings, self._settings):
            self._count(name, result)
            if result.state == FAILED and not result.handled and failure is None:
                failure = result.error
            elif result.error is not None:
                # The first that nothing handles is raised, and logged where that ends.
                around.log.error("item %d, %s", index, error_text(result.error))
        if failure is not None:
            raise ItemFailed(f"item {index}, node {failure['node']!r}", failure)
        return self._result(surroundings)

    def _result(self, surroundings: LocalSurroundings) -> Any:
        if self._plan.result is None:
            return None
        reference = surroundings.reference(*self._plan.result.split("."))
        return value_of(reference) if reference is not None else None

    def _count(self, name: str, result: NodeResult) -> None:
        counts = self.statistics.setdefault(name, {})
        counts[result.state] = counts.get(result.state, 0) + 1
        for rows in (result.statistics.get("rows") or {}).values():
            if rows is not None:
                counts["rows"] = counts.get("rows", 0) + rows
