"""What a killed task left on a Docker engine goes when its run has ended; the engine is a stand-in."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from tests.nodes.objects.docker_engine import Ended, stand_in
from tests.nodes.objects.test_container import connections, document

from airloom.dags.actor import administrator
from airloom.dags.publishing import publish
from airloom.dags.runs import RunState
from airloom.nodes.context import RunFacts
from airloom.nodes.objects import _docker
from airloom.store.store import Store
from airloom.worker.containers import KIND, remove_containers, request_removal

pytestmark = pytest.mark.usefixtures("airflow_database")


def test_what_a_run_left_goes_when_it_has_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ENGINE", '{"conn_type": "docker", "extra": {"engine": "tcp://127.0.0.1:1"}}')
    found = publish(store, document(), actor=administrator("ann"))
    assert found.version is not None, found.problems
    run = RunState("contained", "r1", "running", 1, None, datetime.now(UTC), None)
    monkeypatch.setattr("airloom.dags.runs.run_state", lambda pipeline, run_id: run)
    with stand_in(lambda *_: Ended()) as engine:
        monkeypatch.setattr("airloom.dags.connections.connection", connections(engine.url))
        for run_id in ("r1", "r2"):
            engine.volumes[run_id] = _docker.labels_of(RunFacts("contained", run_id, "boxed"), 60)
        request_removal(store, found.version, "r1")
        with store.outbox.claim([KIND]) as event:
            assert event is not None
            remove_containers(store, event.payload)
            assert set(engine.volumes) == {"r1", "r2"}, "it has not ended"
            run = dataclasses.replace(run, state="failed", ended_at=datetime.now(UTC))
            remove_containers(store, event.payload)
        assert set(engine.volumes) == {"r2"}
