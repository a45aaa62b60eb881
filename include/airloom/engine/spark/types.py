"""Column types that DuckDB and Spark share, and what Spark calls them."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from airloom.engine.relation import Columns
from airloom.spec.error import ConfigurationError

NAMES = {
    "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INT", "BIGINT": "BIGINT",
    "FLOAT": "FLOAT", "DOUBLE": "DOUBLE", "TEXT": "STRING", "VARCHAR": "STRING", "VARBINARY": "BINARY",
    "BLOB": "BINARY", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP_NTZ", "TIMESTAMPNTZ": "TIMESTAMP_NTZ",
    "TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMPLTZ": "TIMESTAMP", "NULL": "VOID",
}  # fmt: skip
"""sqlglot's name of a type → Spark's."""

SHOWN = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "DATE",
         "TIMESTAMP", "TIMESTAMPTZ")  # fmt: skip
"""The column types that a pipeline on Spark may have, as people write them; lists and structs of them, too."""

Family = Literal["whole", "float", "decimal", "text", "truth", "day", "moment", "list", "struct"]
_FAMILIES: dict[Family, tuple[str, ...]] = {
    "whole": ("TINYINT", "SMALLINT", "INT", "BIGINT"),
    "float": ("FLOAT", "DOUBLE"),
    "decimal": ("DECIMAL",),
    "text": ("TEXT", "VARCHAR"),
    "truth": ("BOOLEAN",),
    "day": ("DATE",),
    "moment": ("TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ", "TIMESTAMPLTZ"),
    "list": ("ARRAY", "LIST"),
    "struct": ("STRUCT",),
}


class SparkUnsupported(ConfigurationError):
    """Raise for what a pipeline on Spark cannot hold."""

    code = "engine.spark"


def name_of(kind: exp.DataType | None) -> str:
    """Return sqlglot's name of a type, "UNKNOWN" where there is none."""
    if kind is None:
        return "UNKNOWN"
    return kind.this.name if hasattr(kind.this, "name") else str(kind.this)


def is_kind(kind: exp.DataType | None, *families: Family) -> bool:
    """Tell whether a type is of one of these families."""
    return any(name_of(kind) in _FAMILIES[family] for family in families)


def spark_type(kind: str) -> str:
    """Return Spark's name of a DuckDB type; raise SparkUnsupported where it has none."""
    return spark_type_of(exp.DataType.build(kind, dialect="duckdb"))


def spark_type_of(kind: exp.DataType) -> str:
    """Return Spark's name of a type; raise SparkUnsupported where it has none."""
    name = name_of(kind)
    if name == "DECIMAL":
        given = [int(part.name) for part in kind.expressions] or [18, 3]
        return f"DECIMAL({given[0]},{given[1] if len(given) > 1 else 0})"
    if name in ("ARRAY", "LIST"):
        return f"ARRAY<{spark_type_of(kind.expressions[0])}>"
    if name == "STRUCT":
        fields = (f"`{part.name.replace('`', '``')}`: {spark_type_of(part.args['kind'])}" for part in kind.expressions)
        return f"STRUCT<{', '.join(fields)}>"
    if name not in NAMES:
        raise SparkUnsupported(f"Spark has no type {kind.sql('duckdb')}", hint=f"cast it to one of {', '.join(SHOWN)}")
    return NAMES[name]


def check_columns(columns: Columns) -> None:
    """Raise SparkUnsupported that names the first column whose type Spark does not have."""
    for name, kind in columns.items():
        try:
            spark_type(kind)
        except SparkUnsupported:
            raise SparkUnsupported(
                f"the column {name!r} is {kind}, which Spark does not have",
                hint=f"let the source give one of {', '.join(SHOWN)}, or leave the column out there",
            ) from None
