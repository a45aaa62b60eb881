"""list, show, versions, export on a store; and what all commands say where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.plan.build import build_plan
from airloom.store.store import Store

Json = dict[str, Any]


@pytest.fixture
def published(sales: Json, store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Json:
    """Return a document of which the configured store holds two versions, beside an archived pipeline."""
    monkeypatch.setenv("AIRLOOM_DATABASE_URL", store_url)
    second = {**sales, "tags": ["finance"], "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}}
    for document, message in (({**sales, "id": "old"}, ""), (sales, "the first"), (second, "run it at night")):
        report = check(document)
        assert report.resolved is not None
        plan = build_plan(report.resolved).to_json()
        store.publish(document, plan, author="ann", message=message, source="api")
    store.archive("old", "ben")
    return second


class TestList:
    def test_json(self, airloom: Any, published: Json, snapshot: Any) -> None:
        answer = airloom("list", "--json")
        assert answer.code == 0
        snapshot("list", answer.json)

    def test_archived(self, airloom: Any, published: Json) -> None:
        answer = airloom("list", "--archived", "--json")
        assert [(found["id"], found["archived"], found["updated_by"]) for found in answer.json] == [
            ("old", True, "ben")
        ]

    def test_people_see_a_table(self, airloom: Any, published: Json) -> None:
        head, line = airloom("list").out.splitlines()
        assert head.split()[:3] == ["pipeline", "version", "schedule"]
        assert line.split()[:2] == ["sales", "2"]


class TestShow:
    def test_json(self, airloom: Any, published: Json, snapshot: Any) -> None:
        answer = airloom("show", "sales", "--json")
        assert answer.code == 0
        shown = answer.json
        assert shown["version"].pop("plan")["version"] == 2
        assert len(shown["version"].pop("hash")) == 64
        snapshot("show", shown)

    def test_people_see_nodes_with_their_tasks(self, airloom: Any, published: Json) -> None:
        answer = airloom("show", "sales")
        assert answer.out.startswith("Sales\nversion 2 of 2, by ann, ")
        assert "runs 0 2 * * * Europe/Berlin\n" in answer.out
        assert "by_day    aggregate  orders-save" in answer.out

    def test_an_earlier_version(self, airloom: Any, published: Json) -> None:
        answer = airloom("show", "sales", "--version", "1", "--json")
        assert answer.json["pipeline"]["version"] == 2
        assert (answer.json["version"]["number"], answer.json["version"]["message"]) == (1, "the first")


class TestVersions:
    def test_json(self, airloom: Any, published: Json, snapshot: Any) -> None:
        answer = airloom("versions", "sales", "--json")
        assert answer.code == 0
        found = answer.json
        assert len({version.pop("hash") for version in found}) == 2
        snapshot("versions", found)

    def test_people_see_which_is_current(self, airloom: Any, published: Json) -> None:
        _, second, first = airloom("versions", "sales").out.splitlines()
        assert second.split()[:3] == ["2", "*", "ann"]
        assert first.split()[:2] == ["1", "ann"]
        assert first.rstrip().endswith("the first")


class TestExport:
    def test_json_is_the_document(self, airloom: Any, published: Json, sales: Json) -> None:
        for arguments in ([], ["--json"], ["--format", "json"]):
            answer = airloom("export", "sales", *arguments)
            assert (answer.code, answer.json) == (0, published)
        assert airloom("export", "sales", "--version", "1").json == sales

    def test_what_is_exported_can_be_tried_elsewhere(self, airloom: Any, published: Json, project: Path) -> None:
        assert airloom("export", "sales", "--format", "yaml", "-o", "copy.yaml").out == ""
        assert (project / "copy.yaml").read_text().startswith("id: sales\nname: Sales\n")
        assert airloom("try", "copy.yaml").code == 0


class TestWrongInputs:
    @pytest.mark.parametrize("command", [["show"], ["versions"], ["export"]])
    def test_an_unknown_pipeline(self, command: list[str], airloom: Any, published: Json) -> None:
        answer = airloom(*command, "sale")
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint.startswith("Error: there is no pipeline 'sale'")

    @pytest.mark.parametrize("command", ["show", "export"])
    def test_an_unknown_version(self, command: str, airloom: Any, published: Json) -> None:
        answer = airloom(command, "sales", "--version", "9")
        assert (answer.code, answer.out) == (1, "")
        assert "version 9" in answer.complaint

    def test_a_form_that_is_not_known(self, airloom: Any, published: Json) -> None:
        answer = airloom("export", "sales", "--format", "xml")
        assert answer.code == 2
        assert "'xml' is not one of" in answer.complaint

    def test_a_file_that_cannot_be_written(self, airloom: Any, published: Json, project: Path) -> None:
        answer = airloom("export", "sales", "-o", "no/such/folder.json")
        assert answer.code == 1
        assert answer.complaint == "Error: no/such/folder.json cannot be written: No such file or directory\n"


COMMANDS = [
    ["list"],
    ["show", "a"],
    ["versions", "a"],
    ["export", "a"],
    ["archive", "a"],
    ["rollback", "a", "1"],
    ["run", "a"],
]


class TestStore:
    @pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
    def test_without_a_store_the_hint_says_what_to_do(self, arguments: list[str], airloom: Any) -> None:
        answer = airloom(*arguments)
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint == (
            "Error field 'AIRLOOM_DATABASE_URL': no store is configured\n"
            "  start an installation with airloom up, or set it to the URL of a PostgreSQL database\n"
        )

    def test_a_store_that_does_not_answer_ends_with_3(self, airloom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", "postgresql+psycopg://ann:hush@127.0.0.1:1/store")
        answer = airloom("list")
        assert (answer.code, answer.out) == (3, "")
        assert "does not answer" in answer.complaint
        assert "hush" not in answer.complaint

    @pytest.mark.usefixtures("airflow_database")
    @pytest.mark.parametrize("arguments", [["list"], ["publish", "sales.json"]], ids=lambda arguments: arguments[0])
    def test_a_store_without_tables_says_what_to_do(
        self, arguments: list[str], airloom: Any, sales: Json, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", database_url)
        answer = airloom(*arguments)
        assert (answer.code, answer.out) == (3, "")
        first, second = answer.complaint.splitlines()
        assert first.startswith("Error: the tables of the store are not those of this release: relation ")
        assert second.startswith("  run airloom prepare")

    def test_an_address_that_is_none_is_not_repeated(self, airloom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_DATABASE_URL", "ann:hush")
        answer = airloom("list")
        assert (answer.code, answer.out) == (1, "")
        assert "hush" not in answer.complaint

    def test_a_setting_that_is_wrong_is_named(self, airloom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRLOOM_THREADS", "many")
        answer = airloom("list")
        assert (answer.code, answer.out) == (1, "")
        assert answer.complaint.startswith("Error field 'AIRLOOM_THREADS': ")


def test_json_is_one_value_that_can_be_read(airloom: Any, published: Json) -> None:
    for arguments in (["list"], ["show", "sales"], ["versions", "sales"], ["export", "sales"], ["nodes"]):
        answer = airloom(*arguments, "--json")
        assert answer.code == 0
        json.loads(answer.out)
