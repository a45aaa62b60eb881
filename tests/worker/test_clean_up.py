"""Clean-up: what is old goes, what is at work stays, and one worker at a time does it."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.web.airflow_dags import read_pipeline, set_tasks

from airloom.dags.runs import trigger_run
from airloom.engine.data_folder import DataFolder
from airloom.spec.configuration import Configuration
from airloom.store.store import Store
from airloom.worker import clean_up as module
from airloom.worker.clean_up import CleanedUp, clean_up

DAY = 86_400.0
DOCUMENT = {"id": "sales", "nodes": [{"id": "only", "type": "set", "config": {"value": 1}}]}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Return the settings of a folder of data, beside a folder for what is temporary."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return Configuration(data=str(tmp_path / "data"), keep_data_days=30)


def leave(settings: Configuration, run_id: str, *, days: float, pipeline: str = "sales") -> Path:
    """Leave a file of a run that is so many days old."""
    folder = DataFolder(settings.data_url).run_folder(pipeline, run_id)
    file = Path(folder, "only", "-", "rows-1.parquet")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    then = time.time() - days * DAY
    os.utime(file, (then, then))
    return file


def clean(store: Store, settings: Configuration, **bounds: float) -> CleanedUp:
    """Clean up, which no other worker does meanwhile."""
    cleaned = clean_up(store, settings, **bounds)
    assert cleaned is not None
    return cleaned


def test_is_done_by_one(store: Store, settings: Configuration, tmp_path: Path, airflow_database: str) -> None:
    file = leave(settings, "run", days=31)
    for name in ("airloom-box-old", "airloom-child-old", "airloom-child-new", "another"):
        (tmp_path / "temporary" / name).mkdir()
        if "new" not in name:
            os.utime(tmp_path / "temporary" / name, (1, 1))
    with store.lock("clean-up"):
        assert clean_up(store, settings) is None
        assert file.exists()
    assert clean(store, settings) == CleanedUp(30, 1, 1, at_work=0, folders=0, events=0, complete=True)
    assert not file.exists()
    assert sorted(os.listdir(tmp_path / "temporary")) == ["airloom-child-new", "another"]


def test_the_age_may_be_another(store: Store, settings: Configuration, airflow_database: str) -> None:
    old, young = leave(settings, "old", days=3), leave(settings, "young", days=1)
    assert clean(store, settings).runs == 0
    cleaned = clean(store, settings, days=2)
    assert (cleaned.days, cleaned.runs, cleaned.files) == (2, 1, 1)
    assert young.exists()
    assert not old.exists()


def test_uploads_stay_wherever_they_lie(store: Store, settings: Configuration, airflow_database: str) -> None:
    """A folder of theirs among those of pipelines looks like a pipeline with old runs."""
    elsewhere = settings.model_copy(update={"uploads": f"{settings.data_url}/files"})
    identifier = "a" * 32
    file = leave(settings, identifier, days=90, pipeline="files")
    store.uploads.add(identifier, name="x", media_type="text/plain", size=1, sha256="0", owner_id="1", owner="ann")
    assert clean(store, elsewhere).runs == 0
    assert file.exists()


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_has_not_ended_keeps_its_data(
    store: Store, settings: Configuration, airflow_database: str, state: str
) -> None:
    read_pipeline(store, DOCUMENT)
    run_id = trigger_run("sales")
    set_tasks("sales", run_id, state)
    file = leave(settings, run_id, days=400)
    cleaned = clean(store, settings, days=1)
    assert (cleaned.runs, cleaned.at_work) == (0, 1)
    assert file.exists()
    set_tasks("sales", run_id, "success")
    assert clean(store, settings, days=1).runs == 1
    assert not file.exists()


def test_a_run_whose_outputs_another_one_reads_keeps_them(
    store: Store, settings: Configuration, airflow_database: str
) -> None:
    files = [leave(settings, name, days=31) for name in ("first", "second")]
    results = {"only": {"state": "success", "statistics": {"reused": "first"}}}
    store.runs.begin("sales", "part", version=1, trigger="hand", reuse={"run_id": "second", "results": results})
    time.sleep(0.01)
    cleaned = clean(store, settings)
    assert (cleaned.runs, cleaned.at_work) == (1, 1)
    assert [file.exists() for file in files] == [True, False]


def test_nothing_goes_where_airflow_does_not_say_which_runs_are_at_work(
    store: Store, settings: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away(pipeline: str, run_id: str) -> None:
        raise OperationalError("select", {}, Exception("it is away"))

    monkeypatch.setattr(module, "run_state", is_away)
    file = leave(settings, "run", days=400)
    with pytest.raises(OperationalError):
        clean_up(store, settings)
    assert file.exists()


def test_it_stops_after_its_time_and_goes_on_when_asked_again(
    store: Store, settings: Configuration, airflow_database: str
) -> None:
    file = leave(settings, "run", days=400)
    assert clean(store, settings, seconds=0).complete is False
    assert file.exists()
    assert clean(store, settings, seconds=60).complete is True
    assert not file.exists()
