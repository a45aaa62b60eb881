from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.control.merge import Merge
from airloom.nodes.sdk import ConfigurationError, DataError, ports_of
from airloom.nodes.testing import run_node


class Table:
    """Stand for a table as the runtime hands it to a control node."""

    rows = 3

    @property
    def columns(self) -> list[str]:
        return ["a", "b"]

    def first(self, number: int) -> list[Any]:
        raise AssertionError("a merge reads no rows")


def merged(*values: Any, mode: str = "append") -> Any:
    return run_node(Merge.model_validate({"mode": mode}), values=list(values))["merged"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([[1, 2], 3, [], "text"], [1, 2, 3, "text"]),
        ([[[1], 2]], [[1], 2]),
        ([{"a": 1}, None], [{"a": 1}, None]),
        ([[]], []),
    ],
)
def test_append_opens_lists_once_and_adds_the_rest(values: list[Any], wanted: list[Any]) -> None:
    assert merged(*values) == wanted


def test_combine_takes_the_later_value() -> None:
    first = {"a": 1, "b": {"x": 1}}
    assert merged(first, {"b": {"y": 2}}, None, {"c": 3}, mode="combine") == {"a": 1, "b": {"y": 2}, "c": 3}
    assert first == {"a": 1, "b": {"x": 1}}


def test_combine_refuses_what_is_no_object() -> None:
    with pytest.raises(DataError, match="combine takes objects; value 2 is a list"):
        merged({"a": 1}, [1], mode="combine")


def test_tables_are_for_concat() -> None:
    for mode in ("append", "combine"):
        with pytest.raises(ConfigurationError) as caught:
            merged({"a": 1}, Table(), mode=mode)
        assert caught.value.hint == "use a concat node for tables"


def test_it_has_one_many_port_and_one_output() -> None:
    ports = ports_of(Merge, {})
    assert [(port.name, port.many) for port in ports.inputs] == [("values", True)]
    assert [port.name for port in ports.outputs] == ["merged"]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValidationError):
        Merge.model_validate({"mode": "zip"})
