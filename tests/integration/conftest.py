"""One installation for all integration tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.installations import Running, free_port, installed


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """Return a port that is free, as are the two after it."""
    return free_port()


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Start an installation without example pipelines; stop it, and remove its files, at the end."""
    with installed(request.session) as running:
        yield running
