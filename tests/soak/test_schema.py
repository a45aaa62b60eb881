"""Every operation of the API keeps to its OpenAPI document: ten minutes of other requests than those of each day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.web.asking import Seeded, ask_operation, operations, ready
from tests.web.conftest import Web, people, web

__all__ = ["people", "web"]  # the fixtures

CASES, SECONDS = 30, 600
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_every_operation_for_ten_minutes(web: Web, tmp_path: Path, report: Callable[[str], None]) -> None:
    schema = web.client.get("/api/openapi.json").json()
    names = operations(schema)
    statuses: Counter[int] = Counter()
    end = time.monotonic() + SECONDS
    seed = 1
    with ready(web, tmp_path):
        while time.monotonic() < end:
            seed += 1
            for number, name in enumerate(names):
                seeded = Seeded(web, tmp_path, f"sales_{seed}_{number}")
                statuses += ask_operation(seeded, schema, name, CASES, seed)
                if time.monotonic() > end:
                    break
    answers = ", ".join(f"{count:,} of {status}" for status, count in sorted(statuses.items()))
    report(f"{statuses.total():,} requests in {seed - 1} rounds: {answers}")
