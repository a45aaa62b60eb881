"""What the tests of table nodes share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.nodes.sdk import ConfigurationError, Table
from airloom.nodes.testing import Answer, run_table


def answer(node: type[Table], config: dict[str, Any], **inputs: Any) -> Answer:
    """Return what leaves the port rows."""
    return run_table(node.model_validate(config), **inputs)["rows"]


def rows_of(node: type[Table], config: dict[str, Any], **inputs: Any) -> list[dict[str, Any]]:
    """Return the rows that leave the port rows."""
    return answer(node, config, **inputs).rows


def refusal(node: type[Table], config: dict[str, Any], **inputs: Any) -> tuple[str, str | None, str | None]:
    """Return message, field and hint of the error that a config meets with its inputs."""
    with pytest.raises(ConfigurationError) as caught:
        run_table(node.model_validate(config), **inputs)
    return caught.value.message, caught.value.field, caught.value.hint


def fault(node: type[Table], config: dict[str, Any]) -> str:
    """Return what is wrong with a config by itself: place and message of each fault."""
    with pytest.raises(ValidationError) as caught:
        node.model_validate(config)
    return "; ".join(f"{'/'.join(map(str, item['loc']))}: {item['msg']}" for item in caught.value.errors())


def in_any_order(rows: Any) -> list[Any]:
    """Return rows in an order of their own: a table has none."""
    return sorted(rows, key=repr)
