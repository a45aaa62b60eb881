"""The way that a value names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from airloom.nodes.operators import field_of
from airloom.nodes.sdk import Control, Example, Fired, each, port
from airloom.spec.document import Identifier
from airloom.spec.expression import has_expression

OTHER = "other"


class Route(Control, outputs=[each("routes"), port(OTHER)]):
    """Send a value on by the route that an expression, or a field of it, names.

    The name has to be the same text as the route's; true and false name routes called `true` and `false`. Whatever else
    comes, null and numbers among it, leaves by the port `other`.

    Where Pipelit's router has `condition_expression: "kind == 'invoice'"`, write `field: kind` and `routes: [invoice]`.
    """

    by: Any = Field(None, description="An expression whose value names the route: {{ nodes.classify.value.topic }}")
    field: str = Field(
        "",
        description="Instead: the path of the field in the value that names it, such as order.kind; where both are "
        "empty, the value itself does",
    )
    routes: list[Identifier] = Field(min_length=1, description="The ports, by the names that lead to them")

    examples = (
        Example(
            "By a field",
            {"field": "order.kind", "routes": ["invoice", "credit"]},
            {"value": {"order": {"kind": "credit", "id": 7}}},
            {"credit": {"order": {"kind": "credit", "id": 7}}},
        ),
        Example(
            "A name that is none of the routes",
            {"routes": ["invoice", "credit"]},
            {"value": "reminder"},
            {"other": "reminder"},
        ),
        Example("By an expression", {"by": "{{ nodes.classify.value.topic }}", "routes": ["billing", "technical"]}),
    )

    @field_validator("routes")
    @classmethod
    def _ports_differ(cls, routes: list[str]) -> list[str]:
        for at, name in enumerate(routes):
            if name in (OTHER, "error"):
                raise ValueError(f"{name!r} is the name of another port of this node")
            if name in routes[:at]:
                raise ValueError(f"the route {name!r} is there twice")
        return routes

    @model_validator(mode="after")
    def _one_way_to_name(self) -> Self:
        if "by" in self.model_fields_set and self.field:
            raise ValueError("by and field both name the route: leave one of them out")
        return self

    @classmethod
    def never_fires(cls, config: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
        """Return all ports but one where `by` is no expression."""
        by = config.get("by")
        if "by" not in config or (isinstance(by, str) and has_expression(by)):
            return {}
        named = cls.model_validate(config)._named(None)
        reason = f"by is always {by!r}, for it is no expression; field names a field of the value"
        return {name: ("by", reason) for name in [*config["routes"], OTHER] if name != named}

    def _named(self, value: Any) -> str:
        named = self.by if "by" in self.model_fields_set else field_of(value, self.field)
        if isinstance(named, bool):
            named = "true" if named else "false"
        return named if isinstance(named, str) and named in self.routes else OTHER

    def run(self, value: Any) -> Fired:
        return Fired(self._named(value), value)
