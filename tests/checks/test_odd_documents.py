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

CASES = [*NAMES, *TABLES]


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
