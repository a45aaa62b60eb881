"""The command line against the API of an installation: the same JSON and the same errors as on its own machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.test_api import sign_in

from airloom.local import lifecycle
from airloom.web.client import Client

if TYPE_CHECKING:
    from tests.installations import Running

# Forty commands, and each loads Airflow.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
SCOPES = ["read", "run", "edit", "publish", "admin"]
PENGUINS = {"id": "penguins", "type": "csv_read", "config": {"path": "include/data/penguins/penguins.csv"}}


def document(rows: int) -> dict[str, Any]:
    """Return a document that keeps some rows."""
    return {
        "id": "from_afar",
        "name": "From afar",
        "tags": ["afar", "template"],
        "nodes": [PENGUINS, {"id": "few", "type": "limit", "config": {"rows": rows}}],
        "edges": [{"from": "penguins", "to": "few"}],
        "schedule": {"cron": "0 6 * * *"},
        "settings": {"enabled": True},
    }


class Ways:
    """Run a command on the installation's machine, and from afar."""

    def __init__(self, running: Running, client: Client, token: str, folder: Path) -> None:
        self.client = client
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
        here = str(running.installation.home)
        self.folder = folder
        self._here = {**bare, **running.environment, "AIRLOOM_HOME": here}
        # A home without an installation, and no address of a database.
        self._afar = {
            **bare, "AIRLOOM_HOME": str(folder / "none"), "AIRLOOM_URL": running.installation.address,
            "AIRLOOM_TOKEN": token, "AIRFLOW_HOME": str(folder / "airflow"),
        }  # fmt: skip

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the machine."""
        return self._run(self._here, arguments)

    def afar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command from afar."""
        return self._run(self._afar, arguments)

    def json(self, *arguments: str) -> Any:
        """Return the JSON of a command from afar, which has to end well."""
        done = self.afar(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, environment: dict[str, str], arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from airloom.cli import main; main()", *arguments]
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ways(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """Publish two versions from afar, and let a run of the second end."""
    known = lifecycle.client(installation.installation)
    with Client(installation.installation.address, sign_in(installation, known.user, known.password)) as client:
        token = client.make_token("from afar", SCOPES).token
    client = Client(installation.installation.address, token)
    ways = Ways(installation, client, token, tmp_path_factory.mktemp("afar"))
    for rows in (2, 3):
        (ways.folder / "from_afar.json").write_text(json.dumps(document(rows)))
        done = ways.json("publish", "from_afar.json", "-m", f"{rows} rows")
        assert done["files"][0]["version"]["message"] == f"{rows} rows"
    whole = ways.json("run", "from_afar", "--wait")
    part = ways.json("run", "from_afar", "--from", "few", "--reuse", whole["run_id"], "--wait")
    assert (whole["state"], part["state"]) == ("success", "success")
    with client:
        yield ways


COMMANDS = [
    ("show", "from_afar"),
    ("show", "from_afar", "--version", "1"),
    ("versions", "from_afar"),
    ("diff", "from_afar", "1"),
    ("export", "from_afar"),
    ("runs", "from_afar"),
    ("run", "from_afar", "--until", "few", "--dry-run"),
    ("logs", "from_afar"),
    ("logs", "from_afar", "--node", "few", "--all"),
    ("validate", "from_afar.json"),
    ("nodes", "limit"),
    ("templates",),
    ("connection", "list"),
    ("connection", "test", "warehouse"),
    ("backfill", "from_afar", "--from", "2026-01-02", "--to", "2026-01-04", "--dry-run"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_prints_the_same_json(ways: Ways, command: tuple[str, ...]) -> None:
    here, afar = ways.here(*command, "--json"), ways.afar(*command, "--json")
    assert (here.returncode, afar.returncode) == (0, 0), (here.stderr, afar.stderr)
    assert json.loads(afar.stdout) == json.loads(here.stdout)


def test_a_pipeline_begins_from_another(ways: Ways) -> None:
    for way, file in ((ways.here, "here.json"), (ways.afar, "afar.json")):
        done = way("new", "mine", "--template", "pipeline:from_afar", "--output", file)
        assert done.returncode == 0, done.stderr
    begun = json.loads((ways.folder / "afar.json").read_text())
    assert (begun["id"], begun["tags"], "settings" in begun) == ("mine", ["afar"], False)
    assert begun == json.loads((ways.folder / "here.json").read_text())


def test_a_list_holds_the_same(ways: Ways) -> None:
    def ours(done: subprocess.CompletedProcess[str]) -> Any:
        (found,) = (one for one in json.loads(done.stdout) if one["id"] == "from_afar")
        return found

    assert ours(ways.afar("list", "--json")) == ours(ways.here("list", "--json"))


def test_a_pause_and_a_way_back(ways: Ways) -> None:
    for command in ("pause", "unpause"):
        assert ways.json(command, "from_afar") == json.loads(ways.here(command, "from_afar", "--json").stdout)
    back = ways.json("rollback", "from_afar", "1")
    assert (back["version"]["number"], back["problems"]) == (3, [])


def test_publishing_waits_until_airflow_runs_it(ways: Ways) -> None:
    (ways.folder / "from_afar.json").write_text(json.dumps(document(4)))
    done = ways.json("publish", "from_afar.json", "--wait")
    number = done["files"][0]["version"]["number"]
    assert ways.client.readiness("from_afar", number).ready


def test_a_backfill_starts(ways: Ways) -> None:
    days = ("backfill", "from_afar", "--from", "2026-01-02", "--to", "2026-01-03")
    assert ways.json(*days)["started"]
    here, afar = ways.here(*days, "--json", "--dry-run"), ways.afar(*days, "--json", "--dry-run")
    assert json.loads(afar.stdout) == json.loads(here.stdout)
    assert json.loads(here.stdout)["times"] == []
    assert {run.trigger for run in ways.client.runs(pipeline="from_afar")} >= {"backfill"}


def test_connections_are_kept(ways: Ways) -> None:
    uri = "postgres://reader:s3cret%2Fword@127.0.0.1:1/shop?application_name=a"
    (ways.folder / "connections.json").write_text(json.dumps({"shop": uri, "mail": {"conn_type": "smpt", "port": 25}}))

    def add(way: Any, name: str, *more: str) -> tuple[int, str, str]:
        done = way("connection", "add", name, "--file", "connections.json", *more)
        assert "s3cret" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    kept = []
    for way, first in ((ways.afar, ()), (ways.here, ("--replace",))):
        kept.append([add(way, "shop", *first), add(way, "mail", *first, "--json"), add(way, "shop")])
        (shop,) = (one for one in ways.json("connection", "list") if one["name"] == "shop")
        assert (shop["host"], shop["port"], shop["login"], shop["schema"]) == ("127.0.0.1", 1, "reader", "shop")
    assert kept[0] == kept[1]
    assert [code for code, _, _ in kept[0]] == [0, 0, 1]
    assert "did you mean 'smtp'?" in kept[0][1][2]
    tried = ways.afar("connection", "test", "shop")
    assert "refused" in tried.stdout, tried


@pytest.mark.parametrize(
    "command",
    [
        ("show", "no_such"),
        ("show", "from_afar", "--version", "77"),
        ("runs", "no_such"),
        ("run", "from_afar", "--param", "unknown=1"),
        ("run", "from_afar", "--only", "few"),
        ("run", "from_afar", "--from", "feww", "--reuse", "no_such"),
        ("run", "from_afar", "--until", "feww", "--writes"),
        ("connection", "test", "no_such"),
        ("connection", "add", "warehouse", "--type", "postgres"),
        ("connection", "add", "a b", "--type", "postgres"),
        ("backfill", "from_afar", "--from", "2026-01-04", "--to", "2026-01-02"),
        ("backfill", "no_such", "--from", "2026-01-02", "--to", "2026-01-02"),
        ("backfill", "from_afar", "--from", "2026-01-02", "--to", "2026-01-02", "--param", "unknown=1"),
        ("nodes", "limitt"),
        ("new", "mine", "--template", "clean_fil"),
        ("new", "mine", "--template", "pipeline:from_afa"),
        ("validate", "wrong.json"),
        ("publish", "wrong.json"),
    ],
    ids=" ".join,
)
def test_what_is_refused_is_said_in_the_same_way(ways: Ways, command: tuple[str, ...]) -> None:
    (ways.folder / "wrong.json").write_text(json.dumps({**document(1), "nodes": [{"id": "a", "type": "no_such"}]}))
    here, afar = ways.here(*command), ways.afar(*command)
    assert (afar.returncode, afar.stdout, afar.stderr) == (here.returncode, here.stdout, here.stderr)
    assert afar.returncode == 1


def test_what_needs_the_machine_says_so(ways: Ways) -> None:
    for command in (("up",), ("doctor",), ("prepare",)):
        done = ways.afar(*command)
        assert done.returncode == 1
        assert "works on the machine of the installation alone" in done.stderr


def test_half_an_address_is_none(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ways._afar, "AIRLOOM_TOKEN")
    assert "AIRLOOM_URL is set, and AIRLOOM_TOKEN is not" in ways.afar("list").stderr
    monkeypatch.setitem(ways._afar, "AIRLOOM_TOKEN", "airloom_secret")
    monkeypatch.setitem(ways._afar, "AIRLOOM_URL", "http://127.0.0.1:9")
    done = ways.afar("list")
    assert (done.returncode, "127.0.0.1 does not answer" in done.stderr, "airloom_secret" in done.stderr) == (
        3,
        True,
        False,
    )


def test_files_are_sent_and_read(ways: Ways) -> None:
    (ways.folder / "orders.csv").write_text("day,amount\n2026-11-30,3\n2026-12-01,4\n")
    sent = [json.loads(way("upload", "add", "orders.csv", "--json").stdout) for way in (ways.afar, ways.here)]
    assert sent[0]["sha256"] == sent[1]["sha256"]
    assert [one["id"] for one in ways.json("upload", "list")][:2] == [sent[1]["id"], sent[0]["id"]]
    assert ways.json("upload", "list") == json.loads(ways.here("upload", "list", "--json").stdout)
    upload = sent[0]["id"]
    nodes = [{"id": "orders", "type": "csv_read", "config": {"path": f"upload:{upload}"}}]
    (ways.folder / "uploaded.json").write_text(json.dumps({"id": "uploaded", "nodes": nodes}))
    ways.json("publish", "uploaded.json")
    (node,) = ways.json("run", "uploaded", "--wait")["nodes"]
    assert (node["state"], node["rows"]) == ("success", 2), node
    assert ways.client.preview_upload(upload).rows[1]["amount"] == 4
    refused = [way("upload", "delete", upload) for way in (ways.afar, ways.here)]
    assert [(done.returncode, done.stderr) for done in refused] == [(1, refused[0].stderr)] * 2
    assert "uploaded" in refused[0].stderr
    assert ways.json("upload", "delete", upload, "--force") == {"id": upload, "deleted": True}
    unknown = [way("upload", "delete", upload) for way in (ways.afar, ways.here)]
    assert unknown[0].stderr == unknown[1].stderr != ""
