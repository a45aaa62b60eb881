from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.objects.set import Set
from airloom.nodes.sdk import ports_of
from airloom.nodes.testing import run_node


@pytest.mark.parametrize("value", [None, 0, "text", [1, {"a": None}], {"a": {"b": [1]}}])
def test_the_value_is_that_of_the_config_whatever_comes_in(value: Any) -> None:
    assert run_node(Set(value=value)) == {"value": value}
    assert run_node(Set(value=value), value={"other": 1}) == {"value": value}


def test_the_input_is_optional_and_the_value_is_not() -> None:
    ports = ports_of(Set, {"value": 1})
    assert [(port.name, port.kind, port.required) for port in ports.inputs] == [("value", "any", False)]
    assert [(port.name, port.kind) for port in ports.outputs] == [("value", "any")]
    with pytest.raises(ValidationError):
        Set.model_validate({})
