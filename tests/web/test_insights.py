"""What a pipeline does: columns, SQL, previews of a draft, and who depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.answering import answering
from tests.web.conftest import Web

from airloom.runtime import preview

PENGUINS = "include/data/penguins/penguins.csv"
READ = {"id": "penguins", "type": "csv_read", "config": {"path": PENGUINS, "null_values": ["NA"]}}
HEAVY = {"id": "heavy", "type": "filter", "config": {"where": "body_mass_g > {{ params.grams }}"}}
WRITE = {"id": "save", "type": "csv_write", "config": {"path": "output/insights.csv"}}
CODE = {"code": "def run(value):\n    return 1\n"}
DOCUMENT: dict[str, Any] = {
    "id": "weigh",
    "params": {"grams": {"type": "integer", "default": 4000}},
    "nodes": [READ, HEAVY, WRITE],
    "edges": [{"from": "penguins", "to": "heavy"}, {"from": "heavy", "to": "save"}],
}


def test_columns_at_every_port(web: Web) -> None:
    found = web.ask("POST", "/pipelines/columns", "ann", json=DOCUMENT).json()
    assert {"penguins.rows", "heavy.rows"} <= found["ports"].keys()
    assert ["species", "VARCHAR"] in found["ports"]["heavy.rows"]


def test_sql_of_versions_and_of_the_draft(web: Web) -> None:
    fixed = {**HEAVY, "config": {"where": "body_mass_g > 1"}}
    assert web.ask("POST", "/pipelines", "ann", json={"id": "weigh", "document": DOCUMENT}).status_code == 201
    published = {**DOCUMENT, "nodes": [READ, fixed, WRITE]}
    answer = web.ask("POST", "/pipelines/weigh/publish", "ann", json={"document": published})
    assert answer.status_code == 201, answer.text
    (current,) = web.ask("GET", "/pipelines/weigh/sql", "ann").json()
    assert (current["node"], current["port"]) == ("heavy", "rows")
    assert '"body_mass_g" > 1' in current["sql"]
    (draft,) = web.ask("GET", "/pipelines/weigh/sql?of=draft", "ann").json()
    assert draft["sql"] is None  # an expression stands in it


class TestPreview:
    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # The first one waits for the server of child processes to import Airflow.
        monkeypatch.setattr(preview, "SECONDS", 120.0)
        monkeypatch.setattr("airloom.worker.previews.SECONDS", 120.0)

    def test_a_node_of_the_draft_runs_and_nothing_is_written(self, web: Web) -> None:
        web.ask("POST", "/pipelines", "ann", json={"id": "weigh", "document": DOCUMENT})
        with answering(web.store):
            asked = {"node": "save", "params": {"grams": 6000}, "rows": 300, "sample": 2}
            answer = web.ask("POST", "/pipelines/weigh/preview", "ann", json=asked)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert (found["problems"], found["held_back"]) == ([], ["save"])
            heavy = found["nodes"]["heavy"]["outputs"]["rows"]
            assert 0 < heavy["rows"] < 300
            assert len(heavy["sample"]) == 2
            assert found["nodes"]["penguins"]["outputs"]["rows"]["rows"] == 300
            pinned = {**asked, "node": "heavy", "params": {}, "pins": {"penguins": {"rows": {
                "kind": "table", "columns": [{"name": "body_mass_g", "type": "INTEGER"}],
                "sample": [{"body_mass_g": 1}, {"body_mass_g": 5000}],
            }}}}  # fmt: skip
            outputs = web.ask("POST", "/pipelines/weigh/preview", "ann", json=pinned).json()["nodes"]["heavy"][
                "outputs"
            ]
            assert outputs["rows"]["sample"] == [{"body_mass_g": 5000}]
            wrong = {"node": "heavy", "pins": {"penguins": 1}}
            assert web.ask("POST", "/pipelines/weigh/preview", "ann", json=wrong).status_code == 422

    def test_what_one_may_not_publish_one_may_not_preview(self, web: Web) -> None:
        code = {"id": "code", "type": "python_code", "config": CODE}
        web.ask("POST", "/pipelines", "ann", json={"id": "coded", "document": {"nodes": [code]}})
        answer = web.ask("POST", "/pipelines/coded/preview", "ann", json={"node": "code"})
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (403, "right.code")


def test_who_reads_what_a_pipeline_writes(web: Web) -> None:
    def publish(who: str, document: dict[str, Any]) -> None:
        answer = web.ask("POST", "/pipelines/import", who, json=document)
        assert answer.status_code == 200, answer.text

    publish("ann", DOCUMENT)
    for name, who in (("of_ann", "ann"), ("of_bob", "bob")):
        read = {"id": "again", "type": "csv_read", "config": {"path": "./output/insights.csv"}}
        publish(who, {"id": name, "nodes": [read]})
    publish("ann", {**DOCUMENT, "id": "writes_too"})
    readers = web.get("/pipelines/weigh/impact", "ann")["readers"]
    assert [(one["pipeline"], one["node"], one["kind"], one["writer"]) for one in readers] == [
        ("of_ann", "again", "path", "save")
    ]
    assert len(web.get("/pipelines/weigh/impact", "adam")["readers"]) == 2
