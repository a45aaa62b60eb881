"""Values with an inside: JSON, lists, structs."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from airloom.engine.relation import read, try_read
from airloom.nodes.sdk import (
    Column,
    ColumnType,
    ConfigurationError,
    Example,
    Query,
    Relation,
    Table,
    cast,
    exp,
    function,
    literal,
    name_as,
)
from airloom.nodes.tables._columns import NewName, refuse_taken

STEP = re.compile(r"""\.?(?:([^.\[\]"']+)|"([^"\\]+)"|\[(\d+)\]|\["([^"\\]+)"\]|\['([^'\\]+)'\])""")


def path_steps(path: str | int) -> list[str | int]:
    """Return the keys and places that a path names: $.a.b[0], a."b c", 0; raise ValueError for what is not a path."""
    if isinstance(path, int):
        return [path]
    rest = path[1:] if path.startswith("$") else path
    steps: list[str | int] = []
    while rest:
        match = STEP.match(rest)
        if match is None:
            raise ValueError(f'{path!r} is not a path; write a.b[0], and a key with signs in it as a."b c"')
        plain, quoted, place, bracketed, apostrophes = match.groups()
        steps.append(int(place) if place is not None else plain or quoted or bracketed or apostrophes)
        rest = rest[match.end() :]
    if not steps:
        raise ValueError("the path names nothing; write a key, as in a.b[0]")
    return steps


class JsonSelect(Table, order="keeps", without_spark="JSON: a column of JSON, or of text that holds it"):
    """Take one part of JSON, or of a struct, into a column."""

    column: Column = Field(description="The column: JSON, text that holds JSON, or a struct")
    path: str | int = Field(
        description='Where the part is: a key, keys and places such as order.items[0]."unit price", or one place; the '
        "first item of a list is 0. Where there is none, the result is null"
    )
    type: ColumnType | None = Field(
        None, description="The type of the result: VARCHAR, BIGINT, DOUBLE, BOOLEAN, …; as it is where left out"
    )
    on_error: Literal["fail", "null"] = Field(
        "fail", description="What a value becomes that does not fit the type: an error that stops the step, or null"
    )
    name: NewName | None = Field(None, description="The column of the result; the last key where left out")

    examples = (
        Example(
            "A number inside",
            {"column": "order", "path": "customer.id", "type": "BIGINT"},
            {"rows": [{"order": '{"customer": {"id": 7}}'}, {"order": '{"customer": null}'}]},
            {
                "rows": [
                    {"order": '{"customer": {"id": 7}}', "id": 7},
                    {"order": '{"customer": null}', "id": None},
                ]
            },
        ),
        Example(
            "The first item, as JSON",
            {"column": "items", "path": 0, "name": "first"},
            {"rows": [{"items": '[{"a": 1}, 2]'}]},
            {"rows": [{"items": '[{"a": 1}, 2]', "first": '{"a":1}'}]},
        ),
    )

    @field_validator("path")
    @classmethod
    def _path_is_one(cls, path: str | int) -> str | int:
        path_steps(path)
        return path

    def query(self, rows: Relation) -> Query:
        name = rows.resolve(self.column, "column")
        steps = path_steps(self.path)
        kind = exp.DataType.build(rows.columns[name], dialect="duckdb")
        inside, kind, left = _inside_structs(rows[name], kind, steps)
        if left:
            inside = self._inside_json(rows, inside, kind, left, name)
        elif self.type is not None:
            inside = self._read(rows, inside, kind.sql("duckdb").replace("TEXT", "VARCHAR"), self.type)
        return rows.replace({self.name or self._last_key(name, steps): inside})

    def _inside_json(
        self, rows: Relation, value: exp.Expr, kind: exp.DataType, steps: list[str | int], name: str
    ) -> exp.Expr:
        if not (kind.is_type("json") or kind.is_type(*exp.DataType.TEXT_TYPES)):
            raise ConfigurationError(
                f"{name!r} is {kind.sql('duckdb')} where {steps[0]!r} is looked for",
                field="path",
                hint="only JSON, text that holds JSON, structs and lists have parts",
            )
        parts = [exp.JSONPathSubscript(this=s) if isinstance(s, int) else exp.JSONPathKey(this=s) for s in steps]
        path = exp.JSONPath(expressions=[exp.JSONPathRoot(), *parts])
        document = value if kind.is_type("json") else self._read(rows, value, "VARCHAR", "JSON")
        wanted = self.type or "JSON"
        if wanted == "JSON" or wanted.endswith("]"):
            part = exp.paren(exp.JSONExtract(this=document, expression=path))
            # JSON's own null is null, too.
            there = exp.NEQ(this=cast(part, "VARCHAR"), expression=literal("null"))
            found = exp.Case().when(there, part.copy())
            return found if wanted == "JSON" else self._read(rows, found, "JSON", wanted)
        if wanted == "VARCHAR":
            return exp.JSONExtractScalar(this=document, expression=path)
        return self._read(rows, exp.JSONExtract(this=document, expression=path), "JSON", wanted)

    def _read(self, rows: Relation, value: exp.Expr, given: str, kind: str) -> exp.Expr:
        if self.on_error == "null":
            return try_read(value, given, kind, rows.engine)
        return read(value, given, kind, str(self.path), rows.engine)

    @staticmethod
    def _last_key(column: str, steps: list[str | int]) -> str:
        keys = [step for step in steps if isinstance(step, str)]
        if not keys:
            raise ConfigurationError(
                "a place in a list gives the column no name", field="name", hint=f"name it, such as {column}_{steps[0]}"
            )
        return keys[-1]


def _inside_structs(
    value: exp.Expr, kind: exp.DataType, steps: list[str | int]
) -> tuple[exp.Expr, exp.DataType, list[str | int]]:
    """Follow a path as far as typed values go; return what is there, its type, and the steps that are left."""
    while steps:
        step = steps[0]
        if kind.is_type("struct") and isinstance(step, str):
            fields = {part.name.lower(): part for part in kind.expressions}
            if step.lower() not in fields:
                raise ConfigurationError(
                    f"there is no field {step!r}", field="path", hint=f"fields here: {', '.join(fields)}"
                )
            part = fields[step.lower()]
            value, kind = function("struct_extract", value, part.name), part.args["kind"]
        elif kind.is_type("array", "list") and isinstance(step, int):
            value, kind = function("array_extract", value, step + 1), kind.expressions[0]
        else:
            break
        steps = steps[1:]
    return value, kind, steps


class Flatten(Table, order="keeps", without_spark="JSON arrays"):
    """Open up a list into rows, or a struct into columns."""

    column: Column = Field(description="The column: a list, a JSON array, or a struct")
    keep_empty: bool = Field(
        False, description="Whether a row whose list is null or empty stays, with null; it is left out otherwise"
    )
    prefix: str | None = Field(
        None, description="Of a struct: what stands before the names of its fields; the column's name and _ if left out"
    )

    examples = (
        Example(
            "A row for each item",
            {"column": "items"},
            {"rows": [{"id": 1, "items": ["a", "b"]}, {"id": 2, "items": []}]},
            {"rows": [{"id": 1, "items": "a"}, {"id": 1, "items": "b"}]},
        ),
        Example(
            "Rows without items stay",
            {"column": "items", "keep_empty": True},
            {"rows": [{"id": 1, "items": ["a"]}, {"id": 2, "items": []}, {"id": 3, "items": None}]},
            {"rows": [{"id": 1, "items": "a"}, {"id": 2, "items": None}, {"id": 3, "items": None}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        name = rows.resolve(self.column, "column")
        kind = rows.columns[name]
        if kind.endswith("]"):
            return self._into_rows(rows, name, rows[name], kind[: kind.rindex("[")])
        if kind == "JSON":
            return self._into_rows(rows, name, cast(rows[name], "JSON[]"), "JSON")
        if kind.startswith("STRUCT("):
            return self._into_columns(rows, name, kind)
        hint = "cast it to JSON first" if kind == "VARCHAR" else None
        raise ConfigurationError(f"{name!r} is {kind}: neither a list nor a struct", field="column", hint=hint)

    def _into_rows(self, rows: Relation, name: str, items: exp.Expr, kind: str) -> Query:
        if self.keep_empty:
            there = exp.GT(this=function("array_length", items.copy()), expression=literal(0))
            items = exp.Case().when(there, items).else_(exp.Array(expressions=[cast(exp.Null(), kind)]))
        return rows.replace({name: exp.Explode(this=items)})

    def _into_columns(self, rows: Relation, name: str, kind: str) -> Query:
        prefix = f"{name}_" if self.prefix is None else self.prefix
        fields = [part.name for part in exp.DataType.build(kind, dialect="duckdb").expressions]
        new = [prefix + field for field in fields]
        refuse_taken(rows, [made for made in new if made.lower() != name.lower()], "prefix")
        opened = [name_as(function("struct_extract", rows[name], old), prefix + old) for old in fields]
        chosen: list[exp.Expr] = []
        for here in rows.columns:
            chosen += opened if here == name else [rows[here]]
        return rows.select(chosen)
