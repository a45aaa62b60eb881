"""Operations: what a worker finds wrong, for administrators."""

from __future__ import annotations

import pytest
from tests.web.answering import answering
from tests.web.conftest import Web

from airloom.spec.configuration import configuration

SECRET = "pa55@w0rd"


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
        assert findings["folders", "AIRLOOM_DATA"]["message"] == "s3://key:***@bucket/data"
        assert findings["store", "database"]["state"] == "wrong"
        assert "is PostgreSQL running" in findings["store", "database"]["hint"]

    def test_where_no_worker_runs_it_says_so_at_once(self, web: Web) -> None:
        answer = web.ask("GET", "/operations/doctor", "adam")
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.json()["message"] == "no worker runs, and only a worker can examine"
        assert answer.json()["details"]["hint"] == "start one: airloom worker"
