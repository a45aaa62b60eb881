"""Ten thousand mutated formulas and queries: refused at their character, or the same rows as DuckDB gives."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

import pytest
from tests.engine.sql_mutants import FORMULAS, QUERIES, Court, mutants

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("texts", "query"), [(FORMULAS, False), (QUERIES, True)], ids=["formulas", "queries"])
def test_mutated_sql_is_refused_at_its_character_or_means_the_same(
    texts: list[str], query: bool, report: Callable[[str], None]
) -> None:
    count: Counter[str] = Counter()
    faults = []
    with contextlib.closing(Court()) as court:
        for text in mutants("soak", texts, 5_000):
            verdict = court.judge(text, query=query)
            count["taken" if verdict.sql else "refused"] += 1
            count["refused as read in two ways"] += "in two ways" in verdict.refusal
            if verdict.fault:
                faults.append(f"{text}\n  {verdict}")
    report(", ".join(f"{number} {what}" for what, number in count.items()))
    assert not faults, "\n".join(faults)
