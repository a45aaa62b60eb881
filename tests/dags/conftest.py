"""What tests of Airflow's side share: an Airflow home of their own, pipelines, and their plans."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airloom.checks.resolved import Resolved, ResolvedNode, Wire
from airloom.nodes.ports import Port
from airloom.nodes.sdk import Node, Ports
from airloom.plan.build import build_plan
from airloom.spec.configuration import configuration
from airloom.spec.document import Document, Edge

Json = dict[str, Any]


def _plan_of(document: Json) -> Json:
    read = Document.model_validate(document)
    nodes = {}
    for entry in read.nodes:
        outputs = tuple(Port(name) for name in entry.config.get("outputs", ["value"]))
        inputs = () if entry.config.get("source") else (Port("value", many=True),)
        declaration = SimpleNamespace(type=entry.type, version=1, role=entry.config.get("role", "work"))
        node_class = cast(type[Node], SimpleNamespace(declaration=declaration, method="run", step_kind="node"))
        nodes[entry.id] = ResolvedNode(entry, node_class, Ports(inputs, outputs), "write")
    wires = []
    for edge in read.edges:
        node, output = Edge.split(edge.source)
        wires.append(Wire(node, output or "value", edge.target, "value"))
    return build_plan(Resolved(read, nodes, tuple(wires))).to_json()


@pytest.fixture(scope="session")
def plan_of() -> Callable[[Json], Json]:
    """Return a function that plans a document; the config of its nodes says their role and their outputs."""
    return _plan_of


@pytest.fixture
def sales() -> Json:
    """Return a document of two nodes that says something in every field that Airflow shows."""
    return {
        "id": "daily_sales",
        "name": "Daily sales",
        "description": "# Sales\n\nOf each day.",
        "tags": ["sales", "daily", "finance", "europe"],
        "owner": "data-team",
        "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "start": "2026-01-01T00:00:00"},
        "params": {"region": {"type": "string", "default": "EU", "title": "Region", "description": "Where"}},
        "settings": {"retries": 2, "retry_delay": "10s", "timeout": "1h", "pool": "small", "priority": 5},
        "nodes": [
            {"id": "orders", "type": "orders_read", "name": "Orders", "config": {"source": True, "path": "o.csv"}},
            {"id": "load", "type": "load_write", "description": "Into the warehouse", "config": {"table": "sales"}},
        ],
        "edges": [{"from": "orders", "to": "load"}],
    }


@pytest.fixture
def branches() -> Json:
    """Return a document in which a switch leads to one node by two ports, and to another that has other sources."""

    def node(identifier: str, **config: Any) -> Json:
        return {"id": identifier, "type": "step", "config": config}

    edges = [("route.a", "x"), ("route.b", "x"), ("route.b", "m"), ("other", "m"), ("other.error", "x")]
    return {
        "id": "branches",
        "nodes": [
            node("route", source=True, role="choice", outputs=["a", "b"]),
            node("other", source=True),
            node("x"),
            node("m"),
        ],
        "edges": [{"from": source, "to": target} for source, target in edges],
    }


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let a test set AIRLOOM_* variables, which a process reads only once."""
    configuration.cache_clear()
    return monkeypatch
