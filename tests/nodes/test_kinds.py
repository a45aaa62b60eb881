"""Port kinds: what names them, what connects, and what survives the way from one node to the next."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from airloom.engine.batches import Batches
from airloom.engine.relation import Query, Relation
from airloom.nodes.kinds import KINDS, Messages, kind_of
from airloom.nodes.ports import connects, each, port
from airloom.nodes.sdk import AnswerParser, File, LanguageModel, Model, Offer, Recall
from airloom.runtime.values import converted, input_value, reference_of
from airloom.spec.error import DataError

OFFER = Offer("look_up", "Look something up", {"type": "object"}, "read", dict)


class Point(NamedTuple):
    x: int
    y: int


class Memory(Recall):
    """A memory as somebody's config node makes it."""


class Colour(Enum):
    RED = "red"
    DAY = date(2026, 1, 31)


class Level(IntEnum):
    HIGH = 3


class Order(BaseModel):
    id: int
    day: date


@dataclass
class Line:
    id: int
    parts: set[Decimal]
    cached: str = field(default="", init=False)


def nowhere() -> Any:
    raise AssertionError("a small value needs no place")


def sent(value: Any, kind: str = "any") -> dict[str, Any]:
    """Return the reference of a value, as a task reads what another one wrote."""
    found: dict[str, Any] = json.loads(json.dumps(reference_of("x", "value", kind, value, nowhere)))
    return found


# What names a kind


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Relation, "table"), (Batches, "table"), (Query, "table"), (str, "text"), (int, "number"), (bool, "boolean"),
        (dict[str, int], "object"), (OrderedDict, "object"), (Mapping[str, Any], "object"), (Order, "object"),
        (Line, "object"), (list[int], "list"), (tuple[int, ...], "list"), (Any, "any"), (int | None, "number"),
        (int | str, "any"), (Messages, "messages"), (File, "file"), (Model, "model"), (File | None, "file"),
        (LanguageModel, "llm"), (Offer, "tool"), (list[Offer], "tool"), (Recall, "memory"), (Memory, "memory"),
        (AnswerParser, "parser"),
    ],
)  # fmt: skip
def test_an_annotation_names_a_kind(annotation: Any, kind: str) -> None:
    assert kind_of(annotation) == kind


@pytest.mark.parametrize("annotation", [Callable, datetime, None])
def test_an_annotation_that_names_no_kind_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError, match="names no port kind"):
        kind_of(annotation)


def test_a_misspelt_kind_is_refused_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match="'tabel' is not a port kind; there are table, object, list"):
        port("rows", "tabel")
    with pytest.raises(TypeError, match="'tabel' is not a port kind"):
        each("rules", kind="tabel")


# What connects

WIRED = {"llm", "tool", "memory", "parser"}
ACROSS = {
    ("number", "text"), ("boolean", "text"), ("object", "text"), ("list", "text"), ("list", "table"),
    ("table", "list"), ("text", "messages"), ("file", "object"), ("model", "object"),
}  # fmt: skip


@pytest.mark.parametrize("output", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_kinds_connect_to_themselves_to_any_and_by_conversions(output: str, target: str) -> None:
    wired = bool({output, target} & WIRED)
    loose = not wired and "any" in (output, target)
    assert connects(output, target) == (output == target or loose or (output, target) in ACROSS)


# What travels

FILE = File("file:///data/scan.pdf", 120, "application/pdf", sha256="ab" * 32)
MODEL = Model("s3://models/churn.bin", 9, "cd" * 32, "xgboost", {"auc": 0.9, "classes": ["a", "b"]})
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
instants = st.datetimes(timezones=st.none() | st.just(UTC))
scalars = st.none() | st.booleans() | numbers | texts
written_as: list[tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = [
    (scalars, lambda value: value),
    (instants | st.dates() | st.times() | st.timedeltas() | st.uuids(), str),
    (st.decimals(allow_nan=False, allow_infinity=False), str),
    (texts.map(lambda text: PurePosixPath(text.replace("\0", "0"))), str),
    (st.sampled_from([Colour.RED, Level.HIGH]), lambda value: value.value),
    (st.frozensets(st.integers()), sorted),
    (st.sets(st.dates()), lambda value: sorted(map(str, value))),
    (st.integers(-(2**31), 2**31 - 1).map(numpy.int32), int),
    (st.floats(allow_nan=False, allow_infinity=False, width=32).map(numpy.float32), float),
    (st.booleans().map(numpy.bool_), bool),
    (st.builds(Order, id=st.integers(0, 99), day=st.dates()), lambda v: {"id": v.id, "day": v.day.isoformat()}),
    (st.builds(Point, st.integers(), st.integers()), list),
    (
        st.builds(Line, id=st.integers(), parts=st.sets(st.decimals(0, 9, places=2))),
        lambda value: {"id": value.id, "parts": [str(part) for part in sorted(value.parts)]},
    ),
]
leaves = st.one_of(
    strategy.map(lambda value, form=form: (value, form(value)))  # type: ignore[misc]
    for strategy, form in written_as
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda pairs: ([pair[0] for pair in pairs], [pair[1] for pair in pairs]))
        | st.lists(inner, max_size=4).map(lambda pairs: (tuple(p[0] for p in pairs), [pair[1] for pair in pairs]))
        | st.dictionaries(texts, inner, max_size=4).map(
            lambda pairs: (
                MappingProxyType({key: pair[0] for key, pair in pairs.items()}),
                {key: pair[1] for key, pair in pairs.items()},
            )
        )
    ),
    max_leaves=12,
)


