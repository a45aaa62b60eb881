"""What a repeat may do, decided once for all databases."""

from __future__ import annotations

import pytest

from airloom.nodes.context import RunFacts
from airloom.nodes.databases.writes import Earlier, decide, run_value
from airloom.spec.error import ConfigurationError


def facts(attempt: int, first_attempt: int) -> RunFacts:
    return RunFacts("sales", "run/1", "load", attempt=attempt, first_attempt=first_attempt)


@pytest.mark.parametrize(
    ("earlier", "attempt", "first_attempt", "run_column", "decision"),
    [
        (None, 1, 1, None, "write"),
        (None, 5, 4, "run", "write"),
        (1, 2, 1, None, "keep"),
        (1, 2, 1, "run", "keep"),
        (4, 5, 4, None, "keep"),
        (3, 4, 4, "run", "rewrite"),
        (1, 5, 4, "run", "rewrite"),
    ],
)
def test_a_retry_keeps_and_a_cleared_run_rewrites(
    earlier: int | None, attempt: int, first_attempt: int, run_column: str | None, decision: str
) -> None:
    found = None if earlier is None else Earlier(earlier, 10)
    assert decide(found, facts(attempt, first_attempt), run_column) == decision


def test_a_cleared_run_without_its_column_is_told_what_to_do() -> None:
    with pytest.raises(ConfigurationError) as caught:
        decide(Earlier(1, 10), facts(2, 2), None)
    assert caught.value.field == "run_column"
    assert "10 rows" in caught.value.message
    assert "run_column" in (caught.value.hint or "")


def test_the_value_of_a_mapped_task_s_run_is_what_it_was() -> None:
    assert run_value(RunFacts("a", "r", "n")) == "a/r/n"
    assert run_value(RunFacts("a", "r", "n", index="3")) == "a/r/n/3"


def test_run_values_differ_where_the_work_differs() -> None:
    runs = [
        RunFacts("a", "r", "n"), RunFacts("b", "r", "n"), RunFacts("a", "r", "m"), RunFacts("a", "s", "n"),
        RunFacts("a", "r", "n", index="0"), RunFacts("a", "r", "n", index="1"),
        RunFacts("a", "r", "n", index="1/0"), RunFacts("a", "r", "n", index="1/1"),
    ]  # fmt: skip
    assert len({run_value(run) for run in runs}) == len(runs)
