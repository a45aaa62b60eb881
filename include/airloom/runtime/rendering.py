"""Rendering a node's config just before it runs, and making the node of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from airloom.engine.quoting import sql_literal
from airloom.nodes.fields import SqlText, marks_of, replace_at
from airloom.nodes.sdk import Node
from airloom.spec.error import ConfigurationError
from airloom.spec.expression import PLACEHOLDER, capture, render
from airloom.spec.fault import problems_of

UNRENDERED = ("raw", "secret", "sql")
"""Marked fields that expressions are not worked out in; SQL keeps its values apart."""


def render_config(node_class: type[Node], config: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with every expression replaced by its value; values in SQL stay apart from the text.

    Raises ConfigurationError that names the field.
    """
    values = dict(config)
    marks = {at: mark["is"] for at, mark, _ in marks_of(node_class.config_schema(), values)}
    rendered: dict[str, Any] = render(values, names, raw=[at for at, meaning in marks.items() if meaning in UNRENDERED])
    for at, meaning in marks.items():
        if meaning == "sql":
            replace_at(rendered, at, functools.partial(_captured, names=names, at=at))
    return rendered


def _captured(text: str, names: Mapping[str, Any], at: str) -> SqlText:
    return SqlText.of(*capture(text, names, at))


def make_node(node_class: type[Node], rendered: Mapping[str, Any]) -> Node:
    """Return the node for a rendered config; raise ConfigurationError that names every field which does not fit."""
    try:
        return node_class.model_validate(rendered)
    except ValidationError as error:
        problems = problems_of(error.errors(include_url=False), "", node_class, rendered, "config")
        text = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems)
        raise ConfigurationError(text, field=problems[0].pointer.lstrip("/"), hint=problems[0].hint) from None


def shown(rendered: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rendered config as JSON for people: SQL with its values behind it."""

    def walk(value: Any) -> Any:
        if isinstance(value, SqlText):
            return _with_values(value)
        if isinstance(value, Mapping):
            return {str(key): walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    plain: dict[str, Any] = walk(rendered)
    return plain


def _with_values(text: SqlText) -> str:
    # To be read, never to be run: a query gets its values through the syntax tree.
    shown_text = str(text)
    for index, value in enumerate(text.values):
        plain = value if isinstance(value, str | int | float | bool | list | None) else str(value)
        shown_text = shown_text.replace(f" {PLACEHOLDER}{index}_ ", sql_literal(plain))
    return shown_text
