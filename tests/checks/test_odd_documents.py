"""Documents that look odd and are right: nothing is said against them, not even a warning, and they give these rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration

Json = dict[str, Any]
Rows = list[Json]


@dataclass(frozen=True)
class Case:
    """A document, what it reads, and what leaves the port `shown`.

    Each of `tables` is read by a `jsonl_read` of its name, with its `types`, and stands before the `nodes`.
    """

    id: str
    nodes: list[Json]
    edges: str
    shown: str
    expected: Any
    tables: Mapping[str, Rows] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    more: Json = field(default_factory=dict)

    def document(self) -> Json:
        """Return the document."""
        readers = [
            node(
                name,
                "jsonl_read",
                path=f"{name}.jsonl",
                **({"columns": self.types[name]} if name in self.types else {}),
            )
            for name in self.tables
        ]
        edges = [dict(zip(("from", "to"), edge.split(">"), strict=True)) for edge in self.edges.split()]
        return {"id": "odd", "nodes": [*readers, *self.nodes], "edges": edges, **self.more}

    def write(self, folder: Path) -> None:
        """Write the files that the document reads."""
        for name, rows in self.tables.items():
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name, content in self.files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def node(identifier: str, kind: str, **config: Any) -> Json:
    return {"id": identifier, "type": kind, "config": config}


def sql(query: str, *inputs: str) -> Json:
    return node("s", "sql", sql=query, **({"inputs": list(inputs)} if inputs else {}))


NUMBERS = {"t": [{"n": 1}, {"n": 2}, {"n": 3}]}
EMPTY: Rows = []
WIDE = {f"c{number}": number for number in range(300)}

NAMES = [
    Case(
        "a_column_named_select",
        [node("f", "filter", where='"select" > 1'), node("k", "select", columns=["select"])],
        "t>f f>k",
        "k",
        [{"select": 2}],
        {"t": [{"select": 1, "from": 0}, {"select": 2, "from": 0}]},
    ),
    Case(
        "a_column_with_an_umlaut_and_a_space",
        [node("d", "derive", columns={"größer als": '"Ä b" + 1'})],
        "t>d",
        "d",
        [{"Ä b": 1, "größer als": 2}],
        {"t": [{"Ä b": 1}]},
    ),
    Case(
        "a_column_with_a_point",
        [node("g", "aggregate", by=["a.b"], measures={"sum.of": {"op": "sum", "column": "c.d"}})],
        "t>g",
        "g",
        [{"a.b": "x", "sum.of": 3}],
        {"t": [{"a.b": "x", "c.d": 1}, {"a.b": "x", "c.d": 2}]},
    ),
    Case(
        "columns_named_order_and_group_in_sql",
        [sql('select "group", max("order") as "order" from rows group by "group"')],
        "t>s",
        "s",
        [{"group": "a", "order": 2}],
        {"t": [{"order": 1, "group": "a"}, {"order": 2, "group": "a"}]},
    ),
    Case(
        "a_column_with_quotes_of_both_sorts",
        [node("f", "filter", where='"it\'s ""so""" = 1'), node("r", "rename", mapping={'it\'s "so"': "n"})],
        "t>f f>r",
        "r",
        [{"n": 1}],
        {"t": [{'it\'s "so"': 1}, {'it\'s "so"': 2}]},
    ),
    Case(
        "a_column_reference_in_other_case",
        [node("f", "filter", where="TOTAL > 1"), node("k", "select", columns=["Total"])],
        "t>f f>k",
        "k",
        [{"Total": 2}],
        {"t": [{"Total": 1}, {"Total": 2}]},
    ),
    Case(
        "braces_as_text_in_a_column",
        [node("d", "derive", columns={"x": "{{ '{{ a }}' }}"})],
        "t>d",
        "d",
        [{"n": 1, "x": "{{ a }}"}],
        {"t": [{"n": 1}]},
    ),
    Case(
        "three_hundred_columns",
        [
            node("t", "csv_read", path="t.csv"),
            node("d", "derive", columns={"all": " + ".join(WIDE)}),
            node("k", "select", columns=["all", "c299"]),
        ],
        "t>d d>k",
        "k",
        [{"all": 44850, "c299": 299}],
        files={"t.csv": ",".join(WIDE) + "\n" + ",".join(map(str, WIDE.values())) + "\n"},
    ),
    Case("three_hundred_fields_of_json", [node("few", "limit", rows=5)], "t>few", "few", [WIDE], {"t": [WIDE]}),
    Case(
        "ids_of_a_hundred_letters",
        [node("i" * 100, "filter", where="n = 3"), node("j" * 100, "limit", rows=5)],
        f"t>{'i' * 100} {'i' * 100}>{'j' * 100}",
        "j" * 100,
        [{"n": 3}],
        NUMBERS,
        more={"id": "p" * 100},
    ),
    Case(
        "nodes_named_by_words_of_sql",
        [node("select", "filter", where="n > 1"), node("rows", "limit", rows=9), node("table", "sort", by=["n"])],
        "t>select select>rows rows>table",
        "table",
        [{"n": 2}, {"n": 3}],
        NUMBERS,
    ),
    Case(
        "an_input_named_order",
        [sql('select "order".n from "order" join "group" using (n) order by n', "order", "group")],
        "t>s.order u>s.group",
        "s",
        [{"n": 2}],
        {**NUMBERS, "u": [{"n": 2}]},
    ),
]

