"""What the nodes of this folder ask of columns, with the place in the config where the answer is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from airloom.engine.relation import ColumnError, family, read, try_read
from airloom.engine.types import castable, clashing_names, instead_of_cast
from airloom.nodes.sdk import ConfigurationError, Relation, cast, exp, function, try_cast

EXACT_AS_DOUBLE = ("FLOAT", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER")
NewName = Annotated[str, Field(min_length=1)]


def refuse_clashes(names: Sequence[str]) -> None:
    """Raise ValueError where two names are the same but for case."""
    clashes = clashing_names(list(names))
    if clashes:
        raise ValueError(f"{clashes[0]!r} stands here twice (SQL does not tell capital letters from small ones)")


def resolved(rows: Relation, names: Sequence[str], field: str) -> list[str]:
    """Return the names of columns as the table writes them; raise ColumnError at the entry of the list `field`."""
    return [rows.resolve(name, f"{field}/{at}") for at, name in enumerate(names)]


def expected(rows: Relation, name: str, field: str, families: Iterable[str], need: str, hint: str) -> str:
    """Return a column's name as the table writes it; raise ConfigurationError where its type is of no such family."""
    found = rows.resolve(name, field)
    kind = rows.columns[found]
    if family(kind) not in families:
        raise ConfigurationError(f"{need} is needed here; {found!r} is {kind}", field=field, hint=hint)
    return found


def text(rows: Relation, name: str, field: str) -> str:
    """Return the name of a column of text; raise ConfigurationError where it is none."""
    return expected(rows, name, field, ("VARCHAR",), "text", "cast the column to VARCHAR first")


def number(rows: Relation, name: str, field: str) -> str:
    """Return the name of a column of numbers; raise ConfigurationError where it is none."""
    return expected(rows, name, field, ("number",), "a number", "cast the column to a number first")


def moment(rows: Relation, name: str, field: str) -> str:
    """Return the name of a column of dates or times; raise ConfigurationError where it is none."""
    return expected(rows, name, field, ("moment", "TIMESTAMPTZ"), "a date or a time", "use parse_dates first")


def refuse_taken(rows: Relation, names: Iterable[str], field: str) -> None:
    """Raise ConfigurationError where a new name is that of a column."""
    taken = {column.lower(): column for column in rows.columns}
    for name in names:
        if name.lower() in taken:
            raise ConfigurationError(
                f"there is a column {taken[name.lower()]!r} already", field=field, hint="choose another name"
            )


def cast_column(rows: Relation, name: str, wanted: str, field: str, on_error: Literal["fail", "null"]) -> exp.Expr:
    """Return a column cast to a type, a text read strictly; raise ConfigurationError where no value can be cast."""
    kind = rows.columns[name]
    if not castable(kind, wanted):
        raise ConfigurationError(
            f"{name!r} is {kind}, which cannot be cast to {wanted}", field=field, hint=instead_of_cast(kind, wanted)
        )
    if on_error == "null":
        return try_read(rows[name], kind, wanted, rows.engine)
    return read(rows[name], kind, wanted, name, rows.engine)


def common_type(kind: str, other: str) -> str:
    """Return the type in which columns of two types of one family stand together; `as_common` brings them there."""
    if kind != other and {kind, other} & {"FLOAT", "DOUBLE"}:
        # FLOAT, which DuckDB would take, holds whole numbers up to 16,777,216 alone.
        return "DOUBLE"
    return kind


def as_common(value: exp.Expr, given: str, kind: str, name: str) -> exp.Expr:
    """Return a value of the type `given` that stands in a column beside others of the `common_type` kind.

    A number of which a DOUBLE would lose digits ends the run, by a message that says `name`.
    """
    if kind != "DOUBLE" or given == "DOUBLE":
        return value
    if given in EXACT_AS_DOUBLE:
        return cast(value, "DOUBLE")
    # Not by an error of the engine: it rounds without a word.
    same = exp.EQ(this=try_cast(cast(value.copy(), "DOUBLE"), given), expression=value.copy())
    message = f"{name!r} is {given} and stands in one column with floating numbers; a DOUBLE would lose digits of "
    told = failure(message, cast(value.copy(), "VARCHAR"), ": cast both before, as to DECIMAL(38,6)")
    kept = exp.or_(same, exp.Is(this=value.copy(), expression=exp.Null()))
    return exp.Case().when(kept, cast(value, "DOUBLE")).else_(told)


def is_column(rows: Relation, name: str) -> bool:
    """Tell whether a table has a column, whatever its case."""
    try:
        rows.resolve(name)
    except ColumnError:
        return False
    return True


def fails_where(condition: exp.Expr, *message: str | exp.Expr) -> exp.Expr:
    """Return a condition that is true, and ends the run with the message for a row that must not be."""
    return exp.Case().when(condition, failure(*message)).else_(exp.true())


def failure(*message: str | exp.Expr) -> exp.Expr:
    """Return a call that ends the run; the parts of the message are texts and values of the row."""
    return function("error", *message) if len(message) == 1 else function("error", function("concat", *message))
