"""Rules that rows must keep."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, field_validator, model_validator

from airloom.engine.relation import Inner, try_read
from airloom.engine.types import clashing_names
from airloom.nodes.sdk import (
    Column,
    ColumnType,
    Condition,
    ConfigurationError,
    Example,
    Part,
    Query,
    Relation,
    Table,
    cast,
    column,
    exp,
    function,
    literal,
    name_as,
    nested,
    not_null,
    over,
)
from airloom.nodes.tables._columns import NewName, failure, refuse_taken
from airloom.nodes.tables._conditions import Operator, check_operand, holds, spelled
from airloom.nodes.tables._values import Value, is_integer, text_of
from airloom.spec.document import EngineName
from airloom.spec.expression import PLACEHOLDER

Demand = Literal[Operator, "unique", "type", "email", "url"]
PATTERNS = {
    "email": r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$",
    "url": r"(?i)^https?://[^\s/?#]+\S*$",
}
TYPES: TypeAdapter[str] = TypeAdapter(ColumnType)


def _named(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


class Rule(Part):
    """What has to be true of a row: of columns, or by a condition in SQL."""

    columns: Annotated[list[Column], BeforeValidator(_named, json_schema_input_type=Column | list[Column])] = Field(
        [], description="The columns; each must keep the rule, for unique all together"
    )
    must: Annotated[Demand, BeforeValidator(spelled)] | None = Field(
        None,
        description="What they must be: email, url; type (named in `value`: text that reads as it); unique (no other "
        "row has the same); or an operator of the filter: not_null, >, between, in, matches_regex, …",
    )
    value: Value | list[Value] | None = Field(
        None, description="What to compare with, as the filter's operators take it"
    )
    where: Condition | None = Field(None, description="Instead of columns: a condition in SQL that must not be false")
    name: str | None = Field(
        None, min_length=1, description="What the rule is called in reasons; made up where left out"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Rule:
        if self.where is not None:
            if self.columns or self.must or self.value is not None:
                raise ValueError("a rule with where (in SQL) takes no columns, must or value")
            return self
        if not self.columns or self.must is None:
            raise ValueError("a rule needs columns and must (what they must be), or where (in SQL)")
        if self.must == "type":
            self._check_type()
        elif self.must in ("unique", "email", "url"):
            if self.value is not None:
                raise ValueError(f"{self.must} takes no value")
        else:
            check_operand(self.must, self.value)
        return self

    def _check_type(self) -> None:
        try:
            TYPES.validate_python(self.value)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    @property
    def title(self) -> str:
        """Return the name of the rule, or what it asks for."""
        if self.name:
            return self.name
        if self.where is not None:
            return re.sub(rf"{PLACEHOLDER}\d+_", "{{ … }}", self.where)
        values = self.value if isinstance(self.value, list) else [] if self.value is None else [self.value]
        given = ", ".join(text_of(value) for value in values[:5]) + (", …" if len(values) > 5 else "")
        return f"{', '.join(self.columns)}: {self.must} {given}".rstrip()


class Validated(NamedTuple):
    """The rows that go on, and those that broke a rule."""

    rows: Query
    rejects: Query


class ValidateRows(
    Table, without_spark="functions of SQL that are not in the list; the rule type for casts that are not in the list"
):
    """Check rows by rules; what breaks one is removed, flagged, or stops the run."""

    rules: list[Rule] = Field(
        min_length=1, description="Each must hold; null keeps every rule but not_null (as in SQL's CHECK)"
    )
    action: Literal["remove", "flag", "fail"] = Field(
        "remove",
        description="remove: rows that break a rule leave by `rejects` alone; flag: they stay in `rows`, too, with the "
        "reasons; fail: the run stops and says how many rows break which rule",
    )
    reasons: NewName = Field(
        "reasons", description="The column of `rejects`, and of flagged `rows`, with the rules that are broken"
    )

    examples = (
        Example(
            "Usable customers",
            {
                "rules": [
                    {"columns": "email", "must": "email"},
                    {"columns": "age", "must": ">", "value": 0, "name": "age above 0"},
                    {"columns": "id", "must": "unique"},
                ]
            },
            {
                "rows": [
                    {"id": 1, "email": "ada@example.org", "age": 36},
                    {"id": 2, "email": "none", "age": 0},
                    {"id": 3, "email": None, "age": 7},
                ]
            },
            {
                "rows": [{"id": 1, "email": "ada@example.org", "age": 36}, {"id": 3, "email": None, "age": 7}],
                "rejects": [{"id": 2, "email": "none", "age": 0, "reasons": "email: email; age above 0"}],
            },
        ),
        Example(
            "Flagged",
            {"rules": [{"where": "sent >= paid", "name": "sent before paid"}], "action": "flag"},
            {"rows": [{"paid": 2, "sent": 3}, {"paid": 2, "sent": 1}]},
            {
                "rows": [
                    {"paid": 2, "sent": 3, "reasons": None},
                    {"paid": 2, "sent": 1, "reasons": "sent before paid"},
                ],
                "rejects": [{"paid": 2, "sent": 1, "reasons": "sent before paid"}],
            },
        ),
    )

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: list[Rule]) -> list[Rule]:
        clashes = clashing_names([rule.title for rule in rules])
        if clashes:
            raise ValueError(f"two rules are called {clashes[0]!r}; give one of them a name")
        return rules

    def query(self, rows: Relation) -> Validated:
        refuse_taken(rows, [self.reasons], "reasons")
        kept = rows.all(rows.columns)
        broken = {Inner(f"airloom_broken_{at}"): self._broken(rows, at) for at in range(len(self.rules))}
        judged = rows.select(kept, **broken)
        signs = [column(name) for name in broken]
        told = function(
            "concat_ws",
            "; ",
            *(exp.Case().when(sign, literal(rule.title)) for sign, rule in zip(signs, self.rules, strict=True)),
        )
        reasons = name_as(function("nullif", told, ""), self.reasons)
        bad = exp.or_(*signs)
        if self.action == "fail":
            return self._failing(judged, kept, signs)
        rejects = nested(judged, "judged", [*kept, reasons]).where(bad, copy=False)
        if self.action == "flag":
            return Validated(nested(judged, "judged", [*kept, reasons.copy()]), rejects)
        return Validated(nested(judged, "judged", kept).where(exp.not_(exp.paren(bad.copy())), copy=False), rejects)

    def _failing(self, judged: Query, kept: list[exp.Column], signs: list[exp.Column]) -> Validated:
        # Counted over the whole table: no filter behind this node can keep a bad row from being seen.
        counts = [
            name_as(over(function("count", exp.Case().when(sign, literal(1)))), Inner(f"airloom_count_{at}"))
            for at, sign in enumerate(signs)
        ]
        counted = nested(judged, "judged", [*kept, *counts])
        guard = exp.Case()
        for at, rule in enumerate(self.rules):
            number = column(Inner(f"airloom_count_{at}"))
            message = failure("rows that break the rule ", f"{rule.title!r}: ", cast(number, "VARCHAR"))
            guard = guard.when(exp.GT(this=number.copy(), expression=literal(0)), message, copy=False)
        passed = nested(counted, "counted", kept).where(guard.else_(exp.true()), copy=False)
        reasons = name_as(cast(exp.Null(), "VARCHAR"), self.reasons)
        none = nested(counted.copy(), "counted", [*kept, reasons]).where(exp.not_(exp.paren(guard.copy())), copy=False)
        return Validated(passed, none)

    def _broken(self, rows: Relation, at: int) -> exp.Expr:
        rule, field = self.rules[at], f"rules/{at}"
        if rule.where is not None:
            return _is_false(rows.condition(rule.where))
        names = [rows.resolve(name, f"{field}/columns/{place}") for place, name in enumerate(rule.columns)]
        if rule.must == "unique":
            return _repeated(rows.all(names))
        return exp.or_(*(_is_false(self._kept(rows, rule, name, field)) for name in names))

    def _kept(self, rows: Relation, rule: Rule, name: str, field: str) -> exp.Expr:
        if rule.must == "type":
            return _readable(rows[name], rows.columns[name], TYPES.validate_python(rule.value), rows.engine)
        if rule.must in PATTERNS:
            if rows.columns[name] != "VARCHAR":
                raise ConfigurationError(
                    f"{rule.must} is asked of text; {name!r} is {rows.columns[name]}", field=f"{field}/must"
                )
            return function("regexp_matches", rows[name], PATTERNS[rule.must])
        return holds(rows, name, str(rule.must), rule.value, field)


def _is_false(condition: exp.Expr) -> exp.Expr:
    return exp.not_(exp.paren(function("coalesce", condition, exp.true())))


def _repeated(values: list[exp.Column]) -> exp.Expr:
    several = exp.GT(this=over(function("count", exp.Star()), values), expression=literal(1))
    return exp.and_(several, *(not_null(value.copy()) for value in values))


def _readable(value: exp.Expr, kind: str, wanted: str, engine: EngineName) -> exp.Expr:
    fits = not_null(try_read(value.copy(), kind, wanted, engine))
    if is_integer(wanted) and (kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL")):
        fits = exp.and_(fits, exp.EQ(this=function("floor", value.copy()), expression=value.copy()))
    return exp.Case().when(not_null(value), fits)
