"""Documents with faults, as files and as objects: none raises, hangs, or becomes what Airflow cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dags.judging import drop, give, use_examples

from airloom.store.store import Store

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    use_examples(monkeypatch)


def test_no_dropped_file_whatever_does_harm(store: Store, tmp_path: Path) -> None:
    found = drop(range(150), store, tmp_path, validated=15)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.accepted + found.refused == 150
    assert found.accepted > 25, "too few are right for the DAGs to be tried"
    assert len(found.codes) > 25, "too few sorts of faults"


@pytest.mark.timeout(900)
def test_no_object_whatever_does_harm(store: Store, store_url: str, tmp_path: Path) -> None:
    found = give(range(200), store, store_url, tmp_path)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.accepted + found.refused == 200
    assert found.accepted > 15, "too few are right for the DAGs to be tried"
    assert len(found.codes) > 12, "too few sorts of faults"
