"""What people write out of a habit of other tools: the one problem says what to write here."""

from __future__ import annotations

import copy
import re

import pytest
from tests.checks.test_check import FACTS, node
from tests.checks.test_mistakes import (
    PIPELINE,
    Change,
    added,
    both,
    config,
    edge,
    entry,
    formula,
    measure,
    param,
    part,
    query,
    where,
    without,
)

from airloom.checks.check import check
from airloom.spec.text import read_text

HABITS: dict[str, tuple[Change, str, str, str]] = {
    # Schedules
    "a day of cron with a slip": (
        part("schedule", cron="0 2 * * MON-FRY"), "/schedule/cron", "'FRY' is not a day of the week (0–7, mon…sun)", "",
    ),
    "an hour of cron": (part("schedule", cron="0 25 * * *"), "/schedule/cron", "'25' is not an hour (0–23)", ""),
    "a minute of cron": (part("schedule", cron="61 * * * *"), "/schedule/cron", "'61' is not a minute (0–59)", ""),
    "a schedule as a text": (
        lambda document: document.update(schedule="0 2 * * *"), "/schedule", "an object is needed here, not a text",
        'write {"cron": "0 2 * * *"}',
    ),
    "an interval as a text": (
        lambda document: document.update(schedule="1h"), "/schedule", "an object is needed here",
        'write {"every": "1h"}',
    ),
    "a day as in Europe": (
        part("schedule", start="01.02.2026"), "/schedule/start", "'01.02.2026' is not a time",
        "write 2026-02-01 or 2026-02-01T06:00:00",
    ),
    "a duration in words": (part("settings", timeout="3 hours"), "/settings/timeout", "a duration", "did you mean 3h?"),
    "a duration in seconds": (
        part("settings", retry_delay=30), "/settings/retry_delay", "a duration", "did you mean 30s?",
    ),
    # Params
    "a value for a param": (
        lambda document: document["params"].update(label=8), "/params/label",
        "an object is needed here, not a number", 'write {"type": "integer", "default": 8}',
    ),
    "a day for a type": (
        param("label", type="date", default=""), "/params/label/type", "'date' is not a type of JSON Schema",
        'write {"type": "string", "format": "date"}',
    ),
    "a type of Python": (
        param("label", type="str", default=""), "/params/label/type", "'str' is not a type", "did you mean 'string'?",
    ),
    # Forms of a config
    "one column for a list": (
        config("total", by="name, month"), "/nodes/6/config/by", "a list is needed here, not a text",
        'write ["name", "month"]',
    ),
    "a measure as a formula": (
        config("total", measures={"sum": "avg(gross)"}), "/nodes/6/config/measures/sum", "an object is needed here",
        'write {"op": "avg", "column": "gross"}',
    ),
    "keys as an object": (
        config("named", on={"customer": "id"}), "/nodes/4/config/on", "a list is needed here, not an object",
        'write [["customer", "id"]]',
    ),
    "a direction in SQL": (
        config("ranked", by=["name", {"column": "sum", "order": "desc"}]), "/nodes/7/config/by/1/order",
        "no field 'order'",
        "did you mean 'descending: true'?",
    ),
    "a separator": (config("orders", sep=","), "/nodes/0/config/sep", "no field 'sep'", "did you mean 'delimiter'?"),
    "a file": (
        both(without("save", "path"), config("save", filename="output/x.csv")), "/nodes/8/config/filename",
        "no field 'filename'", "did you mean 'path'?",
    ),
    "a group": (
        both(without("total", "by"), config("total", groupby=["name", "month"])), "/nodes/6/config/groupby",
        "no field 'groupby'", "did you mean 'by'?",
    ),
    "the length of a window": (
        config("weeks", window={"type": "tumbling", "size": "7d"}), "/nodes/10/config/window/size", "no field 'size'",
        "did you mean 'duration'?",
    ),
    "a kind of window": (
        config("weeks", window={"type": "hopping", "duration": "7d", "hop": "1d"}), "/nodes/10/config/window/type",
        "'hopping' is not possible here", "did you mean 'sliding'? (possible: tumbling, sliding, session)",
    ),
    "a month of windows": (
        config("weeks", window={"type": "tumbling", "duration": "1mo"}), "/nodes/10/config/window/duration",
        "a month has no fixed length", "write date_trunc('month', …) in derive",
    ),
    "a number or a text": (
        added(node("more", "arithmetic", left="amount", operator="round", value="one", name="x"), "orders>more"),
        "/nodes/15/config/value", "a number is needed here", "",
    ),
    "a Connection left out": (
        without("store", "connection"), "/nodes/12/config/connection", "'connection' is needed here",
        "the name of an Airflow Connection; `airloom connection list` shows them",
    ),
    "a field of the config beside it": (
        entry("ranked", by=["name"]), "/nodes/7/by", "'by' is a field of the config of sort", "indent it below config",
    ),
    "a type of another system": (
        config("typed", columns={"note": "FLOAT64"}), "/nodes/3/config/columns/note", "'FLOAT64' is not a column type",
        "write DOUBLE",
    ),
    "a type with a slip": (
        config("typed", columns={"day": "timestamp with timezone"}), "/nodes/3/config/columns/day",
        "'timestamp with timezone' is not a column type", "write TIMESTAMPTZ",
    ),
    # Joins
    "a key of another type": (
        config("named", on=[["customer", "name"]]), "/nodes/4/config/on/0", "'customer' on the left is BIGINT",
        "on the right these are BIGINT: id; or cast one of them first",
    ),
    "a key that only one has": (
        config("named", on=["customer"]), "/nodes/4/config/on/0", "the right table has no column 'customer'",
        'where the names differ write [["customer", "id"]]; right columns: id, name, country',
    ),
    # Edges
    "other words for an edge": (
        lambda document: document["edges"].__setitem__(0, {"source": "orders", "to": "kept"}), "/edges/0/source",
        "there is no field 'source'", "did you mean 'from'?",
    ),
    "an edge of two": (
        lambda document: document["edges"].append(["orders", "kept"]), "/edges/15",
        "an object is needed here, not a list",
        'write {"from": "orders", "to": "kept"}',
    ),
    "an input too many": (
        edge("customers>named.right", "customers>named.right orders>named.left"), "/edges/4",
        "the input 'left' of 'named' takes one edge, not 2", "join them first",
    ),
    # SQL
    "a function of Postgres": (
        where("regexp_like(note, 'x')"), "/nodes/2/config/where", "regexp_like(…) is not allowed",
        "write regexp_matches(text, pattern)",
    ),
    "an argument too many": (
        formula("len(note, 2)"), "/nodes/5/config/columns/gross", "len takes one argument, not 2", "",
    ),
    "a number and a day": (
        where("amount > {{ params.since }}"), "/nodes/2/config/where", "DOUBLE cannot be compared with DATE",
        "a number with a number",
    ),
    "WHERE": (where("where amount > 3"), "/nodes/2/config/where", "one expression is needed here", "leave out WHERE"),
    "brackets": (where("[amount] > 3"), "/nodes/2/config/where", "DOUBLE[] cannot be compared",
                 'a column stands in "double quotes", not in [ ]'),
    "a column that is not grouped": (
        query("SELECT name, count(*) AS n FROM customers"), "/nodes/13/config/sql",
        "'name' is neither grouped nor aggregated",
        "add name to GROUP BY",
    ),
    "what does not fit, far from a value": (
        query("SELECT id FROM orders WHERE amount > {{ params.least }} ORDER BY id, day, customer LIMIT 10 TOP"),
        "/nodes/13/config/sql", "'TOP' does not fit", "",
    ),
    # Expressions
    "a day of Airflow": (
        config("noted", value="{{ ds }}"), "/nodes/9/config/value", "no name 'ds'", "write run.local_date",
    ),
    "a variable of Airflow": (
        config("noted", value="{{ var.value.day }}"), "/nodes/9/config/value", "no name 'var'", "declare a param",
    ),
    "a param alone": (
        config("noted", value="{{ label }}"), "/nodes/9/config/value", "no name 'label'", "write params.label",
    ),
    "a node alone": (
        config("noted", value="{{ total.rows.rows }}"), "/nodes/9/config/value", "no name 'total'",
        "write nodes.total.rows.rows",
    ),
    "the number of rows": (
        config("noted", value="{{ nodes.total.count }}"), "/nodes/9/config/value", "'total' has no output 'count'",
        "the number of rows is nodes.total.rows.rows",
    ),
    "errors": (
        config("noted", value="{{ nodes.total.errors }}"), "/nodes/9/config/value", "'total' has no output 'errors'",
        "did you mean 'error'?",
    ),
    "braces that are not closed": (
        config("noted", value="{{ params.label"), "/nodes/9/config/value", "a {{ is not closed", "write }} behind it",
    ),
    "braces of a shell": (
        config("noted", value="${params.label}"), "/nodes/9/config/value", "'${params.label}' stays as it is",
        "write {{ params.label }}",
    ),
    # Ids
    "an id in words": (
        entry("noted", id="Note It"), "/nodes/9/id", "an id starts with a small letter", "write note_it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "at", "message", "hint"), HABITS.values(), ids=HABITS)
def test_a_habit_is_told_what_to_write(change: Change, at: str, message: str, hint: str) -> None:
    document = copy.deepcopy(PIPELINE)
    change(document)
    found = {problem.pointer: problem for problem in check(document, FACTS).problems}
    assert found.keys() - {"/edges/8/to"} == {at}, [str(problem) for problem in found.values()]
    assert message in found[at].message
    assert hint in (found[at].hint or "")
    assert hint or not re.match("write|did you mean", found[at].hint or "")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("x: {{ params.day }}.csv", "an expression stands in quotes in YAML"),
        ("x: {value: {{ params.day }}, name: x}", "an expression stands in quotes in YAML"),
        ("x: [a, b\ny: 1", "the [ that line 2 opens is not closed"),
        ("x: {a: b\ny: 1", "the { that line 2 opens is not closed"),
        ('x: "a\ny: 1', "the quote that line 2 opens is not closed"),
        ("x: a: b", "a text with a colon and a space stands in quotes"),
    ],
)
def test_yaml_that_cannot_be_read_says_what_to_write(line: str, hint: str) -> None:
    _, [problem] = read_text(f"id: x\n{line}\n", "a.yaml")
    assert hint in (problem.hint or "")


def test_a_comparison_with_null_is_warned_of() -> None:
    document = copy.deepcopy(PIPELINE)
    for condition, instead in (("note = null", "write note is null"), ("note != NULL", "write note is not null")):
        where(condition)(document)
        [problem] = check(document, FACTS).problems
        assert (problem.severity, problem.pointer, problem.hint) == ("warning", "/nodes/2/config/where", instead)
        assert "is never true" in problem.message


def test_a_faulty_id_hides_nothing() -> None:
    document = copy.deepcopy(PIPELINE) | {"id": "Daily Report"}
    measure(op="sum", column="grosss")(document)
    assert [problem.code for problem in check(document, FACTS).problems] == ["document.identifier", "column.unknown"]


def test_a_hint_says_no_secret_again() -> None:
    token = "ghp_" + 36 * "a"
    document = copy.deepcopy(PIPELINE) | {"tags": token}
    document["params"]["password"] = "hunter2"
    text = str([problem.to_json() for problem in check(document, FACTS).problems])
    assert "/tags" in text
    assert "/params/password" in text
    assert token not in text
    assert "hunter2" not in text
