from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.engine.relation import ColumnError, ColumnsUnknown, Relation
from airloom.nodes.sdk import ConfigurationError
from airloom.nodes.tables.join import How, Join
from airloom.nodes.testing import Answer, Rows, run_table

ROW = st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(0, 1), st.integers(0, 9))
TABLE = st.lists(ROW, max_size=7)
TYPES = {"k": "INTEGER", "m": "INTEGER", "v": "INTEGER"}
HOW: list[How] = ["inner", "left", "right", "outer", "semi", "anti"]


def made(**config: Any) -> Join:
    return Join.model_validate(config)


def join(left: Any, right: Any, **config: Any) -> Answer:
    return run_table(made(**config), left=left, right=right)["rows"]


def counted(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


def joined(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]], how: str) -> list[tuple[Any, ...]]:
    """Join by the first two values, as the definition says: columns k, m, v_left, v_right."""

    def matches(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
        return None not in ours[:2] and ours[:2] == theirs[:2]

    pairs = [(*ours, theirs[2]) for ours in left for theirs in right if matches(ours, theirs)]
    alone = [ours for ours in left if not any(matches(ours, theirs) for theirs in right)]
    if how == "semi":
        return [ours for ours in left if ours not in alone or any(matches(ours, theirs) for theirs in right)]
    if how == "anti":
        return alone
    if how in ("left", "outer"):
        pairs += [(*ours, None) for ours in alone]
    if how in ("right", "outer"):
        pairs += [(k, m, None, v) for k, m, v in right if not any(matches(ours, (k, m)) for ours in left)]
    return pairs


@given(TABLE, TABLE, st.sampled_from(HOW))
def test_a_join_is_what_its_definition_says(
    left: list[tuple[Any, ...]], right: list[tuple[Any, ...]], how: How
) -> None:
    answer = join(Rows(TYPES, left), Rows(TYPES, right), on=["k", "m"], how=how)
    assert list(answer.columns) == (["k", "m", "v"] if how in ("semi", "anti") else ["k", "m", "v_left", "v_right"])
    assert counted(answer.values) == counted(joined(left, right, how))


@given(TABLE, TABLE)
def test_a_cross_join_has_every_pair(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> None:
    answer = join(Rows(TYPES, left), Rows(TYPES, right), how="cross")
    assert list(answer.columns) == ["k_left", "m_left", "v_left", "k_right", "m_right", "v_right"]
    assert counted(answer.values) == counted([ours + theirs for ours in left for theirs in right])


def test_keys_of_different_names_both_stay() -> None:
    answer = join([{"Id": 1, "n": 1}], [{"customer": 1, "N": 2}], on=[["ID", "Customer"]])
    assert answer.rows == [{"Id": 1, "n_left": 1, "customer": 1, "N_right": 2}]


def test_a_key_of_the_same_name_but_for_case_stands_there_once_as_on_the_left() -> None:
    assert join([{"Id": 1}], [{"ID": 1, "x": 2}], on=["id"]).rows == [{"Id": 1, "x": 2}]


def test_a_merged_key_has_the_value_of_the_side_that_has_the_row() -> None:
    rows = join([{"id": 1, "a": "l"}], [{"id": 2, "b": "r"}], on=["id"], how="right").rows
    assert rows == [{"id": 2, "a": None, "b": "r"}]


def test_a_key_that_is_another_column_of_the_other_table_gets_a_suffix() -> None:
    answer = join([{"id": 1, "parent": 9}], [{"parent": 1, "x": 2}], on=[["id", "parent"]], suffixes=["", "_r"])
    assert answer.rows == [{"id": 1, "parent": 9, "parent_r": 1, "x": 2}]


def test_odd_names_and_tables_joined_with_themselves() -> None:
    odd = [{'a "b"': 1, "ß ☃": 2, "left": 3, "right": 4}]
    answer = join(odd, odd, on=['a "b"', "left"])
    assert answer.rows == [{'a "b"': 1, "ß ☃_left": 2, "left": 3, "right_left": 4, "ß ☃_right": 2, "right_right": 4}]


def test_empty_tables() -> None:
    empty = Rows(TYPES)
    assert join(empty, empty, on=["k"], how="outer").values == []
    assert join(Rows(TYPES, [(1, 1, 1)]), empty, on=["k"], how="left").values == [(1, 1, 1, None, None)]


def test_names_that_still_clash_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        join([{"id": 1, "n": 1, "n_left": 2}], [{"id": 1, "n": 1}], on=["id"])
    assert (caught.value.message, caught.value.field) == ("two columns would be called 'n_left'", "suffixes")
    with pytest.raises(ConfigurationError):
        join([{"id": 1, "n": 1}], [{"id": 1, "n": 1}], on=["id"], suffixes=["_x", "_X"])


def test_a_missing_key_is_named_with_its_side() -> None:
    with pytest.raises(ColumnError) as caught:
        join([{"id": 1}], [{"idd": 1}], on=["id"])
    assert caught.value.message == "the right table has no column 'id'"
    assert (caught.value.field, caught.value.hint) == (
        "on/0",
        'where the names differ write [["id", "idd"]]; right columns: idd',
    )
    with pytest.raises(ColumnError) as caught:
        join([{"id": 1}], [{"id": 1}], on=["id", ["x", "id"]])
    assert (caught.value.message, caught.value.field) == ("the left table has no column 'x'", "on/1")


def test_keys_of_different_types_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        join([{"id": 1}], [{"key": "1"}], on=[["id", "key"]])
    assert caught.value.message == "'id' on the left is BIGINT, 'key' on the right VARCHAR"
    assert caught.value.field == "on/0"
    assert join(Rows({"id": "INTEGER"}, [(1,)]), Rows({"id": "DOUBLE"}, [(1.0,)]), on=["id"]).values == [(1,)]


def test_a_fault_on_the_known_side_is_found_though_the_other_is_unknown() -> None:
    known, unknown = Relation("a.rows", {"id": "INTEGER"}), Relation("b.rows")
    with pytest.raises(ColumnError):
        made(on=["x"]).query(known, unknown)
    with pytest.raises(ColumnsUnknown):
        made(on=["id"]).query(known, unknown)
    assert "SEMI JOIN" in made(on=["id"], how="semi").query(unknown, known).sql("duckdb")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "a join of sort inner needs `on`"),
        ({"how": "cross", "on": ["a"]}, "a cross join has no key"),
        ({"on": [["a", "b", "c"]]}, "a key is a name that both tables have"),
        ({"on": ["a", 5]}, "a key is a name that both tables have"),
        ({"on": [["a", ""]]}, "at least 1 character"),
        ({"on": ["a"], "how": "full"}, "Input should be"),
    ],
)
def test_a_wrong_config_says_what_is_wrong(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Join.model_validate(config)


@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT"])
@pytest.mark.parametrize("other", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("how", ["inner", "semi"])
def test_whole_keys_meet_others_to_the_last_digit(kind, other, how):
    node = Join.model_validate({"on": ["k"], "how": how})
    numbers = [1, 2, 16_777_217, 2**53 + 1 if kind == "BIGINT" else 5]
    left = Rows({"k": kind}, [[number] for number in numbers])
    right = Rows({"k": other}, [[1], [2.5], [16_777_216], [2**53], [None], ["nan"], ["inf"]])
    for one, two in ((left, right), (right, left)):
        assert [row[0] for row in run_table(node, left=one, right=two)["rows"].values] == [1]
