"""What every node of the catalog has to keep to; a new node is tested here without a word about it.

A node's JSON Schema is kept in `schemas/`: documents, forms and editors rely on it. After a change that is meant, write
it anew with `AIRLOOM_WRITE_SCHEMAS=1 python -m pytest tests/nodes/test_conformance.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from airloom.engine.relation import ColumnsUnknown, Relation, exp
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.nodes.sdk import Control, Example, Node, Table, Transform, ports_of
from airloom.nodes.testing import Rows, outputs_of, run_table, typed
from airloom.runtime.trial import try_document
from airloom.spec.configuration import Configuration
from airloom.spec.document import IDENTIFIER

SCHEMAS = Path(__file__).parent / "schemas"
NODES = [node for node in catalog().all() if node.declaration.category != "own"]
EXAMPLES = [
    pytest.param(node, example, id=f"{node.declaration.type}-{example.title}")
    for node in NODES
    for example in node.examples
]
TABLE_EXAMPLES = [
    pytest.param(node, example, id=f"{node.declaration.type}-{example.title}")
    for node in NODES
    if issubclass(node, Table)
    for example in node.examples
]
VENDORS = {"duckdb", "sqlglot", "pandas", "numpy", "pyarrow", "sqlalchemy", "psycopg", "airflow", "fsspec", "jinja2"}
WRONG: list[Any] = [None, 5, "text", [None, 5, {}], {"a": None}]

every_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.declaration.type)
every_example = pytest.mark.parametrize(("node", "example"), EXAMPLES)
every_table_example = pytest.mark.parametrize(("node", "example"), TABLE_EXAMPLES)


def test_the_catalog_has_no_problems() -> None:
    assert NODES
    assert catalog().problems == []


@every_node
def test_a_node_says_what_it_is(node: type[Node]) -> None:
    declaration = node.declaration
    assert re.fullmatch(IDENTIFIER, declaration.type)
    assert declaration.summary.endswith("."), "the docstring's first line is a sentence"
    assert len(declaration.summary) <= 120
    assert declaration.category == node.__module__.split(".")[2]
    assert declaration.version >= 1
    assert declaration.stability in ("stable", "preview")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", declaration.icon), "a name of Lucide's"
    assert catalog().get(declaration.type) is node


@every_node
def test_every_field_is_described(node: type[Node]) -> None:
    assert [at for at, part in fields_of(node.config_schema()) if not part.get("description")] == []


@every_node
def test_a_node_shows_itself_at_work(node: type[Node]) -> None:
    assert node.examples
    if issubclass(node, Table | Transform | Control) and node.declaration.outputs != ():
        assert any(example.outputs for example in node.examples)


@every_node
def test_a_preset_is_a_ready_config(node: type[Node]) -> None:
    presets = node.declaration.presets
    assert len({preset.name for preset in presets}) == len(presets)
    for preset in presets:
        assert re.fullmatch(IDENTIFIER, preset.name)
        assert preset.title
        assert node.model_validate(preset.config)


@every_node
def test_the_schema_of_the_config_is_valid_and_as_it_was(node: type[Node]) -> None:
    schema = json.loads(json.dumps(node.config_schema()))
    Draft202012Validator.check_schema(schema)
    kept = SCHEMAS / f"{node.declaration.type}.json"
    if os.environ.get("AIRLOOM_WRITE_SCHEMAS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert kept.is_file(), "no schema is kept yet: see the head of this file"
    assert json.loads(kept.read_text(encoding="utf-8")) == schema


def test_no_schema_is_kept_of_a_node_that_is_gone() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {node.declaration.type for node in NODES}


@every_node
def test_unknown_fields_are_refused(node: type[Node]) -> None:
    with pytest.raises(ValidationError, match="no_such_field"):
        node.model_validate({"no_such_field": 1})


@every_example
def test_a_config_survives_a_round_trip(node: type[Node], example: Example) -> None:
    made = node.model_validate(example.config)
    written = json.dumps(made.model_dump(mode="json", exclude_unset=True))
    again = node.model_validate(json.loads(written))
    assert again == made
    assert json.dumps(again.model_dump(mode="json", exclude_unset=True)) == written


@every_example
def test_a_config_meets_the_schema(node: type[Node], example: Example) -> None:
    Draft202012Validator(node.config_schema()).validate(json.loads(json.dumps(example.config)))


@every_example
def test_ports_have_names_and_are_the_same_for_config_and_instance(node: type[Node], example: Example) -> None:
    ports = ports_of(node, example.config)
    assert ports == ports_of(node, node.model_validate(example.config))
    for side in (ports.inputs, ports.outputs):
        names = [port.name for port in side]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(IDENTIFIER, name) and name != "error" for name in names)


@every_node
def test_ports_of_a_config_that_is_wrong_raise_nothing(node: type[Node]) -> None:
    for field in node.model_fields:
        for value in WRONG:
            assert ports_of(node, {field: value}) is not None


@every_example
def test_what_an_example_promises_comes_true(node: type[Node], example: Example) -> None:
    if example.body is not None:
        assert looped(node, example) == example.outputs
    elif example.outputs:
        assert in_any_order(outputs_of(node, example)) == in_any_order(dict(example.outputs))


def looped(node: type[Node], example: Example) -> dict[str, Any]:
    """Return what a node with a body gives for an example, in a document of its own."""
    given = [{"id": port, "type": "set", "config": {"value": value}} for port, value in example.inputs.items()]
    tried = {"id": "tried", "type": node.declaration.type, "config": example.config, "body": example.body}
    edges = [{"from": port, "to": f"tried.{port}"} for port in example.inputs]
    trial = try_document({"id": "example", "nodes": [*given, tried], "edges": edges}, Configuration())
    assert trial.ok, trial.problems
    return {port: output["value"] for port, output in trial.nodes["tried"]["outputs"].items()}


@every_table_example
def test_a_table_node_takes_tables_without_rows(node: type[Table], example: Example) -> None:
    made = node.model_validate(example.config)
    full = run_table(made, **example.inputs)
    empty = run_table(made, **{port: emptied(rows) for port, rows in example.inputs.items()})
    for port, answer in empty.items():
        assert answer.columns == full[port].columns
        assert len(answer.values) <= 1  # figures over all rows are there without rows, too


@every_table_example
def test_a_table_node_without_known_columns_gives_a_query_or_says_so(node: type[Table], example: Example) -> None:
    made = node.model_validate(example.config)
    relations: dict[str, Any] = {
        port.name: [Relation("a.rows"), Relation("b.rows")] if port.many else Relation(f"{port.name}.rows")
        for port in ports_of(node, made).inputs
    }
    try:
        queries = queries_of(made, relations)
    except ColumnsUnknown:
        return
    assert all(query.sql("duckdb") for query in queries.values())


@every_table_example
def test_a_query_is_portable_and_the_same_each_time(node: type[Table], example: Example) -> None:
    if node.declaration.type == "sql":
        pytest.skip("the query is the user's")
    made = node.model_validate(example.config)
    relations = {port: relation_of(port, rows) for port, rows in example.inputs.items()}
    queries = queries_of(made, relations)
    assert {port: query.sql("duckdb") for port, query in queries.items()} == {
        port: query.sql("duckdb") for port, query in queries_of(made, relations).items()
    }
    for query in queries.values():
        assert not list(query.find_all(exp.Qualify, exp.Pivot))
        assert not [join for join in query.find_all(exp.Join) if join.method]
        for select in query.find_all(exp.Select):
            windows = [item for item in select.expressions if item.find(exp.Window)]
            assert not (windows and any(item.is_star for item in select.expressions))
        for ordered in query.find_all(exp.Ordered):
            assert ordered.args.get("nulls_first") is False


def test_the_catalog_imports_no_vendor_library() -> None:
    code = (
        "import sys; from airloom.nodes.catalog import catalog; "
        "[(node.config_schema(), node.declaration) for node in catalog().all()]; print('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.splitlines()} & VENDORS == set()


def fields_of(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each field of a schema and of the models in it."""
    for name, part in schema.get("properties", {}).items():
        yield f"{at}/{name}", part
    for name, part in schema.get("$defs", {}).items():
        yield from fields_of(part, f"{at}#{name}")


def in_any_order(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs with the rows of tables sorted: only `sort` promises an order, and its own tests hold it."""
    return {
        port: sorted(value, key=repr) if isinstance(value, list) and value and isinstance(value[0], dict) else value
        for port, value in outputs.items()
    }


def emptied(rows: Any) -> Any:
    """Return a table, or each of several, without its rows."""
    if rows and not isinstance(rows[0], dict):
        return [emptied(table) for table in rows]
    return Rows(typed(rows).columns)


def relation_of(port: str, rows: Any) -> Any:
    """Return the relation of an example's table, or of each of several, for a query without forms of DuckDB's own."""
    if rows and not isinstance(rows[0], dict):
        return [relation_of(f"{port}{at}", table) for at, table in enumerate(rows)]
    return Relation(f"{port}.rows", typed(rows).columns, engine="spark")
