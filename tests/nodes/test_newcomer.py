"""Node types of a user's own folder, written as somebody who is new to the project writes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.nodes.catalog import Catalog, UnknownNodeType, catalog
from airloom.nodes.sdk import Node, ports_of
from airloom.nodes.testing import outputs_of, run_node, run_table
from airloom.spec.configuration import configuration

NEWCOMER = Path(__file__).parent / "newcomer"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the nodes as the folder of AIRLOOM_NODES."""
    own = tmp_path / "nodes"
    shutil.copytree(NEWCOMER, own, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("AIRLOOM_NODES", str(own))
    configuration.cache_clear()
    return own


def made(name: str, config: dict[str, Any]) -> Any:
    return catalog().get(name).model_validate(config)


def test_a_table_node_takes_fifteen_lines(folder: Path) -> None:
    assert len((folder / "round_numbers.py").read_text(encoding="utf-8").splitlines()) <= 15
    node = made("round_numbers", {"columns": ["PRICE"], "digits": 1})
    rows = [{"id": 1, "price": 1.25}, {"id": 2, "price": None}]
    assert run_table(node, rows=rows)["rows"].rows == [{"id": 1, "price": 1.3}, {"id": 2, "price": None}]


def test_the_guide_shows_these_nodes() -> None:
    guide = (NEWCOMER.parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert (NEWCOMER / "round_numbers.py").read_text(encoding="utf-8") in guide
    for name in ("route_by_language", "common_rows"):
        method = (NEWCOMER / f"{name}.py").read_text(encoding="utf-8").partition("    def ")[2]
        assert method in guide


def test_a_port_for_each_configured_rule(folder: Path) -> None:
    config = {"desks": [{"name": "berlin", "languages": ["de"]}, {"name": "paris", "languages": ["fr"]}]}
    node_class = catalog().get("route_by_language")
    assert [port.name for port in ports_of(node_class, config).outputs] == ["berlin", "paris", "nobody"]
    assert [(port.name, port.kind) for port in ports_of(node_class, config).inputs] == [("message", "object")]
    node = made("route_by_language", config)
    assert run_node(node, message={"language": "fr"}) == {"paris": {"language": "fr"}}
    assert run_node(node, message={"language": "it"}) == {"nobody": {"language": "it"}}


def test_many_inputs(folder: Path) -> None:
    assert [(port.name, port.many) for port in ports_of(catalog().get("common_rows"), {}).inputs] == [("tables", True)]
    tables = [[{"n": 1, "s": "a"}, {"n": 2, "s": "b"}, {"n": 2, "s": "b"}], [{"s": "b", "n": 2}], [{"n": 2, "s": "b"}]]
    assert run_table(made("common_rows", {}), tables=tables)["rows"].rows == [{"n": 2, "s": "b"}]


def test_the_nodes_stand_in_the_catalog_with_the_others(folder: Path) -> None:
    own = {node.declaration.type: node for node in catalog().all() if node.declaration.category == "own"}
    assert set(own) == {"round_numbers", "route_by_language", "common_rows"}
    assert own["round_numbers"].declaration.summary == "Round columns of numbers."
    assert catalog().get("filter").declaration.category == "tables"
    assert catalog().problems == []


@pytest.mark.parametrize("name", ["route_by_language", "common_rows"])
def test_their_examples_come_true(folder: Path, name: str) -> None:
    node_class: type[Node] = catalog().get(name)
    for example in node_class.examples:
        assert outputs_of(node_class, example) == example.outputs


def test_a_new_a_changed_and_a_removed_file_show_at_once(folder: Path) -> None:
    file = folder / "round_numbers.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("Round columns of numbers.", "Round them."), encoding="utf-8")
    assert catalog().get("round_numbers").declaration.summary == "Round them."
    file.rename(folder / "moved.py")
    assert catalog().get("round_numbers").declaration.summary == "Round them."
    (folder / "moved.py").unlink()
    with pytest.raises(UnknownNodeType):
        catalog().get("round_numbers")


def test_a_broken_file_takes_only_its_own_types_away(folder: Path) -> None:
    (folder / "common_rows.py").write_text("class CommonRows(Table):\n    nonsense\n", encoding="utf-8")
    found: Catalog = catalog()
    with pytest.raises(UnknownNodeType):
        found.get("common_rows")
    assert found.get("round_numbers") is not None
    assert [problem.code for problem in found.problems] == ["node.broken_file"]
    assert "common_rows.py cannot be read, line 1: NameError" in found.problems[0].message


def test_a_type_that_is_there_already_is_a_problem(folder: Path) -> None:
    shutil.copy(folder / "round_numbers.py", folder / "zz_again.py")
    found = catalog()
    assert found.get("round_numbers").__module__.startswith("airloom.nodes.own.round_numbers")
    assert [problem.code for problem in found.problems] == ["node.duplicate_type"]


def test_a_node_that_fails_while_it_is_checked_is_named(folder: Path) -> None:
    file = folder / "round_numbers.py"
    file.write_text(file.read_text(encoding="utf-8").replace("return rows", "return 1 / 0 * rows"), encoding="utf-8")
    nodes = [
        {"id": "birds", "type": "csv_read", "config": {"path": "include/data/penguins/penguins.csv"}},
        {"id": "rounded", "type": "round_numbers", "config": {"columns": ["bill_length_mm"], "digits": 1}},
        {"id": "kept", "type": "filter", "config": {"where": "nothing = 1"}},
    ]
    edges = [{"from": "birds", "to": "rounded"}, {"from": "birds", "to": "kept"}]
    found = check({"id": "birds", "nodes": nodes, "edges": edges}, Facts(files=Files.of(configuration()))).problems
    assert [(problem.node, problem.pointer) for problem in found] == [
        ("rounded", "/nodes/1"),
        ("kept", "/nodes/2/config/where"),
    ]
    assert "the node type 'round_numbers' cannot make its query: ZeroDivisionError" in found[0].message
