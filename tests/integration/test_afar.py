"""The command line against the API of an installation: the same JSON and the same errors as on its own machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
        "tags": ["afar"],
        "nodes": [PENGUINS, {"id": "few", "type": "limit", "config": {"rows": rows}}],
        "edges": [{"from": "penguins", "to": "few"}],
        "schedule": {"cron": "0 6 * * *"},
        "settings": {"enabled": True},
    }


class Ways:
    """Run a command on the installation's machine, and from afar."""

    def __init__(self, running: Running, token: str, folder: Path) -> None:
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
def ways(installation: Running, tmp_path_factory: pytest.TempPathFactory) -> Ways:
    """Publish two versions from afar, and let a run of the second end."""
    known = lifecycle.client(installation.installation)
    with Client(installation.installation.address, sign_in(installation, known.user, known.password)) as client:
        token = client.make_token("from afar", SCOPES).token
    ways = Ways(installation, token, tmp_path_factory.mktemp("afar"))
    for rows in (2, 3):
        (ways.folder / "from_afar.json").write_text(json.dumps(document(rows)))
        done = ways.json("publish", "from_afar.json", "-m", f"{rows} rows")
        assert done["files"][0]["version"]["message"] == f"{rows} rows"
    assert ways.json("run", "from_afar", "--wait")["state"] == "success"
    return ways


COMMANDS = [
    ("show", "from_afar"),
    ("show", "from_afar", "--version", "1"),
    ("versions", "from_afar"),
    ("diff", "from_afar", "1"),
    ("export", "from_afar"),
    ("runs", "from_afar"),
    ("logs", "from_afar"),
    ("logs", "from_afar", "--node", "few", "--all"),
    ("validate", "from_afar.json"),
    ("nodes", "limit"),
    ("connection", "list"),
    ("connection", "test", "warehouse"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_prints_the_same_json(ways: Ways, command: tuple[str, ...]) -> None:
    here, afar = ways.here(*command, "--json"), ways.afar(*command, "--json")
    assert (here.returncode, afar.returncode) == (0, 0), (here.stderr, afar.stderr)
    assert json.loads(afar.stdout) == json.loads(here.stdout)


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


@pytest.mark.parametrize(
    "command",
    [
        ("show", "no_such"),
        ("show", "from_afar", "--version", "77"),
        ("runs", "no_such"),
        ("run", "from_afar", "--param", "unknown=1"),
        ("connection", "test", "no_such"),
        ("nodes", "limitt"),
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
    for command in (
        ("up",),
        ("doctor",),
        ("connection", "add", "a", "--type", "postgres"),
        ("publish", "from_afar.json", "--wait"),
    ):
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
