"""The files of the pages, and the one document behind all of their addresses."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from tests.web.conftest import Json, Web

from airloom.store.records import StoredRun
from airloom.web.plugin import VIEWS
from airloom.web.routes.pages import STATIC


@pytest.mark.parametrize("path", ["/", "/pipelines", "/pipelines/daily_sales/runs/manual__2026-11-30T00:00:00+00:00"])
def test_every_address_shows_the_document(web: Web, path: str) -> None:
    answer = web.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert '<base href="/">' in answer.text
    assert answer.headers["cache-control"] == "no-cache"


def test_the_base_is_where_the_application_is_mounted(web: Web) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    airflow = FastAPI()
    airflow.mount("/airloom", web.application)
    answer = TestClient(airflow, root_path="/behind/a/proxy").get("/airloom/pipelines")
    assert '<base href="/behind/a/proxy/airloom/">' in answer.text


def test_files_stay_in_a_browser_for_ever_and_lead_nowhere_else(web: Web) -> None:
    (script,) = re.findall(r'src="\./(assets/[^"]+)"', web.client.get("/").text)
    answer = web.client.get(f"/{script}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert "javascript" in answer.headers["content-type"]
    for name in ("none.js", "..", "%2e%2e%2findex.html", "..%2f..%2fapp.py"):
        hostile = web.client.get(f"/assets/{name}")
        assert hostile.status_code == 404 or "<base" in hostile.text
        assert "import" not in hostile.text


def test_the_policy_lets_in_nothing_from_elsewhere(web: Web) -> None:
    policy = web.client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    for file in STATIC.rglob("*.html"):
        assert not re.search(r"<script(?![^>]*src=)", file.read_text()), "an inline script would be refused"


def test_what_is_not_in_the_api_is_not_a_page(web: Web) -> None:
    answer = web.client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_licences_of_what_is_bundled_are_there() -> None:
    text = (STATIC / "LICENCES.txt").read_text()
    for name in ("react ", "@chakra-ui/react ", "elkjs ", "@xyflow/react "):
        assert name in text


def test_airflow_takes_the_views() -> None:
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    for view in VIEWS:
        shown = ExternalViewResponse.model_validate(view)
        assert shown.href.startswith("/airloom/")


def test_a_list_has_the_newest_runs_of_each_pipeline(web: Web) -> None:
    for name in ("first", "second"):
        web.store.publish({"id": name}, {"nodes": {}}, author="ada", source="api")
    for minute in range(4):
        queued = datetime(2026, 11, 30, 12, minute, tzinfo=UTC)
        web.store.runs.observe(StoredRun("first", f"run {minute}", "success", queued, version=1))
    items: list[Json] = web.get("/pipelines?runs=3", "ada")["items"]
    shown = {item["id"]: [each["run_id"] for each in item["recent_runs"]] for item in items}
    assert shown == {"first": ["run 1", "run 2", "run 3"], "second": []}
    assert web.get("/pipelines", "ada")["items"][0]["recent_runs"] == []
