"""Previews: on a sample, with pinned outputs and statistics, in a process that can be killed."""

from __future__ import annotations

import json
import os
import select
from typing import Any

import duckdb
import pytest
from tests.runtime.conftest import Workshop, node
from tests.runtime.test_trial import document, states

from airloom.engine.child import QueryTimeout
from airloom.runtime.pinned import read_pins
from airloom.runtime.preview import preview
from airloom.runtime.trial import Trial
from airloom.spec.error import ConfigurationError

Json = dict[str, Any]
TYPES = {
    "int": "-9223372036854775807::BIGINT", "tiny": "200::UTINYINT",
    "decimal": "12345678901234567890.123::DECIMAL(30,3)",
    "double": "'NaN'::DOUBLE", "huge": "1e300", "text": "'a \"b\" ä\n'", "number_as_text": "'007'", "truth": "true",
    "day": "DATE '0001-01-02'", "time": "TIME '12:00:01.000001'", "stamp": "TIMESTAMP '2026-01-31 12:00:00.123456'",
    "zoned": "TIMESTAMPTZ '2026-01-31 12:00:00+02'", "id": "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID",
    "bytes": "'\\x00\\xFFa'::BLOB", "list": "[1, NULL, 3]", "struct": "{'a': 1.5, 'b c': 'x'}",
    "nested": "[{'day': DATE '2026-01-31', 'tags': ['x']}]", "json": "'{\"a\": [1]}'::JSON",
}  # fmt: skip


WRONG = {"kind": "table", "sample": [{"id": "x"}]}


def orders(workshop: Workshop, rows: int = 50) -> Json:
    """Return a document that reads orders, keeps some, counts them, and writes."""
    workshop.rows("orders.jsonl", [{"id": number, "desk": "ab"[number % 2]} for number in range(rows)])
    return document(
        node("orders", "jsonl_read", path="orders.jsonl", columns={"id": "INTEGER", "desk": "VARCHAR"}),
        node("late", "filter", where="id >= 5"),
        node("by_desk", "aggregate", by=["desk"], measures={"orders": {"op": "count"}}),
        node("ordered", "sort", by=["desk"]),
        node("save", "csv_write", path="out.csv"),
        edges="orders>late late>by_desk by_desk>ordered ordered>save",
    )


def rows_of(trial: Trial, name: str) -> list[Json]:
    found: list[Json] = trial.nodes[name]["outputs"]["rows"]["sample"]
    return found


def test_it_stops_at_the_node_and_takes_a_sample_of_each_source(workshop: Workshop) -> None:
    trial = preview(orders(workshop), "ordered", workshop.settings, rows=10)
    assert states(trial) == {
        "orders": "success rows",
        "late": "success rows",
        "by_desk": "success rows",
        "ordered": "success rows",
        "save": "not_run",
    }
    assert trial.nodes["orders"]["outputs"]["rows"]["rows"] == 10
    assert rows_of(trial, "ordered") == [{"desk": "a", "orders": 2}, {"desk": "b", "orders": 3}]


def test_a_node_that_writes_is_not_run(workshop: Workshop) -> None:
    trial = preview(orders(workshop), "save", workshop.settings)
    assert trial.held_back == ["save"]
    assert states(trial)["save"] == "not_run"
    assert not (workshop.folder / "out.csv").exists()


def test_what_is_pinned_is_not_run_and_what_only_it_needs_neither(workshop: Workshop) -> None:
    data = orders(workshop)
    pin = preview(data, "late", workshop.settings, rows=7).nodes["late"]["outputs"]
    pin["rows"]["sample"].append({"id": 100, "desk": "c"})
    (workshop.folder / "orders.jsonl").write_text("")
    trial = preview(data, "ordered", workshop.settings, pinned=read_pins({"late": json.loads(json.dumps(pin))}))
    assert states(trial)["orders"] == "not_run"
    assert rows_of(trial, "late") == [{"id": 5, "desk": "b"}, {"id": 6, "desk": "a"}, {"id": 100, "desk": "c"}]
    assert [row["orders"] for row in rows_of(trial, "ordered")] == [1, 1, 1]


