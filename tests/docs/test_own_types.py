"""What the pages say of one's own node types, of bodies, of what is wired and of inputs, tried."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from airloom.checks.check import check
from airloom.nodes.catalog import catalog
from airloom.plan.build import build_plan
from airloom.runtime.trial import Trial, try_document
from airloom.spec.configuration import Configuration

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = re.compile(r"^```yaml\n(id: .*?)^```\n\n`(\w+)` gives:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A document, a node of it, and what the node gives."""
DOCUMENTS = {
    yaml.safe_load(text)["id"]: (yaml.safe_load(text), node, json.loads(given))
    for page in ("document.md", "write-a-node.md")
    for text, node, given in SHOWN.findall((DOCS / page).read_text())
}
pytestmark = pytest.mark.usefixtures("own_types")


def tried(document: Any, tmp_path: Path, *, write: bool = False) -> Trial:
    return try_document(document, Configuration(root=tmp_path, data=str(tmp_path / "data")), write=write)


def test_the_pages_show_documents_and_what_they_give() -> None:
    assert sorted(DOCUMENTS) == ["greetings", "order_total", "prices", "shares"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_gives_what_the_page_says(name: str, tmp_path: Path) -> None:
    document, node, given = DOCUMENTS[name]
    trial = tried(document, tmp_path)
    failing = ["share"] if name == "shares" else []
    assert (trial.problems, trial.unhandled) == ([], failing), trial.nodes
    (output,) = trial.nodes[node]["outputs"].values()
    assert output["value"] == given


def test_the_catalog_reads_every_file_that_is_shown() -> None:
    assert catalog().problems == []
    found = {declared.type: (declared.role, declared.effect) for declared in catalog().declarations()}
    assert {name: found[name] for name in ("round_prices", "send_text", "each_item", "exchange", "call_tools")} == {
        "round_prices": ("work", "pure"),
        "send_text": ("choice", "write"),
        "each_item": ("loop", "pure"),
        "exchange": ("config", "pure"),
        "call_tools": ("work", "pure"),
    }


@pytest.mark.parametrize(("longest", "port"), [(5, "sent"), (4, "refused")])
def test_an_action_that_chooses_fires_one_port(longest: int, port: str, tmp_path: Path) -> None:
    nodes = [
        {"id": "text", "type": "set", "config": {"value": "hello"}},
        {"id": "send", "type": "send_text", "config": {"longest": longest}},
    ]
    document = {"id": "sending", "nodes": nodes, "edges": [{"from": "text", "to": "send"}]}
    assert tried(document, tmp_path, write=True).nodes["send"]["fired"] == [port]
    assert tried(document, tmp_path).held_back == ["send"]


def looped(body: dict[str, Any]) -> dict[str, Any]:
    nodes = [
        {"id": "people", "type": "set", "config": {"value": ["Ada", "Bob"]}},
        {"id": "each", "type": "each_item", "body": body},
    ]
    return {"id": "looped", "nodes": nodes, "edges": [{"from": "people", "to": "each"}]}


def test_a_loop_with_a_body_that_writes_is_held_back(tmp_path: Path) -> None:
    sending = {"nodes": [{"id": "send", "type": "send_text"}], "edges": [{"from": "loop.item", "to": "send"}]}
    assert tried(looped(sending), tmp_path).held_back == ["each"]
    assert tried(looped(sending), tmp_path, write=True).nodes["each"]["outputs"]["value"]["value"] == [None, None]


def test_what_a_body_reads_comes_before_the_node_that_has_it() -> None:
    report = check(DOCUMENTS["greetings"][0])
    assert report.resolved is not None
    plan = build_plan(report.resolved)
    assert plan.nodes["each"].after == ("title.value",)
    assert plan.step("each").upstream == ("people", "title")


@pytest.mark.parametrize("name", ["loop", "inputs", "outputs", "finally", "run"])
def test_names_that_mean_something_else_are_no_ids(name: str) -> None:
    document = {"id": "named", "nodes": [{"id": name, "type": "set", "config": {"value": 1}}]}
    assert [problem.code for problem in check(document).problems] == ["node.reserved_id"]


def test_bodies_stand_ten_deep_in_each_other() -> None:
    def nested(depth: int) -> dict[str, Any]:
        inner = {"id": f"at_{depth}", "type": "each_item", "body": nested(depth - 1)} if depth else {
            "id": "at_0", "type": "set", "config": {"value": "{{ loop.item }}"}
        }  # fmt: skip
        edges = [{"from": "loop.item", "to": f"at_{depth}"}]
        return {"nodes": [inner], "edges": edges, "result": f"at_{depth}"}

    assert check(looped(nested(9))).correct
    assert "document.deep" in {problem.code for problem in check(looped(nested(10))).problems}


def test_a_body_reads_what_is_around_it_but_what_comes_after() -> None:
    document = looped({"nodes": [{"id": "last", "type": "set", "config": {"value": "{{ nodes.after.value }}"}}]})
    document["nodes"].append({"id": "after", "type": "set", "config": {"value": "{{ nodes.each.value }}"}})
    assert check({**document, "edges": document["edges"][:1]}).problems[0].code == "expression.not_upstream"
    document["edges"].append({"from": "each", "to": "after"})
    assert [problem.code for problem in check(document).problems] == ["expression.not_upstream"]
    document["nodes"][2]["config"]["value"] = "{{ nodes.last.value }}"
    assert "expression.unknown_node" in {problem.code for problem in check(document).problems}
