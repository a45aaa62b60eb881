"""Drafts: saved with an ETag, changed by a patch, published, and never lost to another editor."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import Web

FIRST = {"If-None-Match": "*"}
NODE = {"id": "only", "type": "set", "config": {"value": 1}}


@pytest.fixture(autouse=True)
def sales(web: Web) -> None:
    """Let ann have a pipeline of which nothing is published."""
    answer = web.ask("POST", "/pipelines", "ann", json={"id": "sales", "name": "Sales"})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["version"], answer.json()["may"]) == (0, ["read", "run", "edit", "publish"])


def save(web: Web, document: Any, who: str = "ann", **headers: str) -> Any:
    """Save a draft."""
    return web.ask("PUT", "/pipelines/sales/draft", who, json=document, headers=headers)


def test_a_draft_is_saved_changed_and_published(web: Web) -> None:
    first = save(web, {"nodes": []}, **FIRST)
    assert (first.status_code, first.json()["base_version"]) == (200, 0)
    operations = [{"op": "add", "path": "/nodes/-", "value": NODE}]
    etag = first.headers["etag"]
    second = web.ask("PATCH", "/pipelines/sales/draft", "ann", json=operations, headers={"If-Match": etag})
    assert second.json()["document"] == {"nodes": [NODE]}
    published = web.ask("POST", "/pipelines/sales/publish", "ann", json={"message": "first"})
    assert (published.status_code, published.json()["number"]) == (201, 1), published.text
    assert web.ask("GET", "/pipelines/sales/draft", "ann").status_code == 404
    assert web.get("/pipelines/sales", "ann")["document"] == {"id": "sales", "nodes": [NODE]}


def test_the_second_editor_is_told_and_loses_nothing(web: Web) -> None:
    web.store.grants.give("pipeline", "sales", "user", "bob", "editor", by="ann")
    etag = save(web, {"nodes": []}, **FIRST).headers["etag"]
    of_ann = save(web, {"nodes": [], "name": "ann's"}, **{"If-Match": etag})
    assert of_ann.status_code == 200
    of_bob = save(web, {"nodes": [], "name": "bob's"}, "bob", **{"If-Match": etag})
    assert (of_bob.status_code, of_bob.json()["code"]) == (412, "PRECONDITION_FAILED")
    current = of_bob.json()["details"]["current"]
    assert (current["author"], current["document"]["name"]) == ("ann", "ann's")
    again = save(web, {"nodes": [], "name": "bob's"}, "bob", **{"If-Match": current["etag"]})
    assert again.status_code == 200


def test_a_draft_of_an_older_version_is_not_published_over_a_newer(web: Web) -> None:
    save(web, {"nodes": [NODE]}, **FIRST)
    direct = {"document": {"nodes": [{**NODE, "config": {"value": 2}}]}, "base_version": 0}
    assert web.ask("POST", "/pipelines/sales/publish", "ann", json=direct).status_code == 201
    late = web.ask("POST", "/pipelines/sales/publish", "ann", json={})
    assert (late.status_code, late.json()["code"]) == (409, "CONFLICT")
    assert "version 1" in late.json()["message"]
    assert web.get("/pipelines/sales/draft", "ann")["base_version"] == 0


def test_problems_are_all_told(web: Web) -> None:
    save(web, {"nodes": [{"id": "a", "type": "nosuch"}, {"id": "a", "type": "set"}]}, **FIRST)
    checked = web.ask("POST", "/pipelines/sales/draft/check", "ann").json()
    assert not checked["correct"]
    codes = {problem["code"] for problem in checked["problems"]}
    assert "node.unknown_type" in codes
    refused = web.ask("POST", "/pipelines/sales/publish", "ann", json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_ERROR")
    assert {problem["code"] for problem in refused.json()["details"]} == codes


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 428), ({"If-Match": '"other"'}, 412), ({"If-None-Match": "*"}, 412)]
)
def test_what_a_save_has_to_show(web: Web, headers: dict[str, str], status: int) -> None:
    save(web, {"nodes": []}, **FIRST)
    assert save(web, {"nodes": []}, **headers).status_code == status


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/nowhere"}],
        [{"op": "fly", "path": "/nodes"}],
        [{"op": "replace", "path": "", "value": []}],
        [{"path": "/nodes"}],
        [{"op": "add", "path": "/nodes/x", "value": 1}],
        [{"op": "copy", "from": "/nodes", "path": "/nodes/-"}] * 1001,
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(web: Web, operations: list[Any]) -> None:
    etag = save(web, {"nodes": []}, **FIRST).headers["etag"]
    answer = web.ask("PATCH", "/pipelines/sales/draft", "ann", json=operations, headers={"If-Match": etag})
    assert answer.status_code == 422, answer.text
    assert web.ask("GET", "/pipelines/sales/draft", "ann").headers["etag"] == etag


def test_a_draft_is_for_editors(web: Web) -> None:
    save(web, {"nodes": []}, **FIRST)
    web.store.grants.give("pipeline", "sales", "user", "bob", "reader", by="ann")
    assert web.ask("GET", "/pipelines/sales/draft", "bob").status_code == 403
    assert web.get("/pipelines/sales", "bob")["draft_etag"] is None
    web.store.grants.give("pipeline", "sales", "user", "bob", "editor", by="ann")
    assert web.ask("GET", "/pipelines/sales/draft", "bob").status_code == 200
    assert web.ask("POST", "/pipelines/sales/publish", "bob", json={}).status_code == 403


class TestRightsToWhatANodeUses:
    CODE = {"id": "code", "type": "python_code", "config": {"code": "def run(value):\n    return 1"}}

    def publish(self, web: Web, who: str, *nodes: Any) -> Any:
        document = {"nodes": list(nodes), "edges": [{"from": "only", "to": "code"}] if len(nodes) > 1 else []}
        return web.ask("POST", "/pipelines/sales/publish", who, json={"document": document})

    def test_code_is_for_code_authors(self, web: Web) -> None:
        refused = self.publish(web, "ann", NODE, self.CODE)
        assert refused.status_code == 422
        (problem,) = refused.json()["details"]
        assert (problem["code"], problem["node"], problem["pointer"]) == ("right.code", "code", "/nodes/1/config/code")
        web.store.grants.give("pipeline", "sales", "user", "cody", "publisher", by="ann")
        assert self.publish(web, "cody", NODE, self.CODE).status_code == 201
        # What somebody with the right has published stays where others change the rest.
        assert self.publish(web, "ann", {**NODE, "config": {"value": 2}}, self.CODE).status_code == 201
        changed = {**self.CODE, "config": {"code": "def run(value):\n    return 2"}}
        assert self.publish(web, "ann", NODE, changed).status_code == 422
        web.store.grants.give("code", "", "user", "ann", "use", by="adam")
        assert self.publish(web, "ann", NODE, changed).status_code == 201
