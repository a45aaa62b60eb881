"""The one rule on a real Airflow: documents end as they do in a try, however they are grouped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.conformance.on_airflow import Runs, compare, drawn, run, settings_of
from tests.conformance.suite import Case

from airloom.spec.configuration import Configuration

if TYPE_CHECKING:
    from tests.installations import Running

SECONDS = 1200
CASES = drawn(25)
"""Some of all; `./airloom test --soak` runs every one."""
# The first test waits for the runs of all documents, which go on at once.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(SECONDS + 120)]


@pytest.fixture(scope="module")
def settings(installation: Running) -> Iterator[Configuration]:
    """Return the installation's settings."""
    with settings_of(installation) as settings:
        yield settings


@pytest.fixture(scope="module")
def runs(installation: Running, settings: Configuration) -> Runs:
    """Run the documents on Airflow."""
    return run(installation, settings, CASES, SECONDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_document_ends_on_airflow_as_in_a_try(
    case: Case, installation: Running, settings: Configuration, runs: Runs
) -> None:
    compare(case, installation, settings, runs)
