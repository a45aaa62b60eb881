"""Documents with faults as a program may give them: objects of Python, which need not have come from any text."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict, UserDict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from tests.dags.mutants import CHANGES, HARMLESS, Json, Random, _nodes, _somewhere, examples

SEED = 20_262


class Colour(Enum):
    """An enum, such as a program may have."""

    RED = "red"


class Word(str):
    """A text of a class of its own."""


def _deep(levels: int, key: str | None) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if key is None else {key: value}
    return value


def _circle() -> Any:
    value: list[Any] = [1]
    value += [value, {"a": value}]
    return value


def _shared() -> Any:
    """Return a small object that is huge once it is written."""
    value: Any = ["x"] * 10
    for _ in range(12):
        value = [value] * 10
    return value


MADE: tuple[Callable[[], Any], ...] = (
    *(lambda text=text: text for text in ("\ud800", "\udfff\ud800", "a\0", "\0", "x" * 3_000_000, "é" * 100_000,
                                          "\U0010ffff", "\ufffe", "\u202e", "null", "\x1b[2J", "{{ '\ud800' }}")),
    *(lambda number=number: number for number in (math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324, 10**30,
                                                  -(10**400), 10**4299, 10**4301, 2**100_000, True, False, 2**63, -1)),
    *(lambda value=value: value for value in (
        None, (), (1, 2), b"x", bytearray(b"x"), frozenset({"a"}), Decimal("1.5"), Decimal("NaN"), 1j, Ellipsis, object,
        date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC), UUID(int=1), PurePosixPath("/etc"), Colour.RED,
        Word("orders"), range(3), Exception("x"), NotImplemented, len)),
    lambda: object(), lambda: {"a", "b"}, lambda: OrderedDict(a=1), lambda: UserDict(a=1), lambda: iter([1, 2]),
    lambda: _deep(99, None), lambda: _deep(101, "a"), lambda: _deep(990, None), lambda: _deep(20_000, "a"),
    lambda: _deep(200_000, None), _circle, _shared,
    lambda: [0] * 100_000, lambda: {f"k{index}": index for index in range(50_000)}, lambda: [{}] * 20_000,
    list, dict, str, lambda: [[]], lambda: [None], lambda: {"": ""}, lambda: {"id": {"id": {}}},
)  # fmt: skip
KEYS: tuple[Any, ...] = (
    "a\0b", "\ud800", "", " ", "x" * 100_000, "é", "\u202e", "__class__", "a/b~c", "id", "nodes", "from",
    1, 0, -1, 1.5, math.nan, None, True, False, (1, 2), b"id", Word("id"), Colour.RED, 10**5000, date(2026, 1, 31),
)  # fmt: skip


def _put(dice: Random, holder: Json) -> None:
    """Put an odd value anywhere, the head of the document included."""
    parent, key = _somewhere(dice, holder)
    parent[key] = dice.choice(MADE)()


def _put_into_config(dice: Random, holder: Json) -> None:
    if nodes := _nodes(holder):
        config = dice.choice(nodes).get("config")
        if isinstance(config, dict) and config:
            config[dice.choice(list(config))] = dice.choice(MADE)()


def _put_into_field(dice: Random, holder: Json) -> None:
    """Put an odd value into a field of the document, or of a node or an edge of it."""
    document = holder["document"]
    if isinstance(document, dict):
        target = dice.choice([document, document, *_nodes(holder), *_nodes(holder, "edges")])
        fields = (
            ("id", "name", "description", "tags", "owner", "schedule", "params", "settings", "nodes", "edges",
             "finally", "inputs", "outputs", "result", "ui", "agents")
            if target is document
            else ("id", "type", "version", "config", "name", "body", "retries", "timeout", "on_error", "ui",
                  "from", "to")
        )  # fmt: skip
        target[dice.choice(fields)] = dice.choice(MADE)()


def _rename(dice: Random, holder: Json) -> None:
    """Give an entry of an object an odd key."""
    parent, key = _somewhere(dice, holder)
    if isinstance(parent, dict) and parent is not holder:
        parent[dice.choice(KEYS)] = parent.pop(key)


def _add(dice: Random, holder: Json) -> None:
    """Add an entry with an odd key: `1` and `"1"` are one key once they are written."""
    parent, key = _somewhere(dice, holder)
    if isinstance(parent, dict) and parent is not holder:
        odd = dice.choice(KEYS)
        parent[odd] = dice.choice(MADE)() if dice.random() < 0.3 else copy.deepcopy(parent[key])
        if dice.random() < 0.5 and not isinstance(odd, str):
            parent["1"] = 1


def _turn(dice: Random, holder: Json) -> None:
    """Hold the same in another class: a tuple, a set, an ordered dictionary."""
    parent, key = _somewhere(dice, holder)
    value = parent[key]
    if isinstance(value, list):
        parent[key] = dice.choice((tuple, iter, lambda items: dict(enumerate(items))))(value)
    elif isinstance(value, dict):
        parent[key] = dice.choice((OrderedDict, UserDict, lambda entries: list(entries.items())))(value)
    elif isinstance(value, str):
        parent[key] = dice.choice((Word, str.encode, list))(value)
    elif isinstance(value, int):
        parent[key] = dice.choice((float, Decimal, str, complex))(value)


def _share(dice: Random, holder: Json) -> None:
    """Let one object stand in two places, which may be one inside of the other."""
    (parent, key), (other, name) = _somewhere(dice, holder), _somewhere(dice, holder)
    other[name] = parent[key]


def _same_ids(dice: Random, holder: Json) -> None:
    nodes = _nodes(holder)
    if len(nodes) > 1:
        one, two = dice.sample(nodes, 2)
        two["id"] = one.get("id")


ODD: tuple[Callable[[Random, Json], None], ...] = (
    *(_put, _put, _put_into_config, _put_into_config, _put_into_field, _put_into_field, _put_into_field, _rename, _add),
    *(_add, _turn, _turn, _share, _same_ids),
)


def object_mutant(number: int) -> Any:
    """Return a document as an object: for the same number always the same."""
    dice = Random(f"{SEED}-{number}")
    document = copy.deepcopy(dice.choice(examples()))
    document["id"] = f"{document['id'][:40]}_{number}"
    holder: Json = {"document": document}
    # Odd ones come last, for the others walk through the document.
    changes = [dice.choice(dice.choice((HARMLESS, HARMLESS, CHANGES))) for _ in range(dice.choice((0, 0, 1, 2)))]
    changes += [dice.choice(ODD)] if dice.random() < 0.8 else [dice.choice(HARMLESS)]
    for change in changes:
        change(dice, holder)
    return holder["document"]
