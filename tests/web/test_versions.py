"""Versions: lists, differences, the way back, copies, export and import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.web.conftest import Web

from airloom.spec.configuration import configuration


def document(value: Any, **fields: Any) -> dict[str, Any]:
    """Return a document of one node."""
    return {"id": "sales", "nodes": [{"id": "only", "type": "set", "config": {"value": value}}], **fields}


@pytest.fixture(autouse=True)
def versions(web: Web) -> None:
    """Let ann publish three versions."""
    assert web.ask("POST", "/pipelines", "ann", json={"id": "sales"}).status_code == 201
    for value in (1, 2, 3):
        body = {"document": document(value), "message": f"number {value}"}
        assert web.ask("POST", "/pipelines/sales/publish", "ann", json=body).status_code == 201


def test_versions_are_listed_newest_first(web: Web) -> None:
    first = web.get("/pipelines/sales/versions?limit=2", "ann")
    assert [(version["number"], version["message"]) for version in first["items"]] == [(3, "number 3"), (2, "number 2")]
    second = web.get(f"/pipelines/sales/versions?limit=2&cursor={first['next_cursor']}", "ann")
    assert [version["number"] for version in second["items"]] == [1]
    assert web.get("/pipelines/sales/versions/2", "ann")["document"] == document(2)
    assert web.ask("GET", "/pipelines/sales/versions/9", "ann").status_code == 404


def test_two_versions_are_compared(web: Web) -> None:
    found = web.get("/pipelines/sales/diff?from=1&to=3", "ann")
    (change,) = found["changes"]
    assert (change["what"], change["name"], change["field"]) == ("node", "only", "/config/value")
    assert (change["before"], change["after"]) == (1, 3)
    web.store.drafts.save("sales", document(3, name="New"), etag=None, author="ann")
    (change,) = web.get("/pipelines/sales/diff?from=current&to=draft", "ann")["changes"]
    assert (change["what"], change["name"]) == ("setting", "/name")
    web.store.grants.give("pipeline", "sales", "user", "bob", "reader", by="ann")
    assert web.ask("GET", "/pipelines/sales/diff?from=1&to=draft", "bob").status_code == 403
    assert web.ask("GET", "/pipelines/sales/diff?from=one", "ann").status_code == 422


def test_an_earlier_version_comes_back_as_a_new_one(web: Web) -> None:
    answer = web.ask("POST", "/pipelines/sales/rollback", "ann", json={"version": 1})
    assert (answer.status_code, answer.json()["number"]) == (201, 4)
    assert web.get("/pipelines/sales", "ann")["document"] == document(1)


def test_a_copy_begins_as_a_draft(web: Web) -> None:
    answer = web.ask("POST", "/pipelines/sales/copy", "ann", json={"id": "sales_eu", "name": "Sales of Europe"})
    assert answer.status_code == 201
    draft = web.get("/pipelines/sales_eu/draft", "ann")["document"]
    assert (draft["id"], draft["name"], draft["nodes"]) == ("sales_eu", "Sales of Europe", document(3)["nodes"])
    again = web.ask("POST", "/pipelines/sales/copy", "ann", json={"id": "sales_eu"})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_an_export_can_be_imported(web: Web, form: str) -> None:
    exported = web.ask("GET", f"/pipelines/sales/export?format={form}&version=2", "ann")
    assert yaml.safe_load(exported.text) == document(2)
    headers = {"Content-Type": exported.headers["content-type"]}

    def bring(query: str = "", text: str = exported.text) -> Any:
        return web.ask("POST", f"/pipelines/import{query}", "ann", content=text.encode(), headers=headers)

    taken = bring()
    assert (taken.status_code, taken.json()["code"]) == (409, "ALREADY_EXISTS")
    dry = bring("?replace_if_exists=true&dry_run=true")
    assert (dry.json()["created"], dry.json()["version"]) == (False, None)
    assert bring("?replace_if_exists=true").json()["version"] == 4
    other = bring(text=exported.text.replace("sales", "stock"))
    assert (other.json()["pipeline"], other.json()["created"], other.json()["version"]) == ("stock", True, 1)
    assert web.get("/pipelines/stock", "ann")["may"] == ["read", "run", "edit", "publish"]
    assert bring(text="{]").status_code == 422


def test_an_import_may_not_take_what_is_anothers(web: Web) -> None:
    answer = web.ask("POST", "/pipelines/import?replace_if_exists=true", "bob", json=document(9))
    assert answer.status_code == 409
    assert web.get("/pipelines/sales", "ann")["version"] == 3


def test_a_dry_run_tells_of_missing_rights_too(web: Web) -> None:
    code = {"id": "code", "type": "python_code", "config": {"code": "def run(value):\n    return 1"}}
    wanted = {"id": "stock", "nodes": [*document(1)["nodes"], code], "edges": [{"from": "only", "to": "code"}]}
    for query in ("?dry_run=true", ""):
        answer = web.ask("POST", f"/pipelines/import{query}", "ann", json=wanted)
        assert (answer.status_code, [problem["code"] for problem in answer.json()["details"]]) == (422, ["right.code"])
    assert web.ask("GET", "/pipelines/stock", "ada").status_code == 404


def test_archive_and_restore(web: Web) -> None:
    assert web.ask("POST", "/pipelines/sales/archive", "ann").json() == {"ending_runs": [], "stopped_runs": []}
    assert web.get("/pipelines", "ann")["items"] == []
    assert [item["id"] for item in web.get("/pipelines?archived=true", "ann")["items"]] == ["sales"]
    assert web.ask("POST", "/pipelines/sales/restore", "ann").json()["archived"] is False


def test_who_did_what_stands_in_airflows_event_log(web: Web) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(Log.event, Log.owner).where(Log.dag_id == "sales").order_by(Log.id.desc()))
        assert [tuple(row) for row in rows][:4] == [("airloom.publish", "ann")] * 3 + [("airloom.make", "ann")]


def test_a_version_shows_the_text_of_the_functions_that_it_runs(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_CODE", str(tmp_path))
    configuration.cache_clear()
    (tmp_path / "double.py").write_text("def double(value):\n    return 2 * value\n")
    (tmp_path / "double_test.py").write_text("def test_one():\n    assert double(1) == 2\n")
    nodes = [{"id": "only", "type": "python_code", "config": {"function": "double"}}]
    body = {"document": {"id": "sales", "nodes": nodes}}
    refused = web.ask("POST", "/pipelines/sales/publish", "ann", json=body)
    [problem] = refused.json()["details"]
    assert (refused.status_code, problem["code"], problem["pointer"]) == (
        422,
        "right.code",
        "/nodes/0/config/function",
    )
    web.store.grants.give("pipeline", "sales", "user", "cody", "publisher", by="ann")
    assert web.ask("POST", "/pipelines/sales/publish", "cody", json=body).status_code == 201
    (tmp_path / "double_test.py").write_text("def test_one():\n    assert double(1) == 3\n")
    refused = web.ask("POST", "/pipelines/sales/publish", "cody", json=body)
    assert (refused.status_code, refused.json()["details"][0]["code"]) == (422, "code.test")
    (tmp_path / "double.py").unlink()
    assert web.get("/pipelines/sales/versions/4", "ann")["functions"] == {
        "double": "def double(value):\n    return 2 * value\n"
    }
    assert web.get("/pipelines/sales/versions/1", "ann")["functions"] == {}