TABLES = [
    Case(
        "an_empty_table",
        [node("g", "aggregate", measures={"n": {"op": "count"}, "total": {"op": "sum", "column": "n"}})],
        "t>g",
        "g",
        [{"n": 0, "total": None}],
        {"t": EMPTY},
        {"t": {"n": "INTEGER"}},
    ),
    Case(
        "a_join_with_an_empty_table",
        [node("j", "join", on=["n"], how="left")],
        "t>j.left u>j.right",
        "j",
        [{"n": 1, "word": None}, {"n": 2, "word": None}, {"n": 3, "word": None}],
        {**NUMBERS, "u": EMPTY},
        {"u": {"n": "BIGINT", "word": "VARCHAR"}},
    ),
    Case(
        "a_column_of_nulls",
        [
            node("c", "cast", columns={"x": "INTEGER"}),
            node("f", "fill_nulls", columns=["x"], strategy="constant", value=7),
        ],
        "t>c c>f",
        "f",
        [{"x": 7, "n": 1}],
        {"t": [{"x": None, "n": 1}]},
    ),
    Case(
        "columns_that_are_known_in_a_run_only",
        [
            node("p", "pivot", index=["shop"], column="kind", value="n"),
            node("f", "filter", where="a > 1"),
            node("d", "derive", columns={"c": "a + b"}),
        ],
        "t>p p>f f>d",
        "d",
        [{"shop": "y", "a": 5, "b": 6, "c": 11}],
        {
            "t": [
                {"shop": "x", "kind": "a", "n": 1},
                {"shop": "y", "kind": "a", "n": 5},
                {"shop": "y", "kind": "b", "n": 6},
            ]
        },
    ),
    Case(
        "limit_0",
        [node("l", "limit", rows=0), node("d", "derive", columns={"m": "n * 2"})],
        "t>l l>d",
        "d",
        [],
        NUMBERS,
    ),
    Case("an_offset_beyond_the_end", [node("l", "limit", rows=2, offset=10)], "t>l", "l", [], NUMBERS),
    Case(
        "a_sample_greater_than_the_table",
        [node("x", "sample", rows=9), node("o", "sort", by=["n"])],
        "t>x x>o",
        "o",
        NUMBERS["t"],
        NUMBERS,
    ),
    Case(
        "sort_by_several_keys",
        [node("o", "sort", by=[{"column": "a", "descending": True}, "b", {"column": "c", "descending": True}])],
        "t>o",
        "o",
        [{"a": 2, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 9}, {"a": 1, "b": 1, "c": 2}, {"a": None, "b": 0, "c": 0}],
        {
            "t": [
                {"a": 1, "b": 1, "c": 2},
                {"a": None, "b": 0, "c": 0},
                {"a": 1, "b": 1, "c": 9},
                {"a": 2, "b": 1, "c": 1},
            ]
        },
    ),
    Case(
        "concat_of_schemas_that_differ",
        [node("c", "concat"), node("o", "sort", by=["id"])],
        "t>c u>c v>c c>o",
        "o",
        [
            {"id": 1, "a": "x", "b": None, "c": None},
            {"id": 2, "a": None, "b": True, "c": None},
            {"id": 3, "a": None, "b": None, "c": 1.5},
        ],
        {"t": [{"id": 1, "a": "x"}], "u": [{"b": True, "id": 2}], "v": [{"c": 1.5, "id": 3}]},
    ),
    Case(
        "concat_of_one_table",
        [node("c", "concat")],
        "t>c",
        "c",
        NUMBERS["t"],
        NUMBERS,
    ),
]

