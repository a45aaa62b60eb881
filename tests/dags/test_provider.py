"""What Airflow is told of this package: types of Connection that nodes ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import BaseHook

from airloom.dags import connection_hooks
from airloom.dags.provider import asked_for, provider_info
from airloom.spec.configuration import configuration

NODE = """
class Ask(Action):
    a: ConnectionId["questdb"]
    b: ConnectionId['postgres'] | None = None
    c: ConnectionId[ "my-shop" ]
"""


@pytest.fixture(autouse=True)
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path / "nodes"))
    configuration.cache_clear()
    return tmp_path / "nodes"


def test_without_own_nodes_the_type_of_the_docs_is_offered() -> None:
    info = provider_info()
    assert info["package-name"] == "airloom"
    assert [kind["connection-type"] for kind in info["connection-types"]] == ["http"]


def test_types_that_own_nodes_ask_for_are_offered_where_no_provider_brings_them(nodes: Path) -> None:
    nodes.mkdir()
    (nodes / "ask.py").write_text(NODE)
    assert asked_for() == {"questdb", "postgres", "my-shop"}
    kinds = {kind["connection-type"]: kind for kind in provider_info()["connection-types"]}
    assert list(kinds) == ["http", "my-shop", "questdb"]
    hook = getattr(connection_hooks, kinds["my-shop"]["hook-class-name"].rpartition(".")[2])
    assert issubclass(hook, BaseHook)
    assert (hook.conn_type, hook.hook_name) == ("my-shop", "my-shop")
    assert not hasattr(hook, "test_connection")
    with pytest.raises(AttributeError, match="postgres"):
        _ = connection_hooks.postgres


def test_a_wrong_setting_takes_no_other_provider_from_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_THREADS", "many")
    configuration.cache_clear()
    assert [kind["connection-type"] for kind in provider_info()["connection-types"]] == ["http"]
