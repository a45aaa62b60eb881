"""The few words that Spark's queries are built of."""

from __future__ import annotations

from sqlglot import exp

from airloom.engine.spark.types import SparkUnsupported


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a call of one of Spark's functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def text(value: str) -> exp.Expr:
    """Return a text as a literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """Return a whole number as a literal."""
    return exp.Literal.number(value)


def number_of(digits: str) -> exp.Expr:
    """Return a number as a literal, of a DECIMAL with exactly these digits."""
    return exp.Literal.number(digits)


def as_type(value: exp.Expr, kind: str) -> exp.Expr:
    """Return a value cast to a type."""
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def refused(what: str, hint: str | None = None) -> SparkUnsupported:
    """Return the error for what is not possible on Spark."""
    return SparkUnsupported(f"{what} is not possible on Spark", hint=hint)