@given(trees)
def test_a_value_arrives_in_its_form_for_json(pair: tuple[Any, Any]) -> None:
    value, form = pair
    reference = sent(value)
    assert input_value(reference, "any") == form
    assert sent(input_value(reference, "any")) == reference


files = st.builds(
    File, texts, st.none() | st.integers(0), st.none() | texts, sha256=st.none() | texts, etag=st.none() | texts
)
models = st.builds(
    Model, texts, st.integers(0), texts, texts, st.dictionaries(texts, scalars | st.lists(scalars, max_size=3))
)


@given(files | models, st.sampled_from(["own", "any"]))
def test_files_and_models_arrive_as_what_they_were(value: File | Model, through: str) -> None:
    kind = kind_of(type(value))
    reference = sent(value, kind if through == "own" else "any")
    assert input_value(reference, kind) == value
    assert type(input_value(reference, kind)) is type(value)
    assert input_value(reference, "object") == input_value(reference, "any") == dataclasses.asdict(value)


def test_what_a_reference_of_a_file_looks_like() -> None:
    assert sent(FILE, "file") == {
        "kind": "file",
        "value": {
            "uri": "file:///data/scan.pdf", "bytes": 120, "media_type": "application/pdf", "sha256": "ab" * 32,
            "etag": None,
        },
    }  # fmt: skip
    assert sent([FILE])["value"][0]["uri"] == FILE.uri
    assert input_value(sent(None, "file"), "file") is None
    assert input_value(None, "file") is None


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("scan.pdf", "file", "the input takes a file: it is a text"),
        ({"bytes": 3}, "file", "the input takes a file: field required at uri"),
        ({"uri": "a", "size": 3}, "file", "the input takes a file: unexpected keyword argument at size"),
        ({"uri": "a"}, "model", "the input takes a model: field required at bytes"),
    ],
)
def test_what_is_no_file_or_model_is_refused(value: Any, kind: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        converted(value, kind)
    assert error.value.message.startswith(message)
    assert error.value.hint


@pytest.mark.parametrize(("kind", "what"), [("file", "a text"), ("model", "a File"), ("table", "a list")])
def test_a_port_carries_what_its_kind_says(kind: str, what: str) -> None:
    value = {"file": "scan.pdf", "model": FILE, "table": [{"n": 1}]}[kind]
    with pytest.raises(DataError) as error:
        sent(value, kind)
    assert error.value.message == f"port 'value' of node 'x' carries {what}, not a {kind}"
    assert (error.value.node, bool(error.value.hint)) == ("x", True)


class Foo:
    """What nobody can write."""


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Foo(), "a Foo"), (object(), "an object"), (OFFER, "an Offer"), ([{"a": {Foo()}}], "a Foo"),
        (b"abc", "bytes"), (bytearray(b"abc"), "bytes"), (numpy.arange(3), "a ndarray"), (1j, "a complex"),
        (numpy.complex64(1), "a complex"), (Memory(), "a Memory"), (range(3), "a range"), (sent, "a function"),
        (Relation("rows"), "a table within a value"),
        (Decimal("NaN"), "a number that is infinite or not a number"),
        (Decimal("-Infinity"), "a number that is infinite or not a number"),
        (numpy.datetime64("NaT"), "a time that is not a time (NaT)"),
    ],
)  # fmt: skip
def test_what_no_kind_can_write_names_node_and_port(value: Any, what: str) -> None:
    with pytest.raises(DataError) as error:
        sent(value)
    assert error.value.message == f"port 'value' of node 'x' carries {what}, which cannot be passed on"
    assert (error.value.node, error.value.failure, bool(error.value.hint)) == ("x", "data", True)


@pytest.mark.parametrize("value", [math.nan, [math.inf], numpy.float32("nan"), {"a": numpy.float64("inf")}])
def test_what_is_not_a_number_is_refused_as_ever(value: Any) -> None:
    with pytest.raises(DataError, match="port 'value' carries a number that is infinite or not a number, which JSON"):
        sent(value)


@pytest.mark.parametrize("levels", [200, 201, 100_000])
def test_a_value_has_so_many_levels(levels: int) -> None:
    value: Any = []
    for _ in range(levels - 1):
        value = [value] if levels % 2 else {"a": value}
    if levels == 200:
        assert sent(value)["value"] == value
        return
    with pytest.raises(DataError, match="port 'value' carries a value of more than 200 levels"):
        sent(value)


def test_forms_that_are_easily_lost() -> None:
    assert sent(Colour.DAY)["value"] == "2026-01-31"
    assert sent(datetime(2026, 1, 31, 12, tzinfo=UTC))["value"] == "2026-01-31 12:00:00+00:00"
    assert sent(timedelta(days=1, hours=2))["value"] == "1 day, 2:00:00"
    assert sent(time(9))["value"] == "09:00:00"
    assert sent(UUID(int=1))["value"] == "00000000-0000-0000-0000-000000000001"
    assert sent(Path("a") / "b")["value"] == "a/b"
    assert sent(numpy.datetime64("2026-01-31T12:00:00.000000001"))["value"] == "2026-01-31T12:00:00.000000001"
    assert sent({1, "a", None})["value"] == ["a", 1, None]
    assert sent({1: "a"})["value"] == {"1": "a"}


def test_a_part_of_a_config_is_no_model() -> None:
    with pytest.raises(TypeError, match="derives from Part"):
        type("Desk", (Model,), {})
