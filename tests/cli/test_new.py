"""new, templates: a document to begin from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from airloom.spec.template import templates
from airloom.store.store import Store

SAMPLES = Path(__file__).parents[2] / "include" / "data"


def test_what_it_writes_can_be_tried_at_once(airloom: Any, project: Path) -> None:
    answer = airloom("new", "mine", "--template", "clean_file")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "mine.yaml"), answer.complaint
    shutil.copytree(SAMPLES / "penguins", project / "include" / "data" / "penguins")
    tried = airloom("try", "mine.yaml", "--write", "--json").json
    assert {node["state"] for node in tried["nodes"].values()} == {"success"}
    assert {path.name for path in (project / "output").iterdir()} == {"clean_file.parquet", "clean_file_rejects.csv"}


def test_the_file_says_the_form(airloom: Any, project: Path) -> None:
    answer = airloom("new", "mine", "--template", "quality_gate", "--output", "other.json", "--json")
    assert answer.json == {"pipeline": "mine", "template": "quality_gate", "file": "other.json"}
    document = json.loads((project / "other.json").read_text())
    assert (document["id"], document["name"]) == ("mine", "Quality gate")


def test_they_are_listed(airloom: Any) -> None:
    assert [one["id"] for one in airloom("templates", "--json").json] == list(templates())
    assert "Reads a CSV file" in airloom("templates").out


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (("mine", "--template", "clean_fil"), "clean_file"),
        (("Mine-1", "--template", "clean_file"), "cannot be the id"),
        (("mine", "--template", "clean_file", "-o", "there.yaml"), "is there already"),
        (("mine", "--template", "clean_file", "-o", "no/such/folder.yaml"), "cannot be written"),
    ],
    ids=["template", "id", "file", "folder"],
)
def test_what_cannot_be_begun_writes_nothing(airloom: Any, project: Path, given: tuple[str, ...], word: str) -> None:
    (project / "there.yaml").write_text("mine")
    answer = airloom("new", *given)
    assert (answer.code, word in answer.complaint) == (1, True), answer.complaint
    assert [path.name for path in project.glob("*.*")] == ["there.yaml"]
    assert (project / "there.yaml").read_text() == "mine"


def test_a_pipeline_with_the_tag_is_one(
    airloom: Any, project: Path, store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"id": "monthly", "tags": ["template"], "owner": "Finance", "nodes": []}
    store.publish(document, {"nodes": {}}, author="ann", source="api")
    monkeypatch.setenv("AIRLOOM_DATABASE_URL", store_url)
    assert airloom("templates", "--json").json[-1] == {
        "id": "pipeline:monthly", "name": "monthly", "category": "pipelines", "description": "", "owner": "Finance",
    }  # fmt: skip
    assert airloom("new", "mine", "--template", "pipeline:monthly", "-o", "mine.json").code == 0
    assert json.loads((project / "mine.json").read_text()) == {"id": "mine", "owner": "Finance", "nodes": []}
    wrong = airloom("new", "other", "--template", "pipeline:monthl")
    assert (wrong.code, "pipeline:monthly" in wrong.complaint) == (1, True)


def test_without_an_installation_there_are_those_of_the_package(
    airloom: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_DATABASE_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
    answer = airloom("templates", "--json")
    assert ([one["id"] for one in answer.json], "pipelines" in answer.complaint) == (list(templates()), True)
    assert airloom("new", "mine", "--template", "clean_file").code == 0
    assert airloom("new", "other", "--template", "pipeline:monthly").code == 3
