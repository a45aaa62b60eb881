"""publish, rollback, archive on a real Airflow database: what scripts read, and the codes they end with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.store.migrate import migrate

HERE = Path(__file__).parent
BUNDLES = [{"name": "airloom", "classpath": "airloom.dags.bundle.PipelineBundle", "kwargs": {}}]
SECRET = "s3cret-of-the-shop"
COMMANDS: dict[str, list[str]] = {
    "publish": ["publish", "sales.json", "-m", "the first", "--author", "ann", "--json"],
    "publish-again": ["publish", "changed.yaml", "-m", "newest first", "--author", "ann", "--json"],
    "publish-wrong": ["publish", "wrong.json", "load.json", "--json"],
    "publish-told": ["publish", "wrong.json"],
    "publish-gone": ["publish", "gone.json"],
    "rollback": ["rollback", "sales", "1", "--author", "ben", "--json"],
    "rollback-unknown": ["rollback", "sales", "9"],
    "rollback-told": ["rollback", "sales", "2", "--author", "ben"],
    "versions": ["versions", "sales", "--json"],
    "explain": ["explain", "sales"],
    "explain-json": ["explain", "sales", "--json"],
    "explain-unknown": ["explain", "sale"],
    "explain-no-run": ["explain", "sales", "run_1"],
    "run-unknown": ["run", "sale"],
    "run-wrong": ["run", "sales", "--param", "statsu=open"],
    "run-usage": ["run", "sales", "--param", "status"],
    "migrate": ["migrate", "--json"],
    "migrate-told": ["migrate"],
    "archive": ["archive", "sales", "--author", "ben", "--json"],
    "archive-told": ["archive", "load_orders"],
    "archive-unknown": ["archive", "sale"],
    "run-archived": ["run", "sales"],
    "list": ["list", "--json"],
    "list-archived": ["list", "--archived", "--json"],
    "try-stored": ["try", "stored.json", "--json"],
    "try-unknown": ["try", "unknown.json", "--json"],
    "connection-add": ["connection", "add", "shop", "--file", "connections.yaml", "--json"],
    "connection-fields": ["connection", "add", "mail", "--type", "smpt", "--host", "h", "--extra", "timeout=5"],
    "connection-password": [
        "connection",
        "add",
        "target",
        "--type",
        "postgres",
        "--host",
        "localhost",
        "--login",
        "ann",
        "--password-env",
        "SHOP_PASSWORD",
    ],
    "connection-again": ["connection", "add", "shop", "--type", "postgres"],
    "connection-replace": ["connection", "add", "mail", "--type", "smtp", "--replace"],
    "connection-extra": ["connection", "add", "api", "--type", "http", "--extra", "api_key=x"],
    "connection-no-type": ["connection", "add", "api"],
    "connection-name": ["connection", "add", "a b", "--type", "http"],
    "connection-not-in-file": ["connection", "add", "shpo", "--file", "connections.yaml"],
    "connection-list": ["connection", "list", "--json"],
    "connection-listed": ["connection", "list"],
    "connection-test": ["connection", "test", "stored", "--json"],
    "connection-test-wrong": ["connection", "test", "shop"],
    "connection-test-type": ["connection", "test", "http_one"],
    "connection-test-unknown": ["connection", "test", "nope"],
    "pause-archived": ["pause", "sales"],
    "pause-unknown": ["pause", "sale"],
    "logs-none": ["logs", "load_orders"],
    "backfill-archived": ["backfill", "sales", "--from", "2026-01-01", "--to", "2026-01-02"],
    "backfill-date": ["backfill", "sales", "--from", "tomorrow", "--to", "2026-01-02"],
    "publish-back": ["publish", "sales.json", "--author", "ann", "--json"],
}


def ordered_by(direction: bool) -> dict[str, Any]:
    return {
        "id": "sales",
        "params": {"status": {"type": "string", "default": "paid"}},
        "nodes": [
            {"id": "orders", "type": "csv_read", "config": {"path": "include/data/orders.csv"}},
            {"id": "kept", "type": "filter", "config": {"where": "status = {{ params.status }}"}},
            {"id": "in_order", "type": "sort", "config": {"by": [{"column": "day", "descending": direction}]}},
            {"id": "save", "type": "csv_write", "config": {"path": "output/sales.csv"}},
        ],
        "edges": [
            {"from": "orders", "to": "kept"},
            {"from": "kept", "to": "in_order"},
            {"from": "in_order", "to": "save"},
        ],
    }


LOAD = {
    "id": "load_orders",
    "nodes": [
        {"id": "orders", "type": "csv_read", "config": {"path": "include/data/orders.csv"}},
        {"id": "save", "type": "postgres_write", "config": {"connection": "target", "table": "orders"}},
    ],
    "edges": [{"from": "orders", "to": "save"}],
}


@pytest.fixture(scope="module")
def answers(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the answers to all commands, run one after the other on one store."""
    project = tmp_path_factory.mktemp("project")
    (project / "include" / "data").mkdir(parents=True)
    (project / "include" / "data" / "orders.csv").write_text("id,day,status\n1,2026-01-01,paid\n")
    (project / "sales.json").write_text(json.dumps(ordered_by(False)))
    (project / "changed.yaml").write_text(json.dumps(ordered_by(True)))
    (project / "load.json").write_text(json.dumps(LOAD))
    for name in ("stored", "unknown"):
        config = {"connection": name, "sql": "SELECT 1 AS one"}
        node = {"id": "one", "type": "postgres_read", "config": config}
        (project / f"{name}.json").write_text(json.dumps({"id": name, "nodes": [node]}))
    shop = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "ann", "password": SECRET, "schema": "s"}
    shop["extra"] = json.dumps({"token": SECRET, "connect_timeout": 2})
    (project / "connections.yaml").write_text(json.dumps({"shop": shop}))
    wrong = ordered_by(False)
    wrong["nodes"][1]["config"]["where"] = "state = 'paid'"
    (project / "wrong.json").write_text(json.dumps(wrong))
    store, airflow = databases.url(databases.create()), databases.url(databases.create())
    migrate(store)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    environment |= {
        "AIRFLOW_HOME": str(project / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_TARGET": "postgres://ann@localhost/target",
        "AIRLOOM_ROOT": str(project),
        "AIRLOOM_DATABASE_URL": store,
        "AIRFLOW_CONN_HTTP_ONE": "http://api.example",
        "SHOP_PASSWORD": SECRET,
        "LOGNAME": "cal",
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "session.py")],
        input=json.dumps(list(COMMANDS.values())),
        capture_output=True,
        text=True,
        cwd=project,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(COMMANDS, found, strict=True))


