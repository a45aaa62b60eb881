"""`pytest tests/field --draw SEED` shows twenty reports drawn at random, whole, with what came: to be judged anew."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

DRAWN = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that show reports."""
    parser.addoption("--draw", type=int, metavar="SEED", help=f"run and show {DRAWN} reports drawn by this seed")
    parser.addoption("--show", action="store_true", help="show the reports that are run, with what came")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave those that are drawn."""
    seed = config.getoption("--draw", default=None)
    if seed is None:
        return
    reports = [item for item in items if Path(__file__).parent in item.path.parents and item.name.startswith("test_a_")]
    drawn = random.Random(seed).sample(reports, DRAWN)
    config.hook.pytest_deselected(items=[item for item in items if item not in drawn])
    items[:] = [item for item in items if item in drawn]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the reports that were run, if asked to."""
    if config.getoption("--show", default=False) or config.getoption("--draw", default=None) is not None:
        for state in ("passed", "failed"):
            for result in terminalreporter.stats.get(state, []):
                for name, text in result.user_properties:
                    if name == "report":
                        terminalreporter.write_line(f"\n## {state}: {result.nodeid}\n{text}")
