"""Documents with faults, ten thousand as files and ten thousand as objects: checked, published, made into DAGs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.dags.judging import Judgement, drop, give, use_examples

from airloom.store.store import Store

# A store lists its pipelines by the hundred: fewer of a batch are ever right.
BATCH = 250
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600), pytest.mark.usefixtures("airflow_database")]


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    use_examples(monkeypatch)


@pytest.fixture(scope="module")
def total() -> Judgement:
    """Return what was seen so far of files."""
    return Judgement()


@pytest.fixture(scope="module")
def total_of_objects() -> Judgement:
    """Return what was seen so far of objects."""
    return Judgement()


@pytest.mark.parametrize("start", range(0, 10_000, BATCH))
def test_no_dropped_file_whatever_does_harm(
    start: int, store: Store, tmp_path: Path, total: Judgement, report: Callable[[str], None]
) -> None:
    found = drop(range(start, start + BATCH), store, tmp_path, validated=BATCH)
    total.add(found)
    seconds, name = total.slowest
    report(f"{total.accepted} published, {total.refused} refused; the slowest took {seconds:.1f} s ({name})")
    assert not found.faults, "\n\n".join(found.faults)
    assert found.accepted + found.refused == BATCH


@pytest.mark.parametrize("start", range(0, 10_000, BATCH))
def test_no_object_whatever_does_harm(
    start: int, store: Store, store_url: str, tmp_path: Path, total_of_objects: Judgement, report: Callable[[str], None]
) -> None:
    found = give(range(start, start + BATCH), store, store_url, tmp_path)
    total_of_objects.add(found)
    seconds, name = total_of_objects.slowest
    accepted, refused = total_of_objects.accepted, total_of_objects.refused
    report(f"{accepted} published, {refused} refused; the slowest took {seconds:.1f} s ({name})")
    assert not found.faults, "\n\n".join(found.faults)
    assert found.accepted + found.refused == BATCH