SALES = {
    "t": [
        {"id": 1, "shop": "a", "day": "2026-01-30", "amount": 5},
        {"id": 2, "shop": "a", "day": "2026-01-31", "amount": 7},
        {"id": 3, "shop": "b", "day": "2026-02-02", "amount": 9},
    ]
}
DATED = {"t": {"id": "INTEGER", "shop": "VARCHAR", "day": "DATE", "amount": "DECIMAL(12,2)"}}

SEEN: dict[str, Any] = {
    "tables": {"t": [{"n": 1, "day": "2026-01-31", "at": "2026-01-31T10:00:00", "ok": True, "x": 1.5, "word": "NA"}]},
    "types": {
        "t": {
            "n": "BIGINT", "day": "DATE", "at": "TIMESTAMP", "ok": "BOOLEAN", "x": "DECIMAL(5,2)", "word": "VARCHAR"
        }
    },
}  # fmt: skip
"""A table of a row, to be compared with texts."""

QUERIES = [
    *(
        Case(
            f"a_text_that_can_be_read_{place}",
            [node("f", "filter", where=where), node("k", "select", columns=["n"])],
            "t>f f>k",
            "k",
            [{"n": 1}],
            **SEEN,
        )
        for place, where in enumerate(
            [
                "day > '2026-1-5' and day < '2026-03-01 00:00' and '2027-01-01' > day and at > '2026-01-05'",
                "n = '1' and n < ' 3 ' and n in ('1', 2) and n between '0' and 2 and x > '1e0' and x <> '7'",
                "ok = 'TRUE' and ok and not (ok = 'false') and n is not null and n is distinct from '2'",
                "word = 'NA' and word in ('NA', 'x') and upper(word) > 'A' and cast(n as varchar) <> 'NA'",
                "try_cast(word as date) is null and coalesce(try_cast(word as bigint), 0) = '0' and '1' < '2'",
                "date '2026-01-31' = day and at at time zone 'europe/berlin' < timestamptz '2027-01-01 00:00:00+01'",
                "case when word = 'NA' then null else word = 'x' end is null and cast(at as time) > '09:00'",
                "day > date '2026-01-01' - interval '3 days' and day - interval 1 month < at and cast(ok as int) = 1",
            ]
        )
    ),
    Case(
        "a_param_of_any_type_compared_with_a_text",
        [
            node(
                "f",
                "filter",
                where="{{ params.any }} = 'x' and word <> {{ params.any }} and {{ params.any }} in ('x', 'y')"
                " and coalesce({{ params.any }}, 'z') > '' and {{ params.any }} between 'a' and 'z'",
            ),
            node("k", "select", columns=["n"]),
        ],
        "t>f f>k",
        "k",
        [{"n": 1}],
        **SEEN,
        more={"params": {"any": {"default": "x"}}},
    ),
    Case(
        "texts_that_can_be_read_in_a_query",
        [
            sql(
                "with a as (select word as day, day as word, n from rows) select a.n from a join rows r"
                " on a.n = r.n and a.day = 'NA' and r.day > '2026-01-01' where a.word > '2026-01-01' group by a.n"
                " having max(r.at) > '2026-01-01' union all select n + 1 from rows where word = 'NA'"
                " union all select cast(word as varchar) from rows where n = '2' order by 1"
            )
        ],
        "t>s",
        "s",
        [{"n": "1"}, {"n": "2"}],
        **SEEN,
    ),
    Case(
        "sql_with_ctes",
        [
            sql(
                "with a as (select n from rows where n > 1), b as (select n * 10 as m from a)"
                " select * from b order by m"
            )
        ],
        "t>s",
        "s",
        [{"m": 20}, {"m": 30}],
        NUMBERS,
    ),
    Case(
        "sql_with_nested_selects",
        [sql("select n, (select count(*) from (select * from u where u.n <= t.n)) as c from t order by n", "t", "u")],
        "t>s.t u>s.u",
        "s",
        [{"n": 1, "c": 0}, {"n": 2, "c": 1}, {"n": 3, "c": 1}],
        {**NUMBERS, "u": [{"n": 2}]},
    ),
    Case(
        "sql_with_exists_and_not_in",
        [
            sql(
                "select n from t where exists (from u where u.n = t.n) or n not in (select n + 1 from u) order by n",
                "t",
                "u",
            )
        ],
        "t>s.t u>s.u",
        "s",
        [{"n": 1}, {"n": 2}],
        {**NUMBERS, "u": [{"n": 2}]},
    ),
    Case(
        "sql_with_window_functions",
        [
            sql(
                "select id, sum(amount) over (partition by shop order by day) as total,"
                " lag(id) over (order by day) as before, row_number() over w as place"
                " from rows window w as (order by amount desc) order by id"
            )
        ],
        "t>s",
        "s",
        [
            {"id": 1, "total": 5, "before": None, "place": 3},
            {"id": 2, "total": 12, "before": 1, "place": 2},
            {"id": 3, "total": 9, "before": 2, "place": 1},
        ],
        SALES,
        DATED,
    ),
    Case(
        "sql_with_a_set_operation_and_a_comment",
        [sql("/* both */ select n from rows -- here\nunion all by name select n from rows where n = 3 order by all")],
        "t>s",
        "s",
        [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 3}],
        NUMBERS,
    ),
    Case(
        "sql_with_qualify_and_a_star_without_a_column",
        [
            sql(
                "select * exclude (day) from rows"
                " qualify row_number() over (partition by shop order by day desc) = 1 order by id"
            )
        ],
        "t>s",
        "s",
        [{"id": 2, "shop": "a", "amount": 7}, {"id": 3, "shop": "b", "amount": 9}],
        SALES,
        DATED,
    ),
    Case(
        "sql_that_joins_its_input_with_itself",
        [sql("select a.n, b.n as next from rows a left join rows b on b.n = a.n + 1 order by a.n")],
        "t>s",
        "s",
        [{"n": 1, "next": 2}, {"n": 2, "next": 3}, {"n": 3, "next": None}],
        NUMBERS,
    ),
    Case(
        "sql_over_values_beside_its_input",
        [sql("select n, word from rows join (values (1, 'one'), (3, 'three')) as v(k, word) on k = n order by n;")],
        "t>s",
        "s",
        [{"n": 1, "word": "one"}, {"n": 3, "word": "three"}],
        NUMBERS,
    ),
    Case(
        "sql_with_a_cte_of_the_name_of_a_column",
        [sql("with n as (select max(n) as n from rows) select rows.n from rows, n where rows.n = n.n")],
        "t>s",
        "s",
        [{"n": 3}],
        NUMBERS,
    ),
    Case(
        "a_filter_by_a_date_literal",
        [
            node("f", "filter", where="day >= date '2026-01-31' and day < '2026-02-01'"),
            node("k", "select", columns=["id"]),
        ],
        "t>f f>k",
        "k",
        [{"id": 2}],
        SALES,
        DATED,
    ),
    Case(
        "a_condition_over_lines_with_case_when",
        [
            node("f", "filter", where="case\n  when shop = 'a' then amount > 6\n  else amount between 8 and 10\nend"),
            node("k", "select", columns=["id"]),
        ],
        "t>f f>k",
        "k",
        [{"id": 2}, {"id": 3}],
        SALES,
        DATED,
    ),
]

