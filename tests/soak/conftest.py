"""What long tests share: the lines of their report, which `airloom test --soak` ends with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that adds a line to the report at the end of the run."""
    lines = request.config.stash.setdefault(LINES, [])

    def add(line: str) -> None:
        lines.append(f"{request.node.name}: {line}")

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the report."""
    if lines := config.stash.get(LINES, []):
        terminalreporter.section("what the soak has seen")
        for line in lines:
            terminalreporter.write_line(line)
