"""The drop folder as a stock DAG folder serves it: no store, no versions, no bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.dags import folder
from airloom.dags.folder import _plan, folder_dags, raise_problems
from airloom.dags.problems import PipelineProblems
from airloom.spec.configuration import configuration
from airloom.spec.folder import File

Json = dict[str, Any]
NODE = "from airloom.nodes.sdk import Transform\n\n\nclass Mine(Transform):\n    def run(self) -> str: ...\n"


@pytest.fixture
def drop(settings: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a document into the drop folder of an installation without our bundle."""
    settings.setenv("AIRLOOM_ROOT", str(tmp_path))
    settings.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "[]")
    configuration.cache_clear()
    pipelines = tmp_path / "include" / "pipelines"
    pipelines.mkdir(parents=True)

    def write(name: str, identifier: str = "greeting", *, node_type: str = "set", value: Any = "Hello") -> Path:
        nodes = [{"id": "greet", "type": node_type, "config": {"value": value}}]
        file = pipelines / name
        file.write_text(json.dumps({"id": identifier, "description": "Says hello", "nodes": nodes}))
        return file

    return write


def values() -> Json:
    """Return the configured value of each DAG's node."""
    tasks: dict[str, Any] = {name: dag.get_task("greet") for name, dag in folder_dags().items()}
    return {name: task.config["greet"]["value"] for name, task in tasks.items()}


def test_each_file_is_a_dag(drop: Callable[..., Path]) -> None:
    drop("greeting.json")
    drop("other.yaml", "other", value="Hi")
    assert values() == {"greeting": "Hello", "other": "Hi"}
    assert folder_dags()["greeting"].doc_md == "Says hello"
    raise_problems()


def test_a_broken_file_is_told_and_keeps_its_dag(drop: Callable[..., Path]) -> None:
    drop("greeting.json")
    drop("other.json", "other")
    assert set(values()) == {"greeting", "other"}
    drop("greeting.json", node_type="sett", value="Bye")
    assert values() == {"greeting": "Hello", "other": "Hello"}
    with pytest.raises(PipelineProblems) as raised:
        raise_problems()
    assert "greeting.json: line 1, column 75, node 'greet' at /nodes/0/type: there is no node type 'sett'" in str(
        raised.value
    )
    assert "did you mean 'set'?" in str(raised.value)
    assert "other.json" not in str(raised.value)
    assert str(raised.value).startswith(f"{configuration().pipelines_folder} cannot be published:")
    drop("greeting.json", value="Bye")
    raise_problems()
    assert values()["greeting"] == "Bye"


def test_a_file_that_is_gone_has_no_dag(drop: Callable[..., Path]) -> None:
    file = drop("greeting.json")
    assert set(values()) == {"greeting"}
    file.unlink()
    assert values() == {}


def test_an_id_that_two_files_have_is_that_of_the_first(drop: Callable[..., Path]) -> None:
    drop("a.json", value="first")
    drop("b.json", value="second")
    assert values() == {"greeting": "first"}
    with pytest.raises(PipelineProblems, match=r"b\.json: at /: the id 'greeting' is that of a\.json"):
        raise_problems()


def test_nothing_that_is_planned_is_planned_again(drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drop("greeting.json")
    assert set(values()) == {"greeting"}
    monkeypatch.setattr(folder, "_plan", lambda file: pytest.fail(f"{file.path} is planned again"))
    assert set(values()) == {"greeting"}


def test_a_task_plans_no_broken_file(drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drop("greeting.json")
    assert set(values()) == {"greeting"}
    drop("greeting.json", node_type="sett")
    assert values() == {"greeting": "Hello"}
    monkeypatch.setattr(folder, "_plan", lambda file: pytest.fail(f"{file.path} is planned again"))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "greeting")
    assert values() == {"greeting": "Hello"}


@pytest.mark.parametrize("damage", ["", "{", "\xff"])
def test_what_was_planned_and_is_damaged_is_planned_anew(drop: Callable[..., Path], damage: str) -> None:
    drop("greeting.json")
    drop("other.json", "other")
    assert set(values()) == {"greeting", "other"}
    for kept in (configuration().home_folder / "planned").iterdir():
        kept.write_text(damage, encoding="latin-1")
    assert values() == {"greeting": "Hello", "other": "Hello"}


def test_another_release_plans_anew(drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drop("greeting.json")
    assert set(values()) == {"greeting"}
    nodes = tmp_path / "include" / "nodes"
    nodes.mkdir()
    (nodes / "mine.py").write_text(NODE)
    seen = []

    def plan(file: File) -> Any:
        seen.append(file.path)
        return _plan(file)

    monkeypatch.setattr(folder, "_plan", plan)
    assert set(values()) == {"greeting"}
    assert seen == ["greeting.json"]


def test_a_task_makes_its_own_dag_alone(drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drop("greeting.json")
    drop("other.json", "other", node_type="sett")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "greeting")
    assert set(values()) == {"greeting"}
    raise_problems()


def test_there_are_none_where_the_bundle_serves_them(
    drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("greeting.json", node_type="sett")
    bundles = [{"name": "ours", "classpath": "airloom.dags.bundle.PipelineBundle", "kwargs": {}}]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    assert folder_dags() == {}
    raise_problems()
