"""A body for each item of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field

from airloom.nodes.kinds import LIST_LIMIT, TableValue
from airloom.nodes.sdk import Context, Example, ItemFailed, Loop, LoopBody, port


class Looped(NamedTuple):
    """What a loop gives: a result for each item, in order, and what went wrong."""

    results: list[Any]
    errors: list[dict[str, Any]]


class ForEach(Loop, outputs=[port("results", "list"), port("errors", "list", when="on_error", equals="continue")]):
    """Run the body for each item of a list, or each row of a table, one after the other.

    A value that is not a list is one item; null is none. After a retry the loop goes on with the item that failed. With
    `"parallel": 4` beside its config, four tasks of Airflow share the items; the results stay in order.
    """

    parallel = True

    on_error: Literal["stop", "continue"] = Field(
        "stop",
        description="stop: the first item that fails fails the loop; continue: its result is null, and the port errors "
        "lists index, node, code, message and hint of each failure",
    )

    examples = (
        Example(
            "A line for each person",
            {},
            {"items": ["Ada", "Bob"]},
            {"results": ["1. Ada", "2. Bob"]},
            body={
                "nodes": [{"id": "line", "type": "set", "config": {"value": "{{ loop.index + 1 }}. {{ loop.item }}"}}],
                "result": "line",
            },
        ),
        Example(
            "Go on after a failure",
            {"on_error": "continue"},
            {"items": [4, 0]},
            {
                "results": [25.0, None],
                "errors": [
                    {
                        "index": 1,
                        "node": "share",
                        "code": "expression",
                        "message": "this cannot be worked out: division by zero",
                        "hint": None,
                    }
                ],
            },
            body={
                "nodes": [{"id": "share", "type": "set", "config": {"value": "{{ 100 / loop.item }}"}}],
                "result": "share",
            },
        ),
    )

    def run(self, items: Any, context: Context, body: LoopBody) -> Looped:
        """Return the results in the order of the items, and the failures that the loop went on after."""
        total, each = _items(items)
        results: list[Any] = []
        failures: list[dict[str, Any]] = []
        for index, item in enumerate(each):
            try:
                results.append(body.run(item, index, total))
            except ItemFailed as error:
                may_pass = error.failure in ("transient", "system") and not context.run.last_attempt
                if self.on_error == "stop" or may_pass:
                    raise
                results.append(None)
                failures.append(_shown(error))
        return Looped(results, failures)


def _items(value: Any) -> tuple[int, Iterator[Any]]:
    """Return how many items there are, and the items."""
    if isinstance(value, TableValue):
        return value.rows, _rows(value)
    items = value if isinstance(value, list) else [] if value is None else [value]
    return len(items), iter(items)


def _rows(table: TableValue) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, a part at a time: no query stays open while the body runs, which may fork."""
    from airloom.engine.tables import first_rows

    for after in range(0, table.rows, LIST_LIMIT):
        yield from first_rows(table.reference, LIST_LIMIT, after=after)


def _shown(error: ItemFailed) -> dict[str, Any]:
    place = {"index": error.index, "node": error.node}
    return {**place, "code": error.code, "message": error.reason, "hint": error.hint}
