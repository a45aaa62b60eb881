"""Templates: whoever may make pipelines begins one from a document of the package, or from a pipeline with the tag."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import Web
from tests.web.test_client import Mounted

from airloom.dags.actor import administrator
from airloom.dags.publishing import publish
from airloom.spec.template import templates
from airloom.web.client import Client


def test_they_are_listed_and_read(web: Web) -> None:
    listed = web.ask("GET", "/templates", "viv").json()
    assert [one["id"] for one in listed] == list(templates())
    assert "document" not in listed[0]
    found = web.get("/templates/clean_file", "viv")
    assert (found["category"], list(found["params"])) == ("files", ["heaviest"])
    assert "id" not in found["document"]
    unknown = web.ask("GET", "/templates/no_such", "viv")
    assert (unknown.status_code, "clean_file" in unknown.json()["details"]["hint"]) == (404, True)


@pytest.mark.parametrize("name", ["", "Mine"])
def test_a_pipeline_begins_from_one(web: Web, name: str) -> None:
    body = {"id": "mine", "name": name, "template": "clean_file"}
    made = web.ask("POST", "/pipelines", "ann", json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["name"], made.json()["version"]) == (name or "Clean a file", 0)
    draft = web.get("/pipelines/mine/draft", "ann")["document"]
    assert (draft["id"], draft["name"]) == ("mine", name or "Clean a file")
    checked = web.ask("POST", "/pipelines/mine/draft/check", "ann").json()
    assert checked["problems"] == []
    assert web.ask("POST", "/pipelines/mine/publish", "ann", json={}).status_code == 201


def test_what_cannot_begin_so_makes_nothing(web: Web) -> None:
    for body in ({"template": "no_such"}, {"template": "clean_file", "document": {"nodes": []}}):
        answer = web.ask("POST", "/pipelines", "ann", json={"id": "mine", **body})
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    assert web.ask("POST", "/pipelines", "viv", json={"id": "mine", "template": "clean_file"}).status_code == 403
    assert web.get("/pipelines", "adam")["items"] == []


def test_the_client(web: Web) -> None:
    with Client("http://airflow.example", web.tokens["ann"], transport=Mounted(web)) as client:
        first = client.templates()[0]
        assert client.template(first.id).document["name"] == first.name
        assert client.make_pipeline("mine", template=first.id).name == first.name
        assert client.draft("mine").document["nodes"] == client.template(first.id).document["nodes"]


MONTHLY: dict[str, Any] = {
    "id": "monthly",
    "name": "Monthly report",
    "description": "Counts penguins.",
    "tags": ["reports", "template"],
    "schedule": {"cron": "0 6 1 * *"},
    "settings": {"enabled": False, "retries": 2},
    "nodes": [{"id": "penguins", "type": "csv_read", "config": {"path": "include/data/penguins/penguins.csv"}}],
}


@pytest.fixture
def monthly(web: Web) -> None:
    """Publish a pipeline of ann's that is a template, which cody may read."""
    assert publish(web.store, MONTHLY, actor=administrator("ann")).version
    web.store.grants.give("pipeline", "monthly", "user", "cody", "reader", by="ann")


def test_a_pipeline_with_the_tag_is_one(web: Web, monthly: None) -> None:
    listed = web.ask("GET", "/templates", "cody").json()
    assert listed[-1] == {
        "id": "pipeline:monthly", "name": "Monthly report", "category": "pipelines",
        "description": "Counts penguins.", "owner": "ann",
    }  # fmt: skip
    assert {one["owner"] for one in listed[:-1]} == {None}
    made = web.ask("POST", "/pipelines", "cody", json={"id": "mine", "template": "pipeline:monthly"})
    assert (made.status_code, made.json()["name"], made.json()["version"]) == (201, "Monthly report", 0), made.text
    draft = web.get("/pipelines/mine/draft", "cody")["document"]
    assert draft == {**MONTHLY, "id": "mine", "tags": ["reports"], "settings": {"retries": 2}}
    assert web.ask("POST", "/pipelines/mine/publish", "cody", json={}).status_code == 201
    assert [one["id"] for one in web.ask("GET", "/templates", "cody").json()] == [one["id"] for one in listed]


def test_who_may_not_read_it_cannot_tell_it_from_none(web: Web, monthly: None) -> None:
    assert [one["id"] for one in web.ask("GET", "/templates", "bob").json()] == list(templates())
    for path, body in (("/templates/{}", None), ("/pipelines", {"id": "mine", "template": "{}"})):
        answers = []
        for name in ("pipeline:monthly", "pipeline:monthlx"):
            asked = {key: value.format(name) for key, value in (body or {}).items()}
            answer = web.ask("POST" if body else "GET", path.format(name), "bob", **({"json": asked} if body else {}))
            answers.append((answer.status_code, {**answer.json(), "correlation_id": ""}, name))
        (status, first, one), (same, second, other) = answers
        assert (status, str(first).replace(one, "ID")) == (same, str(second).replace(other, "ID"))
        assert status == (422 if body else 404)


def test_only_a_live_version_with_the_tag_is_one(web: Web, monthly: None) -> None:
    def listed() -> list[str]:
        return [one["id"] for one in web.ask("GET", "/templates", "ann").json()][len(templates()) :]

    assert listed() == ["pipeline:monthly"]
    web.store.archive("monthly", "ann")
    assert listed() == []
    publish(web.store, {**MONTHLY, "tags": ["reports"]}, actor=administrator("ann"))
    assert listed() == []
    web.store.create("begun", by="ann")
    web.store.drafts.save("begun", {**MONTHLY, "id": "begun"}, etag=None, author="ann")
    assert listed() == []


def test_what_it_uses_is_asked_for_anew(web: Web, monthly: None) -> None:
    nodes = [{"id": "code", "type": "python_code", "config": {"code": "def run(inputs):\n    return {}"}}]
    assert publish(web.store, {**MONTHLY, "nodes": nodes}, actor=administrator("ann")).version
    web.store.grants.give("pipeline", "monthly", "user", "bob", "reader", by="ann")
    assert web.ask("POST", "/pipelines", "bob", json={"id": "mine", "template": "pipeline:monthly"}).status_code == 201
    refused = web.ask("POST", "/pipelines/mine/publish", "bob", json={})
    assert (refused.status_code, [one["code"] for one in refused.json()["details"]]) == (422, ["right.code"])
