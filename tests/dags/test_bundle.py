"""The files that the bundle gives to Airflow, on a real store."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airloom.dags.bundle import PipelineBundle
from airloom.dags.factory import version_in
from airloom.dags.problems import PipelineProblems
from airloom.spec.error import SystemFault
from airloom.spec.problem import Problem
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store

Json = dict[str, Any]
UNREACHABLE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def publish(store: Store, plan_of: Callable[[Json], Json]) -> Callable[..., int]:
    """Return a function that publishes a one-node pipeline and returns the revision."""

    def publish(pipeline: str, description: str = "") -> int:
        nodes = [{"id": "only", "type": "step", "config": {"source": True}}]
        document = {"id": pipeline, "description": description, "nodes": nodes}
        return store.publish(document, plan_of(document), author="ann", source="api").revision

    return publish


@pytest.fixture
def make(settings: pytest.MonkeyPatch, store_url: str, tmp_path: Path) -> Callable[..., PipelineBundle]:
    """Return a function that makes a bundle; all of them share one folder, as the processes of a machine do."""
    settings.setenv("AIRLOOM_DATABASE_URL", store_url)
    settings.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))

    def make(version: int | None = None) -> PipelineBundle:
        return PipelineBundle(name="airloom", version=None if version is None else str(version))

    return make


def _files(bundle: PipelineBundle) -> set[str]:
    return {str(file.relative_to(bundle.path)) for file in bundle.path.rglob("*.py")}


def _dag(bundle: PipelineBundle, pipeline: str) -> Any:
    namespace: Json = {"__name__": "parsed"}
    exec((bundle.path / f"{pipeline}.py").read_text(), namespace)
    return namespace["dag"]


def test_the_folder_follows_the_store(
    store: Store, publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    publish("first")
    bundle = make()
    bundle.initialize()
    assert _files(bundle) == {"first.py"}
    os.utime(bundle.path / "first.py", (0, 0))
    revision = publish("second")
    bundle.refresh()
    assert _files(bundle) == {"first.py", "second.py"}
    assert bundle.get_current_version().version == str(revision)
    assert (bundle.path / "first.py").stat().st_mtime == 0, "only what changed is parsed again"
    publish("first", "new")
    store.archive("second", "ann")
    bundle.refresh()
    assert _files(bundle) == {"first.py"}
    dag = _dag(bundle, "first")
    assert (dag.description, version_in(dag.doc_md)) == ("new", 2)
    store.unarchive("second", "ann")
    bundle.refresh()
    assert _files(bundle) == {"first.py", "second.py"}


def test_an_archived_pipeline_is_served_without_new_runs_until_its_last_have_ended(
    store: Store, publish: Callable[..., int], make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch
) -> None:
    before = publish("leaving")
    bundle = make()
    bundle.initialize()
    store.archive("leaving", "ann", closing=True)
    bundle.refresh()
    closing = _dag(bundle, "leaving")
    assert closing.allowed_run_types == {"scheduled"}
    assert closing.end_date < datetime.now(UTC)
    settings.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "leaving")
    for revision in (before, store.revision()):
        task = make(revision)
        task.initialize()
        assert _dag(task, "leaving").allowed_run_types is None, "a run goes on as it began"
    store.archive("leaving", "ann")
    bundle.refresh()
    assert _files(bundle) == set()


def test_nothing_unfinished_lies_where_airflow_looks(
    publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    publish("first")
    bundle = make()
    bundle.initialize()
    assert [file.name for file in bundle.path.rglob("*")] == ["first.py"]


def test_problems_are_a_file_that_only_raises(store: Store, make: Callable[..., PipelineBundle]) -> None:
    problem = Problem("node.unknown_column", "no column 'amout'", node="paid", pointer="/nodes/1", hint="amount?")
    store.problems.set('odd "name"\n.json', [problem])
    bundle = make()
    bundle.initialize()
    (file,) = bundle.path.rglob("*.py")
    assert file.parent == bundle.path / "problems"
    with pytest.raises(PipelineProblems) as raised:
        exec(file.read_text(), {})
    for part in ('odd "name"\n.json', "paid", "/nodes/1", "no column 'amout'", "node.unknown_column", "amount?"):
        assert part in str(raised.value)
    store.problems.clear('odd "name"\n.json')
    bundle.refresh()
    assert _files(bundle) == set()


ODD: list[Json] = [
    {"description": "half \ud800 a pair"},
    {"description": "NUL \x00"},
    {"description": "quotes ''' \"\"\" and \\ and \u2028"},
    {"\udfff": 1},
    {"nodes": "none"},
]


def test_odd_documents_keep_no_others_from_being_served(
    store: Store, publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    publish("good0")
    for number, odd in enumerate(ODD):
        document = {"id": f"odd{number}", "nodes": [], **odd}
        store.publish(document, {"description": odd.get("description")}, author="ann", source="api")
        publish(f"good{number + 1}")
    bundle = make()
    bundle.initialize()
    good = {f"good{number}.py" for number in range(len(ODD) + 1)}
    assert _files(bundle) == good | {f"odd{number}.py" for number in range(len(ODD))}
    publish("later")
    bundle.refresh()
    assert {_dag(bundle, file.removesuffix(".py")).dag_id for file in {*good, "later.py"}} == {
        file.removesuffix(".py") for file in {*good, "later.py"}
    }
    for name in ("odd0", "odd3"):
        with pytest.raises(PipelineProblems, match="publish it again"):
            _dag(bundle, name)


def test_problems_of_odd_text_keep_no_others_from_being_served(
    store: Store, publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    texts = ("half \ud800 a pair", "NUL \x00", "''' \"\"\" \\ \u2028 \r\n", "\udc80" * 2000, "é 漢 🐘")
    for text in texts:
        store.problems.set(f"{texts.index(text)}.json", [Problem("a.b", text, node=text, pointer=text, hint=text)])
    publish("good")
    bundle = make()
    bundle.initialize()
    assert _dag(bundle, "good").dag_id == "good"
    problems = sorted((bundle.path / "problems").iterdir())
    assert len(problems) == len(texts)
    for file in problems:
        with pytest.raises(PipelineProblems) as raised:
            exec(file.read_text(), {})
        assert str(raised.value).encode()
    assert r"half \ud800 a pair" in problems[0].read_text().replace("\\\\", "\\")
    assert "é 漢 🐘" in problems[-1].read_text()


def test_a_restart_leaves_right_files_alone_and_removes_wrong_ones(
    publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    publish("same")
    publish("damaged")
    before = make()
    before.initialize()
    for file in before.path.glob("*.py"):
        os.utime(file, (0, 0))
    right = (before.path / "damaged.py").read_text()
    (before.path / "damaged.py").write_text("raise ValueError")
    (before.path / "unknown.py").write_text("raise ValueError")
    after = make()
    after.initialize()
    assert _files(after) == {"same.py", "damaged.py"}
    assert (after.path / "same.py").stat().st_mtime == 0
    assert (after.path / "damaged.py").read_text() == right


@pytest.mark.parametrize("before", ["an older version", "an archived pipeline", "nothing"])
def test_a_file_that_may_be_parsed_while_it_is_written_is_touched_after_3_and_after_70_seconds(
    before: str,
    store: Store,
    publish: Callable[..., int],
    make: Callable[..., PipelineBundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("airloom.dags.bundle.time.monotonic", lambda: now)
    bundle = make()
    bundle.initialize()
    if before != "nothing":
        publish("first", "older")
        bundle.refresh()
    if before == "an archived pipeline":
        store.archive("first", "ann")
        bundle.refresh()
    publish("first")
    bundle.refresh()
    file = bundle.path / "first.py"
    touched = []
    for seconds in (0, 2.9, 3, 4, 69, 70, 71, 200):
        now = 1000 + seconds
        os.utime(file, (0, 0))
        bundle.refresh()
        if file.stat().st_mtime > 0:
            touched.append(seconds)
    assert touched == ([] if before == "nothing" else [3, 70])


def test_a_store_put_back_to_an_earlier_state_is_followed(
    store_url: str, publish: Callable[..., int], make: Callable[..., PipelineBundle], store: Store
) -> None:
    import psycopg

    from airloom.store.lookup import plain

    publish("kept")
    revision = store.revision()
    bundle = make()
    bundle.initialize()
    publish("lost")
    bundle.refresh()
    with psycopg.connect(plain(store_url)) as connection:
        connection.execute("delete from versions where pipeline = 'lost'")
        connection.execute("delete from pipelines where id = 'lost'")
        connection.execute("update revision set value = %s", (revision,))
    bundle.refresh()
    assert _files(bundle) == {"kept.py"}
    assert bundle.get_current_version().version == str(revision)


def test_while_the_store_is_away_the_files_stay(
    publish: Callable[..., int], make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch, store_url: str
) -> None:
    from airloom.spec.configuration import configuration

    revision = publish("first")
    running = make()
    running.initialize()
    settings.setenv("AIRLOOM_DATABASE_URL", UNREACHABLE)
    configuration.cache_clear()
    restarted = make()
    restarted.initialize()
    restarted.refresh()
    assert _files(restarted) == {"first.py"}
    assert restarted.get_current_version().version == str(revision)
    settings.setenv("AIRLOOM_DATABASE_URL", store_url)
    configuration.cache_clear()
    later = publish("second")
    running.refresh()
    assert running.get_current_version().version == str(later)


def test_an_empty_folder_is_not_served_in_place_of_a_store_that_is_away(
    make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("AIRLOOM_DATABASE_URL", UNREACHABLE)
    with pytest.raises(StoreUnavailable):
        make().initialize()


def test_a_task_finds_its_pipeline_as_it_was_at_its_revision(
    publish: Callable[..., int], make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch
) -> None:
    old = publish("first", "old")
    between = publish("second")
    new = publish("first", "new")
    settings.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "first")
    for revision, description in ((old, "old"), (between, "old"), (new, "new")):
        bundle = make(revision)
        bundle.initialize()
        assert _files(bundle) == {"first.py"}
        assert _dag(bundle, "first").description == description
        assert bundle.get_current_version().version == str(revision)
        assert bundle.path.name == str(revision)


def test_a_task_waits_for_a_store_that_is_away_unless_its_file_is_there(
    publish: Callable[..., int], make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch
) -> None:
    from airloom.spec.configuration import configuration

    revision = publish("first")
    publish("second")
    settings.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "first")
    make(revision).initialize()
    settings.setenv("AIRLOOM_DATABASE_URL", UNREACHABLE)
    configuration.cache_clear()
    make(revision).initialize()
    settings.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "second")
    with pytest.raises(AirflowRescheduleException):
        make(revision).initialize()


def test_a_pipeline_that_was_not_there_yet_is_named(
    publish: Callable[..., int], make: Callable[..., PipelineBundle], settings: pytest.MonkeyPatch
) -> None:
    revision = publish("first")
    publish("second")
    settings.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "second")
    with pytest.raises(SystemFault, match="'second' was not published at revision 1"):
        make(revision).initialize()


def test_a_callback_is_refused_and_leaves_a_folder_for_airflows_clean_up(
    publish: Callable[..., int], make: Callable[..., PipelineBundle]
) -> None:
    bundle = make(publish("first"))
    with pytest.raises(SystemFault, match="callbacks"):
        bundle.initialize()
    assert bundle.path.is_dir()
    assert _files(bundle) == set()


def test_tasks_use_the_address_that_is_theirs(settings: pytest.MonkeyPatch) -> None:
    from airloom.dags.bundle import task_database_url

    settings.setenv("AIRLOOM_DATABASE_URL", "postgresql://owner@host/store")
    settings.setenv("AIRLOOM_TASK_DATABASE_URL", "postgresql://airloom_task@host/store")
    assert task_database_url() == "postgresql://airloom_task@host/store"
