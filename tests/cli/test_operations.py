"""doctor and prepare: what they print, and the codes they end with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from airloom.store.lookup import connect
from airloom.store.migrate import is_migrated, task_role

if TYPE_CHECKING:
    from tests.conftest import Databases

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def answers(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what doctor says of a machine with a store and an Airflow that nobody set up."""
    project = tmp_path_factory.mktemp("project")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    environment |= {
        "AIRFLOW_HOME": str(project / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": databases.url(databases.create()),
        "AIRLOOM_ROOT": str(project),
        "AIRLOOM_DATABASE_URL": databases.url(databases.create()),
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "session.py")],
        input=json.dumps([["doctor", "--json"], ["doctor"]]),
        capture_output=True,
        text=True,
        cwd=project,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


class TestDoctor:
    def test_scripts_read_every_finding(self, answers: list[dict[str, Any]]) -> None:
        assert answers[0]["code"] == 1
        found = json.loads(answers[0]["out"])
        assert found["right"] is False
        assert {tuple(finding) for finding in found["findings"]} == {("area", "name", "state", "message", "hint")}
        states = {(finding["area"], finding["name"]): finding["state"] for finding in found["findings"]}
        assert states["Airflow", "bundle"] == "wrong"
        assert states["Airflow", "scheduler"] == "wrong"
        assert states["Airflow", "database"] == "right"
        assert states["store", "tables"] == "wrong"

    def test_people_see_what_to_do(self, answers: list[dict[str, Any]]) -> None:
        assert answers[1]["code"] == 1
        lines = answers[1]["out"].splitlines()
        at = next(index for index, line in enumerate(lines) if line.startswith("✗ scheduler never ran"))
        assert lines[at + 1] == "    → start it, and look at its log: airflow scheduler"
        assert re.fullmatch(r"\d+ wrong, \d+ warnings?", lines[-1])


class TestPrepare:
    def test_makes_the_tables_and_the_role_of_tasks(
        self, airloom: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", database_url)
        assert "no role of their own" in airloom("prepare").complaint
        assert is_migrated(database_url)
        task = database_url.replace("//postgres:", f"//{task_role(database_url)}:")
        monkeypatch.setenv("AIRLOOM_TASK_DATABASE_URL", task)
        assert airloom("prepare").code == 0
        with connect(task) as connection:
            assert connection.execute("select count(*) from versions").fetchone() == (0,)

    def test_prints_what_to_set_without_passwords(
        self, airloom: Any, project: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", database_url)
        # An Airflow that was just installed, whatever another test has told it.
        monkeypatch.delenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", raising=False)
        password = str(make_url(database_url).password)
        answer = airloom("prepare", "--write", project / "airloom.env")
        assert answer.code == 0
        assert password not in answer.out + answer.complaint
        assert f"AIRLOOM_ROOT={project}" in answer.out.splitlines()
        assert '{"name": "dags-folder"' in answer.out
        assert "airloom.dags.bundle.PipelineBundle" in answer.out
        written = project / "airloom.env"
        assert written.stat().st_mode & 0o777 == 0o600
        command = ["/bin/sh", "-c", f". {written}; echo $AIRLOOM_DATABASE_URL; echo $AIRLOOM_TASK_DATABASE_URL"]
        read = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert read[0] == database_url
        with connect(read[1]) as connection:
            assert connection.execute("select count(*) from versions").fetchone() == (0,)

    def test_a_password_is_chosen_once(
        self, airloom: Any, project: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", database_url)
        # Nowhere to keep it, so none is chosen.
        assert airloom("prepare", "--write", project / "none" / "airloom.env").code == 1
        assert airloom("prepare", "--write", project / "airloom.env").code == 0
        answer = airloom("prepare", "--write", project / "again.env")
        assert answer.code == 1
        assert "its password is not known here" in answer.complaint

    def test_refuses_another_role(self, airloom: Any, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AIRLOOM_DATABASE_URL", "AIRLOOM_TASK_DATABASE_URL"):
            monkeypatch.setenv(name, store_url)
        answer = airloom("prepare")
        assert answer.code == 1
        assert "AIRLOOM_TASK_DATABASE_URL" in answer.complaint

    def test_needs_a_store(self, airloom: Any) -> None:
        assert airloom("prepare").code == 1