PARAMS = {
    "text": {"type": "string", "default": 'it\'s; drop table "rows" --'},
    "whole": {"type": "integer", "default": 2},
    "number": {"type": "number", "default": 1.5},
    "flag": {"type": "boolean", "default": True},
    "day": {"type": "string", "format": "date", "default": "2026-01-31"},
    "time": {"type": "string", "format": "date-time", "default": "2026-01-31T10:00:00Z"},
    "list": {"type": "array", "items": {"type": "integer"}, "default": [1, 3]},
    "none": {"type": ["integer", "null"], "default": None},
    "object": {"type": "object", "default": {"a": {"b": [7, 8]}}},
    "empty": {"type": "array", "items": {"type": "string"}, "default": []},
    "items": {"type": "string", "default": "an item"},
}


def formula(text: str, expected: Any, name: str, **more: Any) -> Case:
    return Case(
        name,
        [node("d", "derive", columns={"x": text})],
        "t>d",
        "d",
        [{"n": 1, "x": expected}],
        {"t": [{"n": 1}]},
        more={"params": PARAMS},
        **more,
    )


def condition(text: str, expected: list[int], name: str) -> Case:
    return Case(
        name,
        [node("f", "filter", where=text)],
        "t>f",
        "f",
        [{"n": n} for n in expected],
        NUMBERS,
        more={"params": PARAMS},
    )


