"""Several ways into one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from airloom.nodes.operators import is_table
from airloom.nodes.sdk import ConfigurationError, Control, DataError, Example, Fired, port


class Merge(Control, outputs=[port("merged")]):
    """Make one value of those that came; what did not fire is not waited for."""

    mode: Literal["append", "combine"] = Field(
        "append",
        description="append: a list of all values, lists among them opened; combine: one object with all fields, "
        "a later value wins",
    )

    examples = (
        Example("A list of all", {}, {"values": [[1, 2], 3]}, {"merged": [1, 2, 3]}),
        Example(
            "One object",
            {"mode": "combine"},
            {"values": [{"id": 1, "state": "new"}, {"state": "paid"}]},
            {"merged": {"id": 1, "state": "paid"}},
        ),
    )

    def run(self, *values: Any) -> Fired:
        if any(is_table(value) for value in values):
            raise ConfigurationError("merge puts JSON values together, not tables", hint="use a concat node for tables")
        return Fired("merged", _appended(values) if self.mode == "append" else _combined(values))


def _appended(values: tuple[Any, ...]) -> list[Any]:
    merged: list[Any] = []
    for value in values:
        merged.extend(value if isinstance(value, list) else [value])
    return merged


def _combined(values: tuple[Any, ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for at, value in enumerate(values):
        if value is None:
            continue  # a node that failed under `on_error: continue` adds nothing
        if not isinstance(value, dict):
            raise DataError(
                f"combine takes objects; value {at + 1} is a {type(value).__name__}", field="mode", hint="use append"
            )
        merged.update(value)
    return merged
