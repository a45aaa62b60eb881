"""Operations, for administrators: what a worker finds wrong, and clean-up."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.web.answering import answering
from tests.web.conftest import Web

from airloom.spec.configuration import configuration

SECRET = "pa55@w0rd"


def last_entry(event: str) -> tuple[str, dict[str, Any]]:
    """Return who did something last, and with what, by the audit."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(Log.owner, Log.extra).where(Log.event == event).order_by(Log.id.desc()).limit(1)
        owner, extra = session.execute(query).one()
    return owner, json.loads(extra)


class TestDoctor:
    def test_a_worker_examines_without_telling_secrets(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", f"postgresql://airloom:{SECRET}@127.0.0.1:1/airloom")
        monkeypatch.setenv("AIRLOOM_DATA", f"s3://key:{SECRET}@bucket/data")
        configuration.cache_clear()
        with answering(web.store):
            answer = web.ask("GET", "/operations/doctor", "adam")
        configuration.cache_clear()
        assert answer.status_code == 200, answer.text
        assert "w0rd" not in answer.text
        findings = {(finding["area"], finding["name"]): finding for finding in answer.json()["findings"]}
        assert answer.json()["right"] is False
        assert {area for area, _ in findings} == {"machine", "folders", "Airflow", "store"}
        # What else it says depends on the packages that are here.
        assert findings["folders", "AIRLOOM_DATA"]["message"].startswith("s3://key:***@bucket/data")
        assert findings["store", "database"]["state"] == "wrong"
        assert "is PostgreSQL running" in findings["store", "database"]["hint"]

    def test_where_no_worker_runs_it_says_so_at_once(self, web: Web) -> None:
        answer = web.ask("GET", "/operations/doctor", "adam")
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.json()["message"] == "no worker runs, and only a worker can examine"
        assert answer.json()["details"]["hint"] == "start one: airloom worker"


class TestCleanUp:
    @pytest.fixture
    def old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Leave data of a run that are three days old."""
        monkeypatch.setenv("AIRLOOM_DATA", str(tmp_path))
        configuration.cache_clear()
        file = tmp_path / "sales" / "run" / "node" / "-" / "rows-1.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        then = time.time() - 3 * 86_400
        os.utime(file, (then, then))
        return file

    def test_a_worker_removes_what_is_old_and_the_audit_says_who_wanted_it(self, web: Web, old: Path) -> None:
        with answering(web.store):
            kept = web.ask("POST", "/operations/clean-up", "adam", json={})
            assert (kept.json()["days"], kept.json()["runs"], old.exists()) == (30, 0, True)
            answer = web.ask("POST", "/operations/clean-up", "adam", json={"days": 2})
        assert answer.status_code == 200, answer.text
        assert answer.json() | {"folders": 0} == {
            "days": 2, "runs": 1, "files": 1, "at_work": 0, "folders": 0, "events": 0, "complete": True,
        }  # fmt: skip
        assert not old.exists()
        owner, extra = last_entry("airloom.clean_up")
        assert owner == "adam"
        assert (extra["days"], extra["runs"], extra["files"]) == (2, 1, 1)

    def test_what_is_younger_than_a_day_is_not_taken_for_old(self, web: Web) -> None:
        answer = web.ask("POST", "/operations/clean-up", "adam", json={"days": 0.5})
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "body/days")

    def test_one_that_is_at_it_is_not_joined(self, web: Web, old: Path) -> None:
        with answering(web.store), web.store.lock("clean-up"):
            answer = web.ask("POST", "/operations/clean-up", "adam", json={"days": 2})
        assert (answer.status_code, answer.json()["message"]) == (503, "a worker is cleaning up already")
        assert old.exists()

    def test_where_no_worker_runs_it_says_so_at_once(self, web: Web) -> None:
        answer = web.ask("POST", "/operations/clean-up", "adam", json={})
        assert (answer.status_code, answer.json()["details"]["hint"]) == (503, "start one: airloom worker")
