"""What is worth knowing of each column of a table at a glance."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from airloom.engine.reference import TableReference
from airloom.engine.tables import query_row

NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)")
ORDERED = re.compile(rf"{NUMBERS.pattern}|VARCHAR|BOOLEAN|DATE|TIME|TIMESTAMP.*|UUID")


def column_statistics(reference: TableReference) -> dict[str, dict[str, Any]]:
    """Return the statistics of each column by its name.

    These are `nulls` and `distinct`; where values have an order `minimum` and `maximum`; of numbers the `mean`.
    `distinct` is an estimate (HyperLogLog). The mean leaves out what is infinite or not a number.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in reference.columns}
    places: list[tuple[str, str]] = []
    measures: list[str] = []
    for name, kind in reference.columns.items():
        for measure, text in _measures(exp.column(name, quoted=True).sql("duckdb"), kind).items():
            places.append((name, measure))
            measures.append(text)
    if measures:
        for (name, measure), value in zip(places, query_row(reference, ", ".join(measures)), strict=True):
            found[name][measure] = value
    return found


def _measures(column: str, kind: str) -> dict[str, str]:
    measures = {"nulls": f"count(*) - count({column})", "distinct": f"approx_count_distinct({column})"}
    if ORDERED.fullmatch(kind):
        measures |= {"minimum": f"min({column})", "maximum": f"max({column})"}
    if NUMBERS.fullmatch(kind):
        number = f"CAST({column} AS DOUBLE)"
        measures["mean"] = f"avg({number}) FILTER (WHERE isfinite({number}))"
    return measures