@pytest.fixture
def settled(answers: dict[str, Any], snapshot: Callable[[str, Any], None]) -> Callable[[str, int], None]:
    """Return what compares a command's JSON with the one kept, without the hash of the document."""

    def compare(name: str, code: int) -> None:
        assert answers[name]["complaint"] == ""
        assert answers[name]["code"] == code
        value = json.loads(answers[name]["out"])
        snapshot(name, _without_hash(value))

    return compare


def _without_hash(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_hash(item) for key, item in value.items() if key != "hash"}
    return [_without_hash(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("publish", 0), ("publish-again", 0), ("publish-wrong", 1), ("rollback", 0), ("archive", 0),
        ("list-archived", 0), ("publish-back", 0), ("migrate", 0),
    ],
)  # fmt: skip
def test_json(name: str, code: int, settled: Callable[[str, int], None]) -> None:
    settled(name, code)


def test_a_rollback_is_a_version_of_its_own(answers: dict[str, Any]) -> None:
    versions = json.loads(answers["versions"]["out"])
    assert [(version["number"], version["author"], version["current"]) for version in versions] == [
        (4, "ben", True), (3, "ben", False), (2, "ann", False), (1, "ann", False),
    ]  # fmt: skip
    hashes = [version["hash"] for version in versions]
    assert hashes == [hashes[2], hashes[3], hashes[0], hashes[1]]
    assert json.loads(answers["publish-back"]["out"])["files"][0]["version"]["number"] == 5


