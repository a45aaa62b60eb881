"""The one rule on a real Airflow, for every document of the suite and each grouping."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.on_airflow import compare, run, settings_of
from tests.conformance.suite import cases
from tests.installations import installed

SECONDS = 3600
pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 600)]


def test_every_document_ends_on_airflow_as_in_a_try(
    request: pytest.FixtureRequest, report: Callable[[str], None]
) -> None:
    with installed(request.session) as installation, settings_of(installation) as settings:
        found = cases()
        runs = run(installation, settings, found, SECONDS)
        wrong = []
        for case in found:
            try:
                compare(case, installation, settings, runs)
            except AssertionError as error:
                wrong.append(f"{case.name}: {error}")
        assert not wrong, "\n\n".join(wrong)
        report(f"{len(runs.ended)} runs of {len(found)} documents ended as their tries")
