"""Templates: whoever may make pipelines begins one from a document that comes with the product."""

from __future__ import annotations

import pytest
from tests.web.conftest import Web
from tests.web.test_client import Mounted

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
