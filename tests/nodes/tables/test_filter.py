from __future__ import annotations

from typing import Any

import pytest

from airloom.nodes.fields import SqlText
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.tables.filter import Filter
from airloom.nodes.tables.split_rows import NamedCondition, SplitRows
from airloom.nodes.testing import Rows, run_table

NUMBERS = [{"n": value} for value in (500, 50, 5, None, 50)]


def split(*conditions: tuple[str, str]) -> SplitRows:
    return SplitRows(conditions=[NamedCondition(name=name, where=SqlText(where)) for name, where in conditions])


def sent(node: SplitRows, rows: Any) -> dict[str, list[Any]]:
    return {port: [row[0] for row in answer.values] for port, answer in run_table(node, rows=rows).items()}


def test_filter_keeps_what_is_true_not_what_is_null() -> None:
    answer = run_table(Filter(where=SqlText("n > 10")), rows=NUMBERS)["rows"]
    assert [row[0] for row in answer.values] == [500, 50, 50]


def test_filter_takes_the_values_of_expressions_as_literals() -> None:
    text = SqlText.of("name = airloom_ph_0_", ["x' OR 1=1 --"])
    rows = [{"name": "x"}, {"name": "x' OR 1=1 --"}]
    assert run_table(Filter(where=text), rows=rows)["rows"].rows == [{"name": "x' OR 1=1 --"}]


def test_filter_refuses_a_column_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_table(Filter(where=SqlText("amout > 1")), rows=[{"amount": 1}])
    assert "amout" in caught.value.message
    assert "amount" in (caught.value.hint or "")


def test_each_row_leaves_by_the_first_condition_that_holds() -> None:
    node = split(("large", "n > 100"), ("medium", "n > 10"), ("never", "n > 100"))
    assert sent(node, NUMBERS) == {"large": [500], "medium": [50, 50], "never": [], "other": [5, None]}


def test_a_condition_that_is_null_does_not_hold() -> None:
    assert sent(split(("known", "n IS NOT NULL"), ("rest", "TRUE")), NUMBERS)["rest"] == [None]
    assert sent(split(("null", "NULL"), ("unsure", "n > NULL")), NUMBERS)["other"] == [500, 50, 5, None, 50]


def test_an_or_inside_a_condition_stays_inside() -> None:
    assert sent(split(("a", "n = 5 OR n = 50"), ("b", "n = 5 OR n = 500")), NUMBERS) == {
        "a": [50, 5, 50],
        "b": [500],
        "other": [None],
    }


def test_an_empty_table_leaves_by_every_port() -> None:
    answers = run_table(split(("a", "n > 1")), rows=Rows({"n": "INTEGER"}))
    assert {port: (answer.columns, answer.values) for port, answer in answers.items()} == {
        "a": ({"n": "INTEGER"}, []),
        "other": ({"n": "INTEGER"}, []),
    }


@pytest.mark.parametrize("names", [["other"], ["error"], ["a", "a"], ["A"], ["1a"], [""], []])
def test_the_ports_of_split_rows_have_names_of_their_own(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"conditions"):
        SplitRows.model_validate({"conditions": [{"name": name, "where": "TRUE"} for name in names]})
