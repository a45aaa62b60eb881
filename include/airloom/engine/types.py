"""Column types: the fixed list that survives a Parquet file, and how every output is brought into it.

Source of the mapping: what DuckDB 2.0 gives back after writing and reading a Parquet file; HUGEINT would become DOUBLE
and lose exactness above 2^53.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airloom.engine.relation import family

PORTABLE = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "BIGNUM": "VARCHAR",
    "BIT": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMPTZ_NS": "TIMESTAMPTZ",
    "TIME_NS": "TIME",
    "TIME WITH TIME ZONE": "TIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMETZ": "TIME",
    '"NULL"': "INTEGER",
    "NULL": "INTEGER",
}
_ENUM = r"ENUM\((?:'(?:[^']|'')*'(?:, ?)?)*\)"
_WORD = re.compile(_ENUM + r'|"NULL"|"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|TIME(?:STAMP)? WITH TIME ZONE|[A-Z_]+|\[\d+\]')


def portable(kind: str) -> str:
    """Return the type that a column of DuckDB type `kind` is cast to; most types stay as they are."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("ENUM("):
            return "VARCHAR"
        return "[]" if word.startswith("[") else PORTABLE.get(word, word)

    return _WORD.sub(swap, kind)


def casts(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns whose type has to change, with the type to cast them to."""
    return {name: portable(kind) for name, kind in columns.items() if portable(kind) != spelled(kind)}


_CASTS = {
    "number": {"number", "BOOLEAN"},
    "BOOLEAN": {"number", "BOOLEAN"},
    "DATE": {"DATE", "TIMESTAMP", "TIMESTAMPTZ"},
    "TIME": {"TIME"},
    "TIMESTAMP": {"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"},
    "TIMESTAMPTZ": {"DATE", "TIMESTAMP", "TIMESTAMPTZ"},
    "INTERVAL": {"INTERVAL"},
    "UUID": {"UUID", "BLOB"},
    "BLOB": {"BLOB", "UUID"},
}
"""What DuckDB 2.0 can cast into what, beside text and JSON."""


def castable(kind: str, wanted: str) -> bool:
    """Tell whether there is a cast from one type to another; of text and of values with an inside nothing is said."""
    source, target = _cast_family(kind), _cast_family(wanted)
    if source not in _CASTS or target not in _CASTS:
        return True
    return target in _CASTS[source]


def instead_of_cast(kind: str, wanted: str) -> str | None:
    """Return what to do in the place of a cast that there is none of, or None where it could be anything."""
    if family(kind) in ("moment", "TIMESTAMPTZ") and family(wanted) == "number":
        return "derive it: epoch(name) for seconds since 1970, year(name) and the like for a part"
    if family(kind) == "number" and family(wanted) in ("moment", "TIMESTAMPTZ"):
        return "derive it: to_timestamp(name) for seconds since 1970"
    return None


def loses_digits(kind: str, other: str) -> str | None:
    """Return the float in which two numbers of different types meet and lose digits, or None.

    BIGINT and FLOAT meet as FLOAT, of which seven digits are right, BIGINT and DOUBLE as DOUBLE, of which fifteen are.
    """
    for wide, narrow in (("FLOAT", _EXACT_AS_FLOAT), ("DOUBLE", _EXACT_AS_DOUBLE)):
        if wide in (kind, other):
            exact = other if kind == wide else kind
            lost = family(exact) == "number" and exact not in (*narrow, "FLOAT", "DOUBLE")
            return wide if lost else None
    return None


_EXACT_AS_FLOAT = ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT")
_EXACT_AS_DOUBLE = (*_EXACT_AS_FLOAT, "INTEGER", "UINTEGER")


def _cast_family(kind: str) -> str:
    found = family(kind)
    return ("DATE" if kind == "DATE" else "TIMESTAMP") if found == "moment" else found


def spelled(kind: str) -> str:
    """Return a type of DuckDB in the one spelling that is shown: TIMESTAMPTZ for TIMESTAMP WITH TIME ZONE."""
    return _WORD.sub(lambda word: "TIMESTAMPTZ" if word[0] == "TIMESTAMP WITH TIME ZONE" else word[0], kind)


def clashing_names(names: list[str]) -> list[str]:
    """Return the names that are equal to an earlier one but for case; SQL cannot tell them apart."""
    seen: set[str] = set()
    clashes = []
    for name in names:
        if name.lower() in seen:
            clashes.append(name)
        seen.add(name.lower())
    return clashes
