"""What is wrong in users' SQL, as an error with its place, and how parts of a tree are shown in it."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from airloom.spec.error import TextFault


class SqlFieldError(TextFault):
    """Raise when a condition, a formula or a query cannot be read, or holds what is not allowed."""

    code = "sql"


class SqlSyntaxError(SqlFieldError):
    """Raise when a condition, a formula or a query cannot be read at all."""


def at_word(fault: SqlFieldError, word: str) -> SqlFieldError:
    """Return an error that points at a word of the text."""
    fault.word = word
    return fault


def shown(node: object) -> str:
    """Return what a message shows of a part of a tree: its SQL, cut to 60 characters."""
    text = rendered(node) if isinstance(node, exp.Expr) else str(node)
    return text if len(text) <= 60 else text[:59] + "…"


def rendered(node: exp.Expr) -> str:
    """Return the SQL of a part of a tree."""
    return node.sql(dialect="duckdb", comments=False, unsupported_level=sqlglot.ErrorLevel.IGNORE)
