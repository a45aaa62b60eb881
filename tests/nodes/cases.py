"""Configs of every table and window node, over tables of the same columns."""

from __future__ import annotations

from typing import Any

COLUMNS = {"id": "INTEGER", "k": "VARCHAR", "t": "INTEGER", "n": "INTEGER", "x": "DOUBLE", "d": "DECIMAL(9,2)",
           "s": "VARCHAR", "at": "TIMESTAMP", "l": "INTEGER[]", "j": "JSON", "b": "BOOLEAN"}  # fmt: skip
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("filter", {"conditions": [{"column": "s", "operator": "contains", "value": "1"}, {"column": "n", "value": 2}]}),
    ("arithmetic", {"left": "x", "operator": "//", "right": "n", "name": "y"}),
    ("arithmetic", {"left": "d", "operator": "%", "right": "n", "name": "y"}),
    ("arithmetic", {"left": "n", "operator": "**", "right": "t", "name": "y"}),
    ("compare", {"left": "n", "operator": "<", "right": "x", "name": "y"}),
    ("logic", {"left": "b", "operator": "xor", "right": "b", "name": "y"}),
    ("map_values", {"column": "t", "mapping": {"1": 0.5, "2": None}, "default": 7, "type": "DECIMAL(5,2)"}),
    ("split_column", {"column": "s", "separator": "-", "names": ["p", "q"], "max_splits": 1}),
    ("string_operations", {"column": "s", "operations": [{"op": "pad", "width": 9}, {"op": "upper"}]}),
    ("normalize_text", {"columns": ["s"], "operations": ["remove_special", "uppercase"]}),
    ("date_parts", {"column": "at", "parts": ["week", "iso_year", "weekday", "date"]}),
    ("date_difference", {"start": "at", "value": "2026-01-31", "unit": "months", "name": "y"}),
    ("sample", {"rows": 500}),
    ("sample", {"fraction": 0.1}),
    ("deduplicate", {"keys": ["k"], "order": ["t"]}),
    ("deduplicate", {"keys": ["k", "t"], "keep": "last", "ignore_case": True}),
    ("remove_nulls", {}),
    ("fill_nulls", {"strategy": "median", "by": ["k"]}),
    ("fill_nulls", {"strategy": "mode", "columns": ["n", "s"], "by": ["t"]}),
    ("fill_nulls", {"strategy": "forward", "columns": ["n"], "by": ["k"], "order": ["t"]}),
    ("fill_nulls", {"strategy": "backward", "columns": ["n"], "order": ["t"]}),
    ("clean", {"empty_to_null": True}),
    ("lookup", {"on": ["id"], "columns": ["n", "at"], "prefix": "o_", "several": "first"}),
    ("update_rows", {"keys": ["k"], "order": ["t"]}),
    ("join", {"on": ["id"], "how": "outer"}),
    ("map_schema", {"columns": {"a": {"column": "n", "type": "VARCHAR"}, "c": {"column": "x", "default": 0}}}),
    ("pivot", {"index": ["k"], "column": "t", "value": "n", "op": "last", "by": "id", "values": [0, 1]}),
    ("pivot", {"index": ["k"], "column": "t", "value": "n"}),
    ("unpivot", {"keys": ["id"], "values": ["n", "x", "d"]}),
    ("json_select", {"column": "j", "path": "a[1]", "type": "BIGINT", "name": "y"}),
    ("flatten", {"column": "l", "keep_empty": True}),
    ("validate_rows", {"rules": [{"columns": ["id", "t"], "must": "unique"}, {"where": "n < 9"}]}),
]  # fmt: skip
"""Nodes of one query over rows."""

AT = {"time": "at", "start": "from", "end": "to"}
JOINED = {"left_time": "at", "right_time": "at", "on": ["k"]}
FIGURES_OF_ALL = {
    name: {"op": name, **({"column": column} if column else {}), **({"by": "id"} if by else {})}
    for name, column, by in (
        ("count", None, False), ("sum", "n", False), ("avg", "d", False), ("min", "s", False), ("max", "at", False),
        ("median", "x", False), ("p95", "n", False), ("stddev", "x", False), ("variance", "n", False),
        ("count_distinct", "s", False), ("argmin", "s", True), ("last", "x", True), ("mode", "n", False),
        ("tuple", "n", True), ("sorted_tuple", "s", False), ("any", "b", False),
    )
}  # fmt: skip
MORE: list[tuple[str, dict[str, Any]]] = [
    ("aggregate", {"by": ["k"], "measures": FIGURES_OF_ALL}),
    ("aggregate", {"measures": FIGURES_OF_ALL}),
    ("cast", {"columns": {"x": "INTEGER", "d": "BIGINT", "n": "VARCHAR", "at": "DATE", "b": "INTEGER"}}),
    ("derive", {"columns": {"y": "x / n", "z": "round(d * x, 1)", "w": "coalesce(s, k) || '!'", "v": "n // 3"}}),
    ("sql", {"sql": "select id, n / sum(n) over (partition by k) s, lag(n) over (order by id, n, x) b from rows"}),
    ("split_rows", {"conditions": [{"name": "a", "where": "n > 3"}, {"name": "b", "where": "x > 1 and s like 'a%'"}]}),
    ("sql", {"sql": "with a as (select k, count(*) c from rows group by k having c > 3) select r.id, a.c from rows r "
                    "left join a using (k) where r.n is not null order by r.id, r.n limit 50"}),
    ("sort", {"by": [{"column": "n", "descending": True}, "x"]}),
    ("concat", {}),
    ("window", {**AT, "window": {"type": "tumbling", "duration": "7d"}, "measures": FIGURES_OF_ALL}),
    ("window", {**AT, "window": {"type": "sliding", "hop": "2h", "duration": "5h"}, "instance": ["k"],
                "measures": {"n": {"op": "count"}}}),
    ("window", {**AT, "window": {"type": "session", "max_gap": "90m"}, "instance": ["k"],
                "measures": {"n": {"op": "sum", "column": "n"}}}),
    ("window", {**AT, "time": "x", "window": {"type": "tumbling", "duration": 0.3},
                "measures": {"n": {"op": "count"}}}),
    ("window", {**AT, "time": "n", "window": {"type": "sliding", "hop": 2, "duration": 7, "origin": 1},
                "measures": {"n": {"op": "count"}}}),
    ("asof_join", {**JOINED, "direction": "nearest", "tolerance": "3h", "how": "left"}),
    ("asof_join", {**JOINED, "direction": "forward", "how": "outer"}),
    ("asof_now_join", JOINED),
    ("interval_join", {**JOINED, "lower": "-2h", "upper": "2h", "how": "outer"}),
    ("window_join", {**JOINED, "window": {"type": "session", "max_gap": "2h"}, "how": "left"}),
]  # fmt: skip
"""Figures, casts, SQL, order, windows and joins by time."""