def test_a_pin_gives_back_every_type(workshop: Workshop) -> None:
    path = workshop.folder / "types.parquet"
    select = ", ".join(f'{value} AS "{name}"' for name, value in TYPES.items())
    nulls = ", ".join(f'NULL AS "{name}"' for name in TYPES)
    duckdb.connect().sql(f"SELECT {select} UNION ALL SELECT {nulls}").write_parquet(str(path))
    data = document(
        node("types", "parquet_read", path="types.parquet"), node("same", "limit", rows=9), edges="types>same"
    )
    first = preview(data, "same", workshop.settings)
    assert first.ok, first.to_json()
    pins = read_pins(json.loads(json.dumps(first.to_json())))
    again = preview(data, "same", workshop.settings, pinned={"types": pins["types"]})
    assert again.ok, again.to_json()
    assert again.nodes["same"]["outputs"] == first.nodes["same"]["outputs"]


def test_a_pinned_value_is_read_by_expressions(workshop: Workshop) -> None:
    data = document(node("one", "set", value=1), node("two", "set", value="{{ nodes.one.value + 1 }}"), edges="one>two")
    trial = preview(
        data, "two", workshop.settings, pinned=read_pins({"one": {"value": {"kind": "number", "value": 41}}})
    )
    assert trial.nodes["two"]["outputs"]["value"]["value"] == 42


@pytest.mark.parametrize(
    ("pinned", "message", "hint"),
    [
        ({"lat": {}}, "a node 'lat', which is not there", "did you mean 'late'?"),
        ({"late": {"row": {"kind": "text", "value": ""}}}, "port 'row', which is not there", "did you mean 'rows'?"),
        (
            {"late": {"rows": {**WRONG, "columns": [{"name": "id", "type": "INTEGER"}]}}},
            "the rows are not a table of these columns: Could not convert string 'x' to INT32",
            None,
        ),
        ({"late": {"rows": {**WRONG, "columns": [{"name": "id", "type": "NUMBRE"}]}}}, "no type 'NUMBRE'", None),
    ],
)  # fmt: skip
def test_a_wrong_pin_is_named(workshop: Workshop, pinned: Any, message: str, hint: str | None) -> None:
    trial = preview(orders(workshop), "ordered", workshop.settings, pinned=read_pins(pinned))
    assert not trial.ok
    assert message in trial.problems[0].message
    assert trial.problems[0].hint == hint
    assert trial.nodes == {}


@pytest.mark.parametrize("data", [[], {"late": 1}, {"late": {"rows": {"kind": "table", "sample": []}}}, None])
def test_what_is_no_pin_is_refused(data: Any) -> None:
    with pytest.raises(ConfigurationError, match="these are not outputs of nodes"):
        read_pins(data)


def test_columns_have_statistics(workshop: Workshop) -> None:
    workshop.file("odd.csv", "n,t,d\n1,x,2026-01-31\n3,,2026-02-01\n,x,\n")
    data = document(node("odd", "csv_read", path="odd.csv"))
    found = preview(data, "odd", workshop.settings).nodes["odd"]["outputs"]["rows"]["statistics"]
    assert found == {
        "n": {"nulls": 1, "distinct": 2, "minimum": 1, "maximum": 3, "mean": 2.0},
        "t": {"nulls": 1, "distinct": 1, "minimum": "x", "maximum": "x"},
        "d": {"nulls": 1, "distinct": 2, "minimum": "2026-01-31", "maximum": "2026-02-01"},
    }


def test_every_type_has_statistics(workshop: Workshop) -> None:
    select = ", ".join(f'{value} AS "{name}"' for name, value in TYPES.items())
    duckdb.connect().sql(f"SELECT {select}").write_parquet(str(workshop.folder / "types.parquet"))
    data = document(node("types", "parquet_read", path="types.parquet"))
    found = preview(data, "types", workshop.settings).nodes["types"]["outputs"]["rows"]["statistics"]
    assert [values["nulls"] for values in found.values()] == [0] * len(TYPES)
    assert found["double"]["mean"] is None
    assert found["decimal"]["mean"] == pytest.approx(12345678901234567890.123)


def test_what_takes_too_long_is_killed_with_all_that_it_started(workshop: Workshop) -> None:
    data = orders(workshop, rows=2000)
    sql = "SELECT count(*) AS n FROM rows a, rows b, rows c, rows d WHERE (a.id * b.id + c.id * d.id) % 7 = 3"
    data["nodes"].append(node("endless", "sql", sql=sql))
    data["edges"].append({"from": "orders", "to": "endless"})
    # Every fork has this end of it: it ends when the last of them does.
    ours, theirs = os.pipe()
    with pytest.raises(QueryTimeout):
        preview(data, "endless", workshop.settings, timeout=4)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        assert select.select([pipe], [], [], 20)[0], "a process is left"
        assert pipe.read() == b""