EXPRESSIONS = [
    formula("{{ params.text }} || '!'", 'it\'s; drop table "rows" --!', "a_text_with_quotes_in_sql"),
    formula("n + {{ params.number }}", 2.5, "a_number_in_sql"),
    formula("{{ params.flag }} and n = 1", True, "a_truth_in_sql"),
    formula(
        "{{ params.day }} - interval {{ params.whole }} day", "2026-01-29T00:00:00", "a_date_and_an_interval_in_sql"
    ),
    formula("hour({{ params.time }})", 10, "a_time_in_sql"),
    formula("coalesce({{ params.none }}, -1)", -1, "a_null_in_sql"),
    formula("{{ params.object.a.b[1] }} + n", 9, "a_part_of_an_object_in_sql"),
    formula("{{ params.items }} || '!'", "an item!", "a_param_named_as_a_method"),
    formula("{{ params.whole }} * 2", 82, "a_given_param", given={"whole": "41"}),
    condition("n in {{ params.list }}", [1, 3], "a_list_in_sql"),
    condition("cast(n as varchar) in {{ params.empty }}", [], "an_empty_list_in_sql"),
    condition("{{ params.none }} is null or n > {{ params.none }}", [1, 2, 3], "a_null_that_switches_a_condition_off"),
    Case(
        "expressions_of_each_type_in_a_config",
        [
            node(
                "v",
                "set",
                value={
                    "{{ params.day }}": "{{ params.day.strftime('%d.%m.%Y') }}",
                    "whole": "{{ params.whole }}",
                    "text": "{{ params.whole }} of {{ params.list }}",
                    "flag": "{{ params.flag }}",
                    "none": "{{ params.none }}",
                    "list": ["{{ params.list }}", {"deep": "{{ params.object.a }}"}],
                    "chosen": "{{ 'yes' if params.flag else 'no' }}",
                    "raw": "{% raw %}{{ name }}{% endraw %}",
                },
            ),
        ],
        "",
        "v",
        {
            "{{ params.day }}": "31.01.2026",
            "whole": 2,
            "text": "2 of [1, 3]",
            "flag": True,
            "none": None,
            "list": [[1, 3], {"deep": {"b": [7, 8]}}],
            "chosen": "yes",
            "raw": "{{ name }}",
        },
        more={"params": PARAMS},
    ),
    Case(
        "an_expression_in_a_limit",
        [node("l", "limit", rows="{{ params.whole }}", offset="{{ params.list[0] }}")],
        "t>l",
        "l",
        [{"n": 2}, {"n": 3}],
        NUMBERS,
        more={"params": PARAMS},
    ),
    Case(
        "a_condition_on_an_earlier_count",
        [node("f", "filter", where="n = {{ nodes.t.rows.rows }}")],
        "t>f",
        "f",
        [{"n": 3}],
        NUMBERS,
    ),
]

