"""Threads that check, publish and list the catalog at once get whole answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dags.crowd import act, furnish

from airloom.spec.configuration import configuration
from airloom.store.store import Store


@pytest.mark.usefixtures("airflow_database")
def test_threads_get_whole_answers(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path)
    monkeypatch.setenv("AIRLOOM_ROOT", str(tmp_path))
    configuration.cache_clear()
    assert act(store, 64) == []
    assert len(store.pipelines()) == 13
