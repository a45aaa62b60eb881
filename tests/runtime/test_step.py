"""One step: states, errors, statistics, references, conversions."""

from __future__ import annotations

import json
import logging
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.runtime.conftest import NODES, node, rows_of

from airloom.nodes.control.merge import Merge
from airloom.nodes.control.switch import Switch
from airloom.nodes.modules import MissingModule
from airloom.nodes.sdk import Fired
from airloom.runtime.redactor import Redactor
from airloom.runtime.results import NodeResult, error_json
from airloom.runtime.values import converted
from airloom.spec.error import DataError

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop

READINGS = "sensor,value\na,7\nb,12\na,seven\n"
CHAIN = (
    node("readings", "csv_read", path="readings.csv"),
    node("named", "rename", mapping={"sensor": "name"}),
    node("typed", "cast", columns={"value": "INTEGER"}),
    node("mean", "aggregate", by=["name"], measures={"mean": {"op": "avg", "column": "value"}}),
    node("write", "csv_write", path="out.csv"),
)
CHAIN_EDGES = "readings>named named>typed typed>mean mean>write"


def states(results: Mapping[str, NodeResult]) -> dict[str, str]:
    return {name: " ".join([found.state, *found.fired]) for name, found in results.items()}


# A group


def test_a_group_that_fails_names_the_node(workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    workshop.file("readings.csv", READINGS)
    run = workshop.begin(*CHAIN, edges=CHAIN_EDGES)
    assert [step.id for step in run.plan.steps] == ["readings-write"]
    with caplog.at_level(logging.INFO):
        found = run.all()
    assert states(found) == {
        "readings": "success rows",
        "named": "success rows",
        "typed": "failed",
        "mean": "not_run",
        "write": "not_run",
    }
    error = found["typed"].error
    assert error is not None
    assert (error["node"], error["code"], error["failure"], error["trace"]) == ("typed", "data", "data", None)
    assert error["message"].startswith("value: 'seven' is no")
    assert "one by one to name the one at fault" in caplog.text
    assert not (workshop.folder / "out.csv").exists()


def test_a_group_that_fails_ends_as_single_nodes_do(workshop: Workshop) -> None:
    workshop.file("readings.csv", READINGS)
    together = workshop.run(*CHAIN, edges=CHAIN_EDGES)
    single = workshop.run(*CHAIN, edges=CHAIN_EDGES, grouping="none")
    assert states(together) == states(single)
    assert together["typed"].error == single["typed"].error
    # Run node by node, the good ones leave what they made: it shows how far the data were right.
    assert rows_of(together["named"]) == rows_of(single["named"])


def test_a_group_keeps_what_leaves_it_and_nothing_else(workshop: Workshop) -> None:
    workshop.file("readings.csv", READINGS.replace("seven", "1"))
    found = workshop.run(*CHAIN, edges=CHAIN_EDGES)
    assert {name: result.outputs.keys() for name, result in found.items()} == {
        "readings": set(),
        "named": set(),
        "typed": set(),
        "mean": set(),
        "write": {"done"},
    }
    assert found["write"].outputs["done"]["value"] == {"rows": 2, "target": str(workshop.folder / "out.csv")}
    assert sorted((workshop.folder / "out.csv").read_text().splitlines()) == ["a,4.0", "b,12.0", "name,mean"]
    # Nothing but the result is left beside it.
    assert sorted(path.name for path in workshop.folder.iterdir()) == ["out.csv", "readings.csv"]


def test_a_group_leaves_out_what_lies_on_a_way_that_was_not_taken(workshop: Workshop) -> None:
    workshop.rows("rows.jsonl", [{"n": n} for n in range(5)])
    rules = [{"id": "few", "field": "rows", "operator": "lt", "value": 9}]
    run = workshop.begin(
        node("read", "jsonl_read", path="rows.jsonl"), node("route", "switch", rules=rules, fallback=True),
        node("small", "filter", where="n < 2"), node("large", "filter", where="n > 2"), node("all", "concat"),
        edges="read>route route.few>small route.fallback>large small>all large>all",
    )  # fmt: skip
    assert run.plan.steps[-1].nodes == ("small", "large", "all")
    found = run.all()
    assert states(found) == {
        "read": "success rows",
        "route": "success few",
        "small": "success rows",
        "large": "skipped",
        "all": "success rows",
    }
    # Still one query: the inner node has left no file.
    assert found["small"].outputs == {}
    assert rows_of(found["all"]) == [{"n": 0}, {"n": 1}]


def test_a_failed_sink_leaves_the_old_file(workshop: Workshop) -> None:
    workshop.file("readings.csv", READINGS)
    workshop.file("out.csv", "what was there")
    workshop.run(*CHAIN, edges=CHAIN_EDGES)
    assert (workshop.folder / "out.csv").read_text() == "what was there"
    assert sorted(path.name for path in workshop.folder.iterdir()) == ["out.csv", "readings.csv"]


# Errors


def test_an_error_is_kept_as_json_with_place_and_hint(workshop: Workshop) -> None:
    workshop.file("readings.csv", READINGS)
    run = workshop.begin(node("readings", "csv_read", path="readings.csv"))
    (workshop.folder / "readings.csv").unlink()
    error = run.step("readings")["readings"].error
    assert error == {
        "code": "path.missing",
        "message": "there is no file 'readings.csv'",
        "failure": "configuration",
        "node": "readings",
        "field": "path",
        "hint": f"looked at {workshop.folder / 'readings.csv'}",
        "trace": None,
    }


def test_a_fault_in_code_keeps_its_trace_from_those_who_read_the_error(workshop: Workshop) -> None:
    found = workshop.run(
        node("bad", "broken"), node("after", "set", value="{{ nodes.bad.error }}"), edges="bad.error>after"
    )
    error = found["bad"].error
    assert error is not None
    code = (NODES / "conformance.py").read_text(encoding="utf-8").splitlines()
    line = code.index("        return [][1]") + 1
    message = f"IndexError: list index out of range (conformance.py, line {line}: return [][1])"
    assert (error["code"], error["message"]) == ("node.fault", message)
    assert "conformance.py" in error["trace"]
    assert found["after"].outputs["value"]["value"] == {
        "code": "node.fault",
        "message": message,
        "failure": "system",
        "node": "bad",
        "field": None,
        "hint": None,
        "trace": None,
    }


@pytest.mark.parametrize(("kind", "waits"), [("unreachable", True), ("broken", True), ("set", False)])
def test_only_faults_that_may_pass_wait_for_the_last_attempt(workshop: Workshop, kind: str, waits: bool) -> None:
    config = {"value": "{{ trigger.missing }}"} if kind == "set" else {}
    run = workshop.begin(node("bad", kind, **config), node("alert", "set", value=1), edges="bad.error>alert")
    run.attempt(1, last=False)
    assert run.step("bad")["bad"].fired == ([] if waits else ["error"])
    run.attempt(2, last=True)
    assert run.step("bad")["bad"].fired == ["error"]


def test_an_undefined_expression_names_node_and_field(workshop: Workshop) -> None:
    found = workshop.run(
        node("start", "set", value={"a": 1}), node("bad", "set", value={"deep": ["{{ nodes.start.value.b }}"]}),
        edges="start>bad",
    )  # fmt: skip
    error = found["bad"].error
    assert error is not None
    assert (error["code"], error["node"], error["field"]) == ("expression", "bad", "/value/deep/0")
    assert "'b'" in error["message"]


def test_a_value_that_does_not_fit_its_field_is_named_with_it(workshop: Workshop) -> None:
    found = workshop.run(
        node("start", "set", value={"count": "many"}), node("bad", "numbers", count="{{ nodes.start.value.count }}"),
        edges="start>bad",
    )  # fmt: skip
    error = found["bad"].error
    assert error is not None
    assert (error["code"], error["field"]) == ("configuration", "count")
    assert "a whole number is needed here" in error["message"]


def test_a_node_that_chooses_a_port_it_lacks_fails(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Switch, value: Any) -> Fired:
        return Fired("nowhere")

    monkeypatch.setattr(Switch, "run", run)
    rules = [{"id": "one", "operator": "equals", "value": 1}]
    found = workshop.run(node("start", "set", value=1), node("route", "switch", rules=rules), edges="start>route")
    assert found["route"].state == "failed"
    assert "'nowhere'" in (found["route"].error or {})["message"]


# Statistics and what people see


def test_statistics_are_kept_by_node_and_port(workshop: Workshop) -> None:
    workshop.rows("rows.jsonl", [{"n": n} for n in range(5)])
    nodes = (
        node("read", "jsonl_read", path="rows.jsonl"),
        node("split", "split_rows", conditions=[{"name": "small", "where": "n < 2"}]),
        node("write", "jsonl_write", path="out.jsonl"),
        node("count", "set", value="{{ nodes.split.small.rows }}"),
    )
    edges = "read>split split.small>write split.other>count"
    together = workshop.run(*nodes, edges=edges)
    assert together["read"].statistics["rows"] == {"rows": 5}
    assert [file["uri"] for file in together["read"].statistics["read"]] == [str(workshop.folder / "rows.jsonl")]
    assert together["split"].statistics["rows"] == {"small": 2, "other": 3}
    assert together["write"].statistics["rows"] == {"done": 2}
    assert together["count"].outputs["value"]["value"] == 2
    single = workshop.run(*nodes, edges=edges, grouping="none")
    assert single["split"].statistics["rows"] == {"small": 2, "other": 3}
    timed = [together["split"], together["write"], *single.values()]
    assert all(result.statistics["seconds"] >= 0 for result in timed)


def test_the_rendered_config_is_kept_for_people_with_the_values_of_sql_behind_it(workshop: Workshop) -> None:
    workshop.rows("rows.jsonl", [{"n": n} for n in range(5)])
    run = workshop.begin(
        node("read", "jsonl_read", path="{{ params.path }}"),
        node("small", "filter", where="n < {{ params.limit }}"),
        edges="read>small",
        params={"path": {"type": "string", "default": "rows.jsonl"}, "limit": {"type": "integer", "default": 2}},
    )
    run.surroundings.params = {"path": "rows.jsonl", "limit": 2}
    found = run.all()
    assert found["read"].rendered == {"path": "rows.jsonl"}
    assert found["small"].rendered == {"where": "n < 2"}
    assert len(rows_of(found["small"])) == 2


# References


def test_a_table_that_clean_up_removed_says_from_where_to_clear(workshop: Workshop) -> None:
    workshop.rows("rows.jsonl", [{"n": 1}])
    run = workshop.begin(
        node("read", "jsonl_read", path="rows.jsonl"), node("kept", "filter", where="n > 0"),
        node("again", "filter", where="n > 0"), edges="read>kept kept>again", grouping="none",
    )  # fmt: skip
    run.step("read")
    run.step("kept")
    shutil.rmtree(str(workshop.settings.data))
    error = run.step("again")["again"].error
    assert error is not None
    assert error["message"].startswith("the output of node 'kept' is gone: ")
    assert error["hint"] == "clean-up has removed it; clear the run from node 'kept' on"
    assert (error["node"], error["failure"]) == ("again", "data")


def test_a_value_that_clean_up_removed_says_from_where_to_clear(workshop: Workshop) -> None:
    run = workshop.begin(
        node("large", "set", value=["x" * 40_000]), node("next", "pair"), edges="large>next.left", grouping="none"
    )  # fmt: skip
    assert run.step("large")["large"].outputs["value"].keys() == {"kind", "uri", "bytes"}
    assert run.step("next")["next"].state == "success"
    shutil.rmtree(str(workshop.settings.data))
    error = run.step("next")["next"].error
    assert error is not None
    assert "clear the run from node 'large' on" in error["hint"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_changed_since_it_was_scanned_is_named(workshop: Workshop, gone: bool) -> None:
    place = workshop.folder / "rows.parquet"
    duckdb.connect().sql("SELECT 1 AS n").write_parquet(str(place))
    run = workshop.begin(
        node("read", "parquet_read", path="rows.parquet"), node("kept", "filter", where="n > 0"), edges="read>kept",
        grouping="none",
    )  # fmt: skip
    run.step("read")
    if gone:
        place.unlink()
    else:
        duckdb.connect().sql("SELECT 1 AS n UNION ALL SELECT 2").write_parquet(str(place))
    error = run.step("kept")["kept"].error
    assert error is not None
    assert f"the file {place} {'is gone' if gone else 'has changed'} since" in error["message"]
    assert error["hint"] == "run the pipeline again"


def test_each_attempt_writes_a_file_of_its_own(workshop: Workshop) -> None:
    workshop.rows("rows.jsonl", [{"n": 1}])
    run = workshop.begin(
        node("read", "jsonl_read", path="rows.jsonl"), node("kept", "filter", where="n > 0"), edges="read>kept",
        grouping="none",
    )  # fmt: skip
    run.step("read")
    uris = []
    for number in (1, 2):
        run.attempt(number, last=True)
        uris.append(run.step("kept")["kept"].outputs["rows"]["uri"])
    folder = Path(str(workshop.settings.data)) / "made" / "run%201" / "kept" / "-"
    assert uris == [str(folder / "rows-1.parquet"), str(folder / "rows-2.parquet")]
    assert sorted(path.name for path in folder.iterdir()) == ["rows-1.parquet", "rows-2.parquet"]


# Conversions


def test_a_list_of_objects_becomes_a_table_and_back(workshop: Workshop) -> None:
    found = workshop.run(
        node("numbers", "numbers", count=4), node("even", "filter", where="even"), node("items", "tally"),
        edges="numbers>even even>items",
    )  # fmt: skip
    assert rows_of(found["even"]) == [{"n": 0, "even": True}, {"n": 2, "even": True}]
    assert found["items"].outputs["value"]["value"] == {"items": 2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([{"n": 1}, {"n": "two"}], "start.value is not a table: its field 'n' holds values of several types"),
        ([{"n": 2**64}], f"start.value is not a table: its field 'n' holds {2**64}, too large a number for a table"),
        (
            [{"n": 2**53 + 1}, {"n": 1.5}],
            f"start.value is not a table: its field 'n' holds {2**53 + 1}, too large a number for a table",
        ),
        ([{"n": 1, "N": 2}], "start.value is not a table: its fields 'n' and 'N' differ in case alone"),
        ([{"n": 1}, {"N": 2}], "start.value is not a table: its fields 'n' and 'N' differ in case alone"),
        ([{"n": [{"a": {"x": 1, "X": 2}}]}], "start.value is not a table: its fields 'x' and 'X' differ in case alone"),
        ([{"n": 1}, 2], "start.value is not a table: its item 2 is a number"),
        ([{}], "start.value is a list of empty objects, which has no columns to make a table of"),
        ([], "start.value is an empty list, which has no columns to make a table of"),
        ({"n": 1}, "start.value carries no table but an object"),
        ("text", "start.value carries no table but a text"),
        (None, "start.value carries no table but null"),
    ],
)
def test_what_is_no_table_is_refused(workshop: Workshop, value: Any, message: str) -> None:
    found = workshop.run(node("start", "set", value=value), node("kept", "filter", where="n > 0"), edges="start>kept")
    error = found["kept"].error
    assert error is not None
    assert error["message"] == message
    assert (error["node"], error["failure"]) == ("kept", "data")
    assert error["hint"]


def test_a_list_of_objects_gives_a_column_for_every_field(workshop: Workshop) -> None:
    value = [{"n": 1, "only": None}, {"n": 2.5, "late": {"a": [1]}}]
    found = workshop.run(node("start", "set", value=value), node("kept", "limit", rows=9), edges="start>kept")
    assert rows_of(found["kept"]) == [
        {"n": 1.0, "only": None, "late": None},
        {"n": 2.5, "only": None, "late": {"a": [1]}},
    ]


def test_a_long_table_is_no_list(workshop: Workshop) -> None:
    workshop.file("long.csv", "n\n" + "\n".join(map(str, range(10_001))))
    found = workshop.run(node("read", "csv_read", path="long.csv"), node("items", "tally"), edges="read>items")
    error = found["items"].error
    assert error is not None
    assert error["message"] == "a table of 10001 rows is too long for a list (at most 10000)"
    assert error["hint"] == "limit it first"


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (1.5, "1.5"), (True, "true"), ({"a": [1]}, '{"a": [1]}'), ([1, "é"], '[1, "é"]'), ("plain", "plain")],
)
def test_values_become_text(value: Any, text: str) -> None:
    assert converted(value, "text") == text


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{{ [1.0e308 * 10] }}", "a number that is infinite or not a number"),
        ("{{ {'a': 1.0e308 * 10 - 1.0e308 * 10} }}", "a number that is infinite or not a number"),
        ("{{ 'half \\ud83d' }}", "half of a character"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_node_and_port(workshop: Workshop, expression: str, message: str) -> None:
    error = workshop.begin(node("made", "set", value=expression)).all()["made"].error
    assert error is not None
    assert (error["failure"], error["node"]) == ("data", "made")
    assert error["message"].startswith("port 'value' carries ")
    assert message in error["message"]


def test_an_error_that_quotes_such_a_text_can_be_kept() -> None:
    assert error_json(ValueError("a\0b \ud83d"), "one", Redactor())["message"] == "ValueError: a\\0b \\ud83d"
    assert error_json(DataError("a\0b"), "one", Redactor())["message"] == "a\\0b"


def test_a_text_with_nul_is_kept(workshop: Workshop) -> None:
    found = workshop.begin(node("made", "set", value=r"{{ 'a\x00b' }}")).all()["made"]
    assert found.outputs["value"]["value"] == "a\0b"


def test_text_becomes_messages() -> None:
    assert converted("hello", "messages") == [{"role": "user", "content": "hello"}]


# What does not run


def test_a_node_runs_with_what_is_live(workshop: Workshop) -> None:
    rules = [{"id": "one", "operator": "equals", "value": 1}, {"id": "two", "operator": "equals", "value": 2}]
    found = workshop.run(
        node("start", "set", value=2), node("route", "switch", rules=rules), node("needs", "pair"),
        node("may", "pair"), node("last", "merge"),
        edges="start>route route.one>needs.left route.two>needs.right route.two>may.left route.one>may.right "
        "needs>last may>last",
    )  # fmt: skip
    assert states(found) == {
        "start": "success value",
        "route": "success two",
        "needs": "skipped",
        "may": "success value",
        "last": "success merged",
    }
    assert found["last"].outputs["merged"]["value"] == [{"left": 2, "right": None}]


def test_an_expression_that_reads_a_port_which_did_not_fire_says_so(workshop: Workshop) -> None:
    rules = [{"id": "one", "operator": "equals", "value": 1}, {"id": "two", "operator": "equals", "value": 2}]
    found = workshop.run(
        node("start", "set", value=2), node("route", "switch", rules=rules),
        node("reads", "set", value="{{ nodes.route.one }}"), edges="start>route route.two>reads",
    )  # fmt: skip
    error = found["reads"].error
    assert error is not None
    assert error["message"] == "nodes.route.one did not fire"
    guarded = "{{ nodes.route.one is defined }}"
    found = workshop.run(
        node("start", "set", value=2), node("route", "switch", rules=rules), node("reads", "set", value=guarded),
        edges="start>route route.two>reads",
    )  # fmt: skip
    assert found["reads"].outputs["value"]["value"] is False


def test_results_are_json(workshop: Workshop) -> None:
    workshop.file("readings.csv", READINGS)
    found = workshop.run(*CHAIN, edges=CHAIN_EDGES)
    for result in found.values():
        for part in (result.outputs, result.error, result.statistics, result.rendered):
            assert json.loads(json.dumps(part)) == part


def test_a_package_that_only_this_machine_lacks_is_named_and_asked_for_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workshop.begin(node("one", "set", value=1), node("two", "merge"), edges="one>two", grouping="none")
    monkeypatch.setattr(Merge, "missing_module", classmethod(lambda cls: MissingModule("paint", "buy it")))
    run.attempt(1, last=False)
    error = run.all()["two"].error
    assert error is not None
    assert error["failure"] == "system"
    assert error["message"] == f"merge needs paint, which is not installed on {socket.gethostname()}"
    assert error["hint"] == "there: buy it"