JOINS = [
    Case(
        "all_columns_of_the_same_names",
        [node("j", "join", on=["id"], suffixes=["", "_new"])],
        "t>j.left u>j.right",
        "j",
        [{"id": 1, "a": "x", "b": 1, "a_new": "y", "b_new": 2}],
        {"t": [{"id": 1, "a": "x", "b": 1}], "u": [{"id": 1, "a": "y", "b": 2}]},
    ),
    Case(
        "keys_with_different_names_and_one_shared",
        [node("j", "join", on=["day", ["customer", "ID"]])],
        "t>j.left u>j.right",
        "j",
        [{"day": 1, "customer": 7, "ID": 7, "name": "Ada"}],
        {
            "t": [{"day": 1, "customer": 7}],
            "u": [{"day": 1, "ID": 7, "name": "Ada"}, {"day": 2, "ID": 7, "name": "Bob"}],
        },
    ),
    Case(
        "a_semi_join",
        [node("j", "join", on=[["n", "m"]], how="semi")],
        "t>j.left u>j.right",
        "j",
        [{"n": 2}],
        {**NUMBERS, "u": [{"m": 2}, {"m": 2}]},
    ),
    Case(
        "an_anti_join",
        [node("j", "join", on=[["n", "m"]], how="anti")],
        "t>j.left u>j.right",
        "j",
        [{"n": 1}, {"n": 3}],
        {**NUMBERS, "u": [{"m": 2}]},
    ),
    Case(
        "a_table_joined_with_itself",
        [node("j", "join", on=["n"]), node("o", "sort", by=["n"])],
        "t>j.left t>j.right j>o",
        "o",
        NUMBERS["t"],
        NUMBERS,
    ),
    Case(
        "a_diamond",
        [
            node("low", "filter", where="n < 3"),
            node("high", "filter", where="n > 1"),
            node("j", "join", on=["n"], how="outer"),
            node("o", "sort", by=["n"]),
        ],
        "t>low t>high low>j.left high>j.right j>o",
        "o",
        NUMBERS["t"],
        NUMBERS,
    ),
    Case(
        "two_readers_of_one_node_meet_again_in_one_port",
        [
            node("d", "derive", columns={"m": "n * 2"}),
            node("a", "filter", where="n = 1"),
            node("b", "filter", where="n = 3"),
            node("c", "concat"),
            node("o", "sort", by=["n", "m"]),
        ],
        "t>d d>a d>b a>c b>c c>o",
        "o",
        [{"n": 1, "m": 2}, {"n": 3, "m": 6}],
        NUMBERS,
    ),
    Case(
        "update_rows_with_keys_in_another_order",
        [node("w", "update_rows", keys=["b", "a"]), node("o", "sort", by=["a"])],
        "t>w.rows u>w.updates w>o",
        "o",
        [{"a": 1, "b": 1, "v": "new"}, {"a": 2, "b": 1, "v": "old"}, {"a": 3, "b": 3, "v": "new"}],
        {
            "t": [{"a": 1, "b": 1, "v": "old"}, {"a": 2, "b": 1, "v": "old"}],
            "u": [{"v": "new", "b": 1, "a": 1}, {"v": "new", "b": 3, "a": 3}],
        },
    ),
    Case(
        "a_switch_chain_that_merges",
        [
            node("v", "set", value={"topic": "b", "priority": 9}),
            node(
                "first",
                "switch",
                rules=[{"id": "a", "field": "topic", "operator": "equals", "value": "a"}],
                fallback=True,
            ),
            node(
                "second",
                "switch",
                rules=[{"id": "urgent", "field": "priority", "operator": "gte", "value": 8}],
                fallback=True,
            ),
            node("x", "set", value="of a"),
            node("y", "set", value="urgent {{ nodes.v.value.topic }}"),
            node("z", "set", value="other"),
            node("m", "merge"),
        ],
        "v>first first.a>x first.fallback>second second.urgent>y second.fallback>z x>m y>m z>m",
        "m",
        ["urgent b"],
    ),
    Case(
        "a_split_whose_ports_meet_again",
        [
            node(
                "w",
                "split_rows",
                conditions=[{"name": "large", "where": "n > 2"}, {"name": "medium", "where": "n > 1"}],
            ),
            node("c", "concat"),
            node("o", "sort", by=["n"]),
        ],
        "t>w w.large>c w.other>c c>o",
        "o",
        [{"n": 1}, {"n": 3}],
        NUMBERS,
    ),
]

