"""Files of the drop folder that cannot be published: who sees which, and how many problems a pipeline's file has."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import Web

from airloom.spec.problem import Problem
from airloom.store.problems import FOLDER

PROBLEM = Problem(
    "node.unknown_type", "there is no node type 'csv_reed'", node="load", pointer="/nodes/0/type",
    hint="did you mean 'csv_read'?", line=3, column=5,
)  # fmt: skip


@pytest.fixture
def broken(web: Web) -> None:
    """Let the files of pipelines that ann may read be broken, and others that concern these or nothing."""
    for pipeline in ("sales", "stock"):
        path = f"{pipeline}.yaml"
        web.store.publish({"id": pipeline}, {"nodes": {}}, author="drop folder", source="file", path=path)
        web.store.grants.give("pipeline", pipeline, "user", "ann", "reader", by="adam")
    web.store.problems.set("sales.yaml", [PROBLEM, PROBLEM], "sales")
    web.store.problems.set("sales copy.yaml", [PROBLEM], "sales")
    web.store.problems.set("stock.yaml", [PROBLEM], "a_new_id")
    web.store.problems.set("new.yaml", [PROBLEM], "not_yet_there")
    web.store.problems.set("empty.json", [Problem("text.syntax", "it ends too early")])
    web.store.problems.set(FOLDER, [Problem("folder.loss", "2 files are gone at once: sales.yaml, stock.yaml")])
    web.store.problems.set("corrected.yaml", [PROBLEM], "sales")
    web.store.problems.clear("corrected.yaml")


def listed(web: Web, who: str) -> list[dict[str, Any]]:
    """Return the broken files that somebody sees."""
    return list(web.get("/problems", who)["items"])


def test_a_problem_is_told_with_its_place_and_hint(web: Web, broken: None) -> None:
    (file,) = [file for file in listed(web, "adam") if file["path"] == "new.yaml"]
    assert file == {
        "path": "new.yaml",
        "pipeline": "not_yet_there",
        "problems": [
            {
                "code": "node.unknown_type",
                "message": "there is no node type 'csv_reed'",
                "hint": "did you mean 'csv_read'?",
                "severity": "error",
                "node": "load",
                "pointer": "/nodes/0/type",
                "line": 3,
                "column": 5,
            }
        ],
    }


def test_who_sees_which(web: Web, broken: None) -> None:
    seen = {who: {file["path"] for file in listed(web, who)} for who in ("adam", "ann", "bob")}
    of_none = {"empty.json", "new.yaml"}
    of_ann = {"sales.yaml", "sales copy.yaml", "stock.yaml"}
    assert seen == {"adam": {FOLDER, *of_none, *of_ann}, "ann": of_none | of_ann, "bob": of_none}
    web.store.grants.give("pipeline", "sales", "user", "bob", "reader", by="ann")
    assert {file["path"] for file in listed(web, "bob")} == of_none | {"sales.yaml", "sales copy.yaml"}
    assert web.ask("GET", "/problems", "viv").status_code == 403


def test_they_come_in_pages(web: Web, broken: None) -> None:
    paths: list[str] = []
    cursor = ""
    while True:
        page = web.get(f"/problems?limit=2{cursor}", "ann")
        paths += [file["path"] for file in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paths == [file["path"] for file in listed(web, "ann")]
    assert len(paths) == 5


def test_the_list_of_pipelines_counts_those_of_the_file(web: Web, broken: None) -> None:
    web.store.create("made_here", by="ann")
    counts = {item["id"]: item["problems"] for item in web.get("/pipelines", "ann")["items"]}
    assert counts == {"sales": 2, "stock": 1, "made_here": 0}
    web.store.problems.clear("sales.yaml")
    assert web.get("/pipelines?search=sales", "ann")["items"][0]["problems"] == 0