@pytest.mark.parametrize(
    ("name", "code", "out", "complaint"),
    [
        ("publish-told", 1, "✗ wrong.json\n  error kept /nodes/1/config/where ", ""),
        ("publish-gone", 1, "", "Error: gone.json cannot be read: No such file or directory\n"),
        ("rollback-told", 0, "✓ sales: sales, version 4\n", ""),
        ("rollback-unknown", 1, "", "Error: pipeline 'sales' has no version 9\n  the newest is version 3\n"),
        ("explain", 0, "\nDocument: version 4, by ben\nid: sales\n", ""),
        ("explain-unknown", 1, "", "Error: there is no pipeline 'sale'"),
        ("explain-no-run", 1, "", "Error: pipeline 'sales' has no run 'run_1'"),
        ("run-unknown", 1, "", "Error: there is no pipeline 'sale'"),
        ("run-wrong", 1, "", "Error field 'statsu': the pipeline has no param 'statsu'\n  did you mean 'status'?\n"),
        ("run-usage", 2, "", "Usage: airloom run "),
        ("run-archived", 1, "", "Error: pipeline 'sales' is archived\n  publish it again\n"),
        ("migrate-told", 0, "No worker has looked at the pipelines with this release yet", ""),
        ("archive-told", 0, "load_orders is archived.\n", ""),
        ("archive-unknown", 1, "", "Error: there is no pipeline 'sale'"),
        ("list", 0, "[]\n", ""),
        (
            "connection-fields",
            0,
            "The Connection mail of type smpt is kept.\n",
            "Nothing here knows Connections of type smpt: did you mean 'smtp'?\n",
        ),
        (
            "connection-password",
            0,
            "The Connection target of type postgres is kept.\nTry it: ",
            "The variable AIRFLOW_CONN_TARGET is set, and wins over it.\n",
        ),
        ("connection-again", 1, "", "Error: there is a Connection 'shop' already\n  replace it with --replace\n"),
        ("connection-replace", 0, "The Connection mail of type smtp is kept.\n", ""),
        ("connection-extra", 2, "", "Usage: airloom connection add "),
        ("connection-no-type", 2, "", "Usage: airloom connection add "),
        ("connection-name", 1, "", "Error: 'a b' cannot be the name of a Connection\n"),
        ("connection-not-in-file", 1, "", "Error: connections.yaml holds no Connection 'shpo'\n  did you mean 'shop'?"),
        ("connection-test-type", 1, "", "Error: the Connection 'http_one' is of type 'http', which nothing installed"),
        ("connection-test-unknown", 1, "", "Error: there is no Connection 'nope'\n"),
        ("pause-archived", 1, "", "Error: pipeline 'sales' is archived"),
        ("pause-unknown", 1, "", "Error: there is no pipeline 'sale'\n"),
        ("logs-none", 1, "", "Error: pipeline 'load_orders' has no run yet\n  start one: airloom run load_orders\n"),
        ("backfill-archived", 1, "", "Error: pipeline 'sales' is archived"),
        ("backfill-date", 2, "", "Usage: airloom backfill "),
    ],
)
def test_people_are_told(name: str, code: int, out: str, complaint: str, answers: dict[str, Any]) -> None:
    found = answers[name]
    assert found["code"] == code
    assert found["out"].startswith(out)
    assert found["complaint"].startswith(complaint)
    assert bool(found["out"]) == bool(out)
    assert bool(found["complaint"]) == bool(complaint)


def test_explain_shows_every_stage(answers: dict[str, Any]) -> None:
    lines = answers["explain"]["out"].splitlines()
    stages = [line.partition(":")[0] for line in lines]
    places = [stages.index(stage) for stage in ("Document", "Plan", "DAG file", "No run yet")]
    assert places == sorted(places)
    assert "dag = pipeline(document, plan)" in lines
    found = json.loads(answers["explain-json"]["out"])
    assert (found["version"], found["run"], found["nodes"]) == (4, None, [])
    assert [step["id"] for step in found["plan"]["steps"]] == ["orders-save"]
    assert "dag = pipeline(document, plan)" in found["file"]


def test_connections_are_kept_and_tried_and_no_secret_is_shown(answers: dict[str, Any]) -> None:
    assert json.loads(answers["connection-add"]["out"]) == {"name": "shop", "type": "postgres"}
    listed = {(one["name"], one["source"]): one for one in json.loads(answers["connection-list"]["out"])}
    assert listed["shop", "database"] == {
        "name": "shop", "type": "postgres", "host": "127.0.0.1", "port": 9, "login": "ann", "schema": "s",
        "source": "database",
    }  # fmt: skip
    assert {name for name, source in listed if source == "environment"} == {"target", "http_one"}
    assert json.loads(answers["connection-test"]["out"])["works"] is True
    refused = answers["connection-test-wrong"]
    assert (refused["code"], refused["out"][:8]) == (1, "✗ shop: ")
    for name, answer in answers.items():
        assert SECRET not in answer["out"] + answer["complaint"], name


def test_a_try_finds_the_connections_of_the_installation(answers: dict[str, Any]) -> None:
    assert answers["try-stored"]["code"] == 0, answers["try-stored"]
    one = json.loads(answers["try-stored"]["out"])["nodes"]["one"]
    assert one["outputs"]["rows"]["sample"] == [{"one": 1}]
    assert answers["try-unknown"]["code"] == 1
    assert "there is no Connection 'unknown'" in answers["try-unknown"]["out"]