VALUES = [
    Case(
        "windows_of_a_week_over_dates",
        [
            node(
                "w",
                "window",
                time="day",
                window={"type": "tumbling", "duration": "7d"},
                measures={"n": {"op": "count"}, "sum": {"op": "sum", "column": "amount"}},
            ),
            node("o", "sort", by=["window_start"]),
            node("k", "select", columns=["n", "sum"]),
        ],
        "t>w w>o o>k",
        "k",
        [{"n": 2, "sum": 12}, {"n": 1, "sum": 9}],
        SALES,
        DATED,
    ),
    Case(
        "decimals",
        [node("d", "derive", columns={"gross": "cast(net * 1.19 as decimal(12,2))", "half": "net / 2"})],
        "t>d",
        "d",
        [{"net": 10.1, "gross": 12.02, "half": 5.05}],
        {"t": [{"net": 10.10}]},
        {"t": {"net": "DECIMAL(12,2)"}},
    ),
    Case(
        "times_with_a_zone",
        [
            node("f", "filter", where="at >= timestamptz '2026-01-31 09:00:00+00'"),
            node("p", "date_parts", column="at", parts=["hour", "date"]),
        ],
        "t>f f>p",
        "p",
        [{"at": "2026-01-31T09:30:00+00:00", "at_hour": 9, "at_date": "2026-01-31"}],
        {"t": [{"at": "2026-01-31T10:30:00+01:00"}, {"at": "2026-01-31T10:30:00+02:00"}]},
        {"t": {"at": "TIMESTAMPTZ"}},
    ),
    Case(
        "a_chain_of_casts",
        [
            node("a", "cast", columns={"x": "DOUBLE"}),
            node("b", "cast", columns={"x": "INTEGER"}),
            node("c", "cast", columns={"X": "VARCHAR"}),
            node("d", "derive", columns={"y": "x || '!'"}),
        ],
        "t>a a>b b>c c>d",
        "d",
        [{"x": "7", "y": "7!"}],
        {"t": [{"x": "7.0"}]},
    ),
    Case(
        "a_column_that_is_made_anew_at_each_step",
        [
            node("a", "derive", columns={"n": "n + 1"}),
            node("b", "derive", columns={"n": "cast(n as varchar)"}),
            node("c", "filter", where="n like '3%'"),
        ],
        "t>a a>b b>c",
        "c",
        [{"n": "3"}],
        NUMBERS,
    ),
    Case(
        "nested_structs_and_lists",
        [
            node("d", "derive", columns={"city": "who['address']['city']", "first": "tags[1]", "many": "len(tags)"}),
            node("k", "select", columns=["city", "first", "many"]),
        ],
        "t>d d>k",
        "k",
        [{"city": "Rome", "first": "a", "many": 2}],
        {"t": [{"who": {"address": {"city": "Rome"}}, "tags": ["a", "b"]}]},
    ),
    Case(
        "flatten_a_list_of_structs_twice",
        [
            node("a", "flatten", column="items"),
            node("b", "flatten", column="items", prefix=""),
            node("f", "filter", where="price > 1"),
        ],
        "t>a a>b b>f",
        "f",
        [{"id": 1, "sku": "y", "price": 2.5}],
        {"t": [{"id": 1, "items": [{"sku": "x", "price": 0.5}, {"sku": "y", "price": 2.5}]}]},
    ),
    Case(
        "json_select_beneath_a_key_with_a_space",
        [
            node("j", "json_select", column="body", path='order.items[0]."unit price"', type="DOUBLE", name="price"),
            node("k", "select", drop=["body"]),
        ],
        "t>j j>k",
        "k",
        [{"price": 2.5}],
        {"t": [{"body": '{"order": {"items": [{"unit price": 2.5}]}}'}]},
        {"t": {"body": "VARCHAR"}},
    ),
    Case(
        "validate_rows_that_all_keep_the_rules",
        [
            node(
                "v",
                "validate_rows",
                rules=[
                    {"columns": "n", "must": "unique"},
                    {"columns": ["n"], "must": "between", "value": [1, 3]},
                    {"where": "n > 0"},
                ],
                action="fail",
            ),
            node("g", "aggregate", measures={"bad": {"op": "count"}}),
        ],
        "t>v v.rejects>g",
        "g",
        [{"bad": 0}],
        NUMBERS,
    ),
    Case(
        "pivot_with_declared_values_that_are_used_later",
        [
            node("p", "pivot", index=["shop"], column="year", value="n", values=[2025, 2026], prefix="y"),
            node("d", "derive", columns={"more": "y2026 - y2025"}),
        ],
        "t>p p>d",
        "d",
        [{"shop": "a", "y2025": 1, "y2026": 4, "more": 3}],
        {
            "t": [
                {"shop": "a", "year": 2025, "n": 1},
                {"shop": "a", "year": 2026, "n": 4},
                {"shop": "a", "year": 2024, "n": 9},
            ]
        },
    ),
    Case(
        "unpivot_what_was_pivoted",
        [
            node("p", "pivot", index=["shop"], column="kind", value="n", values=["a b", "c"]),
            node("u", "unpivot", keys=["shop"], drop_nulls=True),
        ],
        "t>p p>u",
        "u",
        [{"shop": "x", "variable": "a b", "value": 1}],
        {"t": [{"shop": "x", "kind": "a b", "n": 1}]},
    ),
    Case(
        "an_asof_join_of_dates",
        [
            node("j", "asof_join", left_time="day", right_time="since", tolerance="1d"),
            node("k", "select", columns=["id", "price"]),
            node("o", "sort", by=["id"]),
        ],
        "t>j.left u>j.right j>k k>o",
        "o",
        [{"id": 1, "price": 3}, {"id": 2, "price": 3}, {"id": 3, "price": None}],
        {**SALES, "u": [{"since": "2026-01-30", "price": 3}]},
        {**DATED, "u": {"since": "DATE", "price": "INTEGER"}},
    ),
]

