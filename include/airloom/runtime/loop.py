"""Running the nodes that stand in a node's body, once for each item."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airloom.engine.data_folder import DataFolder
from airloom.nodes.context import ItemFailed, RunFacts
from airloom.plan.plan import Plan, PlanNode
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.progress import Done, Progress, digest
from airloom.runtime.results import FAILED, NodeResult, Surroundings, error_text
from airloom.runtime.upstream import Upstream
from airloom.runtime.values import value_of
from airloom.spec.error import SystemFault

if TYPE_CHECKING:
    from airloom.runtime.step import Workplace


@dataclass(frozen=True)
class Share:
    """Say which items are those of one of the tasks that share them: with 4, every fourth from `number` on."""

    number: int
    of: int

    def has(self, index: int) -> bool:
        """Tell whether an item is its own."""
        return index % self.of == self.number


class BodyRun:
    """Run a body for the items of one node; `statistics` say how often each node inside ended how, and its rows.

    What an earlier attempt of the task did is not done again: an item that it ended with has the result from then.
    """

    def __init__(
        self,
        node: PlanNode,
        workplace: Workplace,
        around: Surroundings,
        upstream: Upstream,
        share: Share | None = None,
    ) -> None:
        if node.body is None:
            raise ValueError(f"node {node.id!r} has no body")
        self._plan: Plan = node.body
        self._workplace = workplace
        self._around = around
        self._upstream = upstream
        run = replace(around.run, node=node.id)
        self._share = share
        number = None if share is None else share.number
        self._progress = Progress(workplace.data, run, at_once=node.effect == "write", share=number)
        self._failed: tuple[str, Done] | None = None
        self.statistics: dict[str, dict[str, int]] = {
            name: dict(counts) for name, counts in self._progress.counts.items()
        }

    def run(self, item: Any, index: int, total: int | None = None) -> Any:
        """Run the body for an item and return what its result port carries, None where that did not fire.

        Raises ItemFailed for the first node that failed with nothing to handle it.
        """
        self.go_on()
        if self._share is not None and not self._share.has(index):
            return None
        done = self._progress.done(str(index), item)
        if done is None:
            done = self._run(item, index, total)
        if done.error is not None:
            raise ItemFailed(index, done.error)
        return None if done.result is None else value_of(done.result)

    def go_on(self) -> None:
        """Take down that the loop went on after the item that failed last; else the next attempt tries it again."""
        if self._failed is not None:
            self._progress.add(*self._failed, self.statistics)
            self._failed = None

    def was_done(self, index: int) -> bool:
        """Tell whether an earlier attempt was through with the item at this place."""
        return str(index) in self._progress.earlier

    @property
    def seconds(self) -> float:
        """Return how long ago the first attempt began with the body."""
        return time.time() - self._progress.began

    def end(self) -> None:
        """Keep what was done, for an attempt that goes on from here."""
        self._progress.keep()

    def _run(self, item: Any, index: int, total: int | None) -> Done:
        from airloom.runtime.pipeline import run_pipeline

        around = self._around
        surroundings = LocalSurroundings(
            run=replace(around.run, index=f"{around.run.index}/{index}".lstrip("/")),
            params=around.params,
            connections=around.connection,
            trigger=around.trigger,
            log=around.log,
            sample_rows=around.sample_rows,
            given={**around.given, "loop": {"item": item, "index": index, "total": total}},
            outer=self._upstream,
            node_files=around.node_file,
            redactor=around.redactor,
        )
        failure: dict[str, Any] | None = None
        for name, result in run_pipeline(self._plan, self._workplace, surroundings):
            self._count(name, result)
            if result.state == FAILED and not result.handled and failure is None:
                failure = result.error
            elif result.error is not None:
                # The first that nothing handles is raised, and logged where that ends.
                around.log.error("item %d, %s", index, error_text(result.error))
        if failure is not None:
            done = Done(digest(item), error={**failure, "trace": None})
            self._failed = str(index), done
            return done
        done = Done(digest(item), self._result(surroundings))
        self._progress.add(str(index), done, self.statistics)
        return done

    def _result(self, surroundings: LocalSurroundings) -> dict[str, Any] | None:
        return None if self._plan.result is None else surroundings.reference(*self._plan.result.split("."))

    def _count(self, name: str, result: NodeResult) -> None:
        counts = self.statistics.setdefault(name, {})
        counts[result.state] = counts.get(result.state, 0) + 1
        for rows in (result.statistics.get("rows") or {}).values():
            if rows is not None:
                counts["rows"] = counts.get("rows", 0) + rows


class DoneItems:
    """Give the results of a body's items that other tasks have worked through, as if it ran here."""

    seconds = 0.0

    def __init__(self, data: DataFolder, run: RunFacts, attempts: Sequence[int]) -> None:
        """Read what the tasks kept that share the items; `attempts` are the first of each, in their order."""
        shares = [Progress.of_share(data, run, share, attempt) for share, attempt in enumerate(attempts)]
        self._done = {key: done for share in shares for key, done in share.earlier.items()}
        self.statistics: dict[str, dict[str, int]] = {}
        for share in shares:
            for name, counts in share.counts.items():
                sums = self.statistics.setdefault(name, {})
                for key, count in counts.items():
                    sums[key] = sums.get(key, 0) + count

    def run(self, item: Any, index: int, total: int | None = None) -> Any:
        """Return what the body gave for an item; raise ItemFailed as it did then."""
        done = self._done.get(str(index))
        if done is None or done.item != digest(item):
            raise SystemFault(f"no task has worked through item {index}", hint="let the run go on from this node")
        if done.error is not None:
            raise ItemFailed(index, done.error)
        return None if done.result is None else value_of(done.result)

    def was_done(self, index: int) -> bool:
        """Tell whether a task was through with the item at this place."""
        return str(index) in self._done

    def go_on(self) -> None:
        """Go on after an item that failed."""

    def end(self) -> None:
        """End."""
