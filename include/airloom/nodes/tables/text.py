"""What can be done to text."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from airloom.engine.relation import Inner
from airloom.nodes.sdk import (
    Column,
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
)
from airloom.nodes.tables._columns import NewName, expected, refuse_clashes, refuse_taken, text
from airloom.nodes.tables._conditions import check_pattern

SPACE = r"[\s\p{Z}\x0B]"
"""Whatever white space there is, the no-break space among it, as both RE2 and Java write it."""

MAX_WIDTH = 10_000


def replaced(value: exp.Expr, pattern: str, by: str) -> exp.Expr:
    """Return a text with every match of a regular expression replaced; in `by`, \\1 is the first group."""
    return exp.RegexpReplace(this=value, expression=literal(pattern), replacement=literal(by), modifiers=literal("g"))


def trimmed(value: exp.Expr) -> exp.Expr:
    """Return a text without white space at both ends."""
    return replaced(value, f"^{SPACE}+|{SPACE}+$", "")


def part(value: exp.Expr, separator: str, number: int) -> exp.Expr:
    """Return a part of a split text, the first is 1; null where there are fewer."""
    return exp.Case().when(
        exp.GTE(this=_parts(value, separator), expression=literal(number)),
        function("split_part", value.copy(), separator, number),
    )


def _parts(value: exp.Expr, separator: str) -> exp.Expr:
    without = function("length", function("replace", value.copy(), separator, ""))
    lost = exp.paren(exp.Sub(this=function("length", value.copy()), expression=without))
    return exp.Add(this=exp.IntDiv(this=lost, expression=literal(len(separator))), expression=literal(1))


def _rest(value: exp.Expr, separator: str, number: int) -> exp.Expr:
    """Return what begins at a part of a split text: that part and all behind it; null where there are fewer."""
    before: exp.Expr = literal(1 + (number - 1) * len(separator))
    for earlier in range(1, number):
        before = exp.Add(
            this=before, expression=function("length", function("split_part", value.copy(), separator, earlier))
        )
    return exp.Case().when(
        exp.GTE(this=_parts(value, separator), expression=literal(number)),
        function("substring", value.copy(), before),
    )


TEXT = Inner("airloom_text")


class SplitColumn(Table, order="keeps"):
    """Split text into several columns."""

    column: Column = Field(description="The column of text")
    separator: str = Field(" ", min_length=1, description="What stands between the parts")
    names: list[NewName] = Field(
        min_length=1, max_length=200, description="The columns of the parts, in order; a part that is missing is null"
    )
    max_splits: int | None = Field(
        None,
        ge=1,
        description="How often to split at most: the last part holds all that is left. Where left out, parts beyond "
        "the names are dropped",
    )
    keep: bool = Field(False, description="Whether the column itself stays, before the new ones")

    examples = (
        Example(
            "First and last name",
            {"column": "name", "names": ["first", "last"], "max_splits": 1},
            {"rows": [{"id": 1, "name": "Ada King Lovelace"}, {"id": 2, "name": "Plato"}]},
            {"rows": [{"id": 1, "first": "Ada", "last": "King Lovelace"}, {"id": 2, "first": "Plato", "last": None}]},
        ),
        Example(
            "Beside the column itself",
            {"column": "code", "separator": "-", "names": ["country", "number"], "keep": True},
            {"rows": [{"code": "DE-7-x"}]},
            {"rows": [{"code": "DE-7-x", "country": "DE", "number": "7"}]},
        ),
    )

    @field_validator("names")
    @classmethod
    def _names_differ(cls, names: list[str]) -> list[str]:
        refuse_clashes(names)
        return names

    def query(self, rows: Relation) -> Query:
        name = text(rows, self.column, "column")
        taken = (
            rows if self.keep else Relation(rows.name, {key: rows.columns[key] for key in rows.columns if key != name})
        )
        refuse_taken(taken, self.names, "names")
        parts = [name_as(self._part(rows[name], at), new) for at, new in enumerate(self.names, 1)]
        chosen: list[exp.Expr] = []
        for here in rows.columns:
            if here != name or self.keep:
                chosen.append(rows[here])
            if here == name:
                chosen += parts
        return rows.select(chosen)

    def _part(self, value: exp.Expr, number: int) -> exp.Expr:
        if self.max_splits is None or number <= self.max_splits:
            return part(value, self.separator, number)
        if number == self.max_splits + 1:
            return _rest(value, self.separator, number)
        return cast(exp.Null(), "VARCHAR")


class Upper(Part):
    """Write in capital letters."""

    op: Literal["upper"] = Field(description="upper")


class Lower(Part):
    """Write in small letters."""

    op: Literal["lower"] = Field(description="lower")


class Trim(Part):
    """Take white space, or other characters, off the ends."""

    op: Literal["trim"] = Field(description="trim")
    side: Literal["both", "left", "right"] = Field("both", description="At which end")
    characters: str | None = Field(None, min_length=1, description="The characters; white space where left out")


class Replace(Part):
    """Replace a text by another."""

    op: Literal["replace"] = Field(description="replace")
    find: str = Field(min_length=1, description="What to replace, wherever it stands")
    by: str = Field("", description=r"What takes its place; with regex, \1 is the first group")
    regex: bool = Field(False, description="Whether `find` is a regular expression")

    @field_validator("regex")
    @classmethod
    def _pattern_is_one(cls, regex: bool, info: object) -> bool:
        if regex:
            check_pattern(getattr(info, "data", {}).get("find", ""))
        return regex


class Substring(Part):
    """Keep a part by its place."""

    op: Literal["substring"] = Field(description="substring")
    start: int = Field(1, description="The place of the first character: 1 is the first, -1 the last")
    length: int | None = Field(None, ge=0, description="How many characters; all that follow where left out")

    @field_validator("start")
    @classmethod
    def _counted_from_one(cls, start: int) -> int:
        if start == 0:
            raise ValueError("the first character is 1")
        return start


class Pad(Part):
    """Fill up to a width; what is longer stays."""

    op: Literal["pad"] = Field(description="pad")
    width: int = Field(ge=1, le=MAX_WIDTH, description="How many characters the text has at least")
    side: Literal["left", "right"] = Field("left", description="At which end to fill up")
    by: str = Field(" ", min_length=1, max_length=1, description="The character to fill up with")


class Split(Part):
    """Keep one part of a text that is split."""

    op: Literal["split"] = Field(description="split")
    separator: str = Field(" ", min_length=1, description="What stands between the parts")
    part: int = Field(1, ge=1, description="Which part to keep; the first is 1; null where there are fewer")


class Concat(Part):
    """Put the values of other columns behind the text."""

    op: Literal["concat"] = Field(description="concat")
    columns: list[Column] = Field(min_length=1, description="The other columns; null ones are left out")
    separator: str = Field("", description="What to put between the values")


Operation = Annotated[Upper | Lower | Trim | Replace | Substring | Pad | Split | Concat, Field(discriminator="op")]


class StringOperations(Table, order="keeps", without_spark="columns of DOUBLE as text"):
    """Change text step by step: case, white space, parts, padding, other columns."""

    column: Column = Field(description="The column; numbers, dates and the like are written as text first")
    operations: list[Operation] = Field(min_length=1, max_length=50, description="What is done, one after the other")
    name: NewName | None = Field(None, description="The column of the result; the same column where left out")

    examples = (
        Example(
            "A key from two columns",
            {
                "column": "number",
                "operations": [
                    {"op": "pad", "width": 4, "by": "0"},
                    {"op": "concat", "columns": ["country"], "separator": "-"},
                    {"op": "lower"},
                ],
                "name": "key",
            },
            {"rows": [{"number": 7, "country": "DE"}]},
            {"rows": [{"number": 7, "country": "DE", "key": "0007-de"}]},
        ),
        Example(
            "The domain of an address",
            {"column": "email", "operations": [{"op": "trim"}, {"op": "split", "separator": "@", "part": 2}]},
            {"rows": [{"email": " ada@example.org "}, {"email": "none"}, {"email": None}]},
            {"rows": [{"email": "example.org"}, {"email": None}, {"email": None}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        name = written(rows, self.column, "column")
        kept = rows.all(rows.columns)
        # One query in the other: as one expression, text that a step reads twice would be worked out twice by each.
        query = rows.select(kept, **{TEXT: cast(rows[name], "VARCHAR")})
        for at, operation in enumerate(self.operations):
            value = _done(rows, operation, column(TEXT), f"operations/{at}")
            query = nested(query, "texts", [*rows.all(rows.columns), name_as(value, TEXT)])
        result = Relation("texts", rows.columns).replace({self.name or name: column(TEXT)})
        return nested(query, "texts", result.expressions)


WRITABLE = ("VARCHAR", "number", "BOOLEAN", "moment", "TIMESTAMPTZ", "TIME", "UUID", "INTERVAL", "JSON")


def written(rows: Relation, name: str, field: str) -> str:
    """Return the name of a column that can be written as text; raise ConfigurationError for lists and structs."""
    return expected(rows, name, field, WRITABLE, "a column with one value a row", "take a part of it first: flatten")


def _done(rows: Relation, operation: Operation, value: exp.Expr, field: str) -> exp.Expr:
    match operation:
        case Upper() | Lower():
            return function(operation.op, value)
        case Trim():
            return _trim(operation, value)
        case Replace():
            if operation.regex:
                return replaced(value, operation.find, operation.by)
            return function("replace", value, operation.find, operation.by)
        case Substring():
            places = [operation.start] if operation.length is None else [operation.start, operation.length]
            return function("substring", value, *places)
        case Pad():
            side = {"left": "lpad", "right": "rpad"}[operation.side]
            filled = function(side, value.copy(), operation.width, operation.by)
            long = exp.GTE(this=function("length", value.copy()), expression=literal(operation.width))
            return exp.Case().when(long, value).else_(filled)
        case Split():
            return part(value, operation.separator, operation.part)
        case Concat():
            names = [written(rows, name, f"{field}/columns/{at}") for at, name in enumerate(operation.columns)]
            return _joined([value, *(cast(rows[name], "VARCHAR") for name in names)], operation.separator)


def _trim(operation: Trim, value: exp.Expr) -> exp.Expr:
    characters = SPACE
    if operation.characters is not None:
        characters = "[" + "".join(re.escape(character) for character in operation.characters) + "]"
    ends = {"left": f"^{characters}+", "right": f"{characters}+$"}
    chosen = [end for side, end in ends.items() if operation.side in (side, "both")]
    return replaced(value, "|".join(chosen), "")


def _joined(values: list[exp.Expr], separator: str) -> exp.Expr:
    there = exp.Not(this=exp.Is(this=function("coalesce", *values), expression=exp.Null()))
    return exp.Case().when(there, function("concat_ws", separator, *(value.copy() for value in values)))


Normalizing = Literal[
    "lowercase", "uppercase", "trim", "collapse_whitespace", "remove_special", "remove_html", "remove_urls"
]
TAGS = r"(?is)<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->|</?[a-z][^>]*>|<![a-z][^>]*>"
ENTITIES = {"&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&"}
URLS = r"(?i)\b(https?://|ftp://|www\.)\S+"
SPECIAL = r"[^\p{L}\p{M}\p{N}\s\p{Z}]"


class NormalizeText(Table, order="keeps"):
    """Clean columns of text."""

    columns: list[Column] = Field(min_length=1, description="The columns of text")
    operations: list[Normalizing] = Field(
        min_length=1,
        description="What is done, one after the other: lowercase, uppercase; trim and collapse_whitespace (white "
        "space at the ends; each run of it to one space); remove_special (all but letters, digits and white space), "
        "remove_html (tags, comments, scripts; &amp; and its like become characters), remove_urls",
    )

    examples = (
        Example(
            "Comments from a form",
            {"columns": ["note"], "operations": ["remove_html", "remove_urls", "collapse_whitespace", "trim"]},
            {"rows": [{"note": "<p>See  https://example.org/a?b=1 for &lt;more&gt;</p>\n"}, {"note": None}]},
            {"rows": [{"note": "See for <more>"}, {"note": None}]},
        ),
        Example(
            "Names to compare",
            {"columns": ["name"], "operations": ["remove_special", "lowercase"]},
            {"rows": [{"name": "O'Neil & Söhne, 2."}]},
            {"rows": [{"name": "oneil  söhne 2"}]},
        ),
    )

    def query(self, rows: Relation) -> Query:
        names = [text(rows, name, f"columns/{at}") for at, name in enumerate(self.columns)]
        return rows.replace({name: self._normalized(column(name)) for name in names})

    def _normalized(self, value: exp.Expr) -> exp.Expr:
        for operation in self.operations:
            match operation:
                case "lowercase" | "uppercase":
                    value = function(operation.removesuffix("case"), value)
                case "trim":
                    value = trimmed(value)
                case "collapse_whitespace":
                    value = replaced(value, f"{SPACE}+", " ")
                case "remove_special":
                    value = replaced(value, SPECIAL, "")
                case "remove_urls":
                    value = replaced(value, URLS, "")
                case "remove_html":
                    value = replaced(value, TAGS, "")
                    for entity, character in ENTITIES.items():
                        value = function("replace", value, entity, character)
        return value