FILES = [
    Case(
        "csv_with_a_mark_of_its_order_of_bytes",
        [node("t", "csv_read", path="t.csv"), node("f", "filter", where="id > 1")],
        "t>f",
        "f",
        [{"id": 2, "name": "Zoë"}],
        files={"t.csv": "\ufeffid,name\n1,Ada\n2,Zoë\n".encode()},
    ),
    Case(
        "csv_with_semicolons_and_commas_in_numbers",
        [
            node("t", "csv_read", path="t.csv", delimiter=";", decimal=",", columns={"x": "DOUBLE"}),
            node("f", "filter", where="x > 1"),
        ],
        "t>f",
        "f",
        [{"id": 1, "x": 1.5}],
        files={"t.csv": "id;x\n1;1,5\n2;0,5\n"},
    ),
    Case(
        "csv_without_a_header",
        [
            node("t", "csv_read", path="t.csv", header=False, columns={"id": "INTEGER", "day": "DATE"}),
            node("f", "filter", where="day > '2026-01-30'"),
        ],
        "t>f",
        "f",
        [{"id": 2, "day": "2026-01-31"}],
        files={"t.csv": "1,2026-01-30\n2,2026-01-31\n"},
    ),
    Case(
        "csv_of_one_line_that_names_columns",
        [
            node("t", "csv_read", path="t.csv", header=True, columns={"id": "INTEGER", "name": "VARCHAR"}),
            node("f", "filter", where="id > 1"),
        ],
        "t>f",
        "f",
        [],
        files={"t.csv": "id,name\n"},
    ),
    Case(
        "a_glob_over_files_whose_columns_differ",
        [node("t", "csv_read", path="part-*.csv"), node("o", "sort", by=["id"])],
        "t>o",
        "o",
        [{"id": 1, "a": "x", "b": None}, {"id": 2, "a": None, "b": "y"}],
        files={"part-1.csv": "id,a\n1,x\n", "part-2.csv": "b,id\ny,2\n"},
    ),
    Case(
        "a_path_with_a_space_and_an_expression",
        [node("t", "text_read", path="my {{ params.what }}.txt"), node("k", "select", columns=["text"])],
        "t>k",
        "k",
        [{"text": "one"}, {"text": "two"}],
        files={"my notes.txt": "one\ntwo\n"},
        more={"params": {"what": {"type": "string", "default": "notes"}}},
    ),
    Case(
        "all_that_is_said_beside_the_nodes",
        [
            {
                **node("f", "filter", where="n = 2"),
                "name": "Ünï",
                "description": "# A *title*\n\n| a |\n|---|\n",
                "ui": {"x": -1.5, "y": 1e3},
            }
        ],
        "t>f",
        "f",
        [{"n": 2}],
        NUMBERS,
        more={
            "name": "Größe & Maß <b>",
            "description": "## What\n\n```sql\nselect '{{ x }}'\n```\n",
            "tags": ["ä b", "daily"],
            "schedule": {"cron": "@daily", "timezone": "America/Argentina/Buenos_Aires"},
            "settings": {"retries": 2, "retry_delay": "1d", "grouping": "none"},
        },
    ),
    Case(
        "an_edge_that_names_every_port",
        [node("f", "filter", where="n = 2")],
        "t.rows>f.rows",
        "f.rows",
        [{"n": 2}],
        NUMBERS,
    ),
    Case("a_node_alone_without_edges", [node("v", "set", value=[])], "", "v", []),
    Case(
        "a_failure_that_would_be_handled",
        [
            node("f", "filter", where="n = 2"),
            node("a", "set", value="{{ nodes.f.error.message }}"),
            node("l", "limit", rows=1),
        ],
        "t>f f.error>a f>l",
        "l",
        [{"n": 2}],
        NUMBERS,
    ),
]

CASES = [*NAMES, *TABLES, *QUERIES, *EXPRESSIONS, *JOINS, *VALUES, *FILES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_odd_document_is_right(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    case.write(folder)
    settings = Configuration(root=folder, paths=[str(folder)], data=str(tmp_path / "data"))
    trial = try_document(case.document(), settings, params=case.given, sample=1000)
    assert [str(problem) for problem in trial.problems] == []
    assert trial.ok, [report["error"] for report in trial.nodes.values()]
    identifier, _, port = case.shown.partition(".")
    output = trial.nodes[identifier]["outputs"]
    found = output[port or next(iter(output))]
    assert found.get("sample", found.get("value")) == case.expected
