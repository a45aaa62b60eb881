"""Every operation of the API keeps to its OpenAPI document, whatever it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.asking import Seeded, ask_operation, operations, ready
from tests.web.conftest import Web

CASES = 3
"""Of each sort, for each operation; `--soak` asks more."""


def test_every_operation(web: Web, tmp_path: Path, subtests: pytest.Subtests) -> None:
    schema = web.client.get("/api/openapi.json").json()
    with ready(web, tmp_path):
        for number, name in enumerate(operations(schema)):
            with subtests.test(name):
                statuses = ask_operation(Seeded(web, tmp_path, f"sales_{number}"), schema, name, CASES)
                assert any(200 <= status < 300 for status in statuses), statuses
