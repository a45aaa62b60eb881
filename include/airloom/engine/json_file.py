"""JSON documents turned into lines of objects: a list somewhere inside, or rows told in another way."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from airloom.engine.packed import open_bytes
from airloom.spec.error import DataError

ORIENTS = ("records", "index", "columns", "values")
_STEP = re.compile(r"\.(\w[\w-]*)|\[\s*(\d+)\s*\]|\[\s*'([^']*)'\s*\]|\[\s*\"([^\"]*)\"\s*\]|(\[\*\]|\.\*)")


def steps_of(path: str) -> list[str | int | None]:
    """Return the steps of a path such as `$.data.items[0]`, None for `[*]`; raise ValueError for one that is none."""
    rest = path.removeprefix("$")
    if rest and not path.startswith("$") and not rest.startswith(("[", ".")):
        rest = "." + rest
    found: list[str | int | None] = []
    while rest:
        match = _STEP.match(rest)
        if match is None:
            raise ValueError(
                f"{path!r} is not a path; write $.data.items, $['a key'], $.pages[0].rows or $.pages[*].rows"
            )
        name = next((part for part in (match[1], match[3], match[4]) if part is not None), None)
        found.append(int(match[2]) if match[2] is not None else name)
        rest = rest[match.end() :]
    return found


@dataclass(frozen=True)
class Clash:
    """Two fields of objects at one place that differ in case alone: `first`, and `name` behind it.

    They may stand in two files. `place` names the fields around them, empty at the top.
    """

    place: str
    first: str
    first_file: str
    name: str
    file: str


_LOOKED_THROUGH = 200_000
"""Lines that are looked through for a clash which DuckDB has found already."""


def find_clash(paths: Iterable[str]) -> Clash | None:
    """Return the first two fields that differ in case alone, in lines of JSON objects; None if none is found."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for path in paths:
        with open_bytes(path) as file:
            for line in itertools.islice(file, _LOOKED_THROUGH):
                with contextlib.suppress(ValueError, RecursionError):
                    for place, name in _fields(json.loads(line), ""):
                        first, first_file = seen.setdefault((place, name.lower()), (name, path))
                        if first != name:
                            return Clash(place, first, first_file, name, path)
    return None


def _fields(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each field of the objects in a value, with the fields around it."""
    if isinstance(value, list):
        for item in value:
            yield from _fields(item, place)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield place, name
            yield from _fields(item, f"{place}.{name}" if place else name)


def write_lines(
    path: str, target: str, name: str, encoding: str, how: Mapping[str, Any], *, digits: bool = False
) -> None:
    """Write the rows of a file of JSON documents as lines of objects; raise DataError that names file and line.

    With `digits`, a number of which a double would lose some becomes text.
    """
    with open_bytes(path) as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: bytes that are not letters in {encoding}", hint="set the file's encoding"
        ) from None
    steps = steps_of(how.get("path") or "$")
    orient, names = how.get("orient", "records"), how.get("names")
    with open(target, "w", encoding="utf-8") as made:
        for document in _documents(text, name, digits=digits):
            for found in _walk(document, steps, name, how.get("path") or "$"):
                for row in _rows(found, orient, names, name):
                    made.write(json.dumps(row, ensure_ascii=False) + "\n")


def _all_digits(text: str) -> float | str:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def _documents(text: str, name: str, *, digits: bool) -> Iterator[Any]:
    """Yield each document of a text: one as a rule, or several one after another."""

    def refuse(word: str) -> NoReturn:
        line = next(
            (at for at, found in enumerate(text.split("\n"), 1) if re.search(rf"(?<![\w\"]){word}\b", found)), 1
        )
        raise DataError(f"{name}, line {line}: {word} is not a value of JSON", hint="write null in its place")

    parse_float = _all_digits if digits else float
    decoder = json.JSONDecoder(parse_float=parse_float, parse_constant=refuse, object_pairs_hook=_object)
    at = _space(text, 0)
    while at < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{name}, line {error.lineno}, character {error.colno}: this is not JSON: {error.msg}",
                hint="correct the file; a document with a fault cannot be read in part",
            ) from None
        except _TwiceError as error:
            raise DataError(
                f"{name}: an object has the field {error.args[0]!r} twice", hint="give one of them another name"
            ) from None
        except RecursionError:
            raise DataError(f"{name}: lists and objects stand too deep in one another", hint="flatten them") from None
        yield document
        at = _space(text, at)


class _TwiceError(ValueError):
    """A field stands twice in an object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _TwiceError(key)
            seen.add(key)
    return found


def _space(text: str, at: int) -> int:
    match = re.compile(r"[ \t\r\n]*").match(text, at)
    return match.end() if match else at


def _walk(value: Any, steps: list[str | int | None], name: str, path: str) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is None:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _walk(item, rest, name, path)
        return
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        yield from _walk(value[step], rest, name, path)
        return
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        yield from _walk(value[step], rest, name, path)
        return
    there = f"its fields are {', '.join(list(value)[:10])}" if isinstance(value, dict) else None
    raise DataError(f"{name} has nothing at {path}: {step!r} is not there", field="json_path", hint=there)


def _rows(value: Any, orient: str, names: list[str] | None, name: str) -> Iterable[Any]:
    if orient == "records":
        return value if isinstance(value, list) else [value]
    if orient == "index" and isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
        fields = {field.lower() for row in value.values() for field in row}
        names_of_key = itertools.chain(["index"], (f"index_{at}" for at in itertools.count(1)))
        index = next(field for field in names_of_key if field not in fields)
        return ({index: key, **row} for key, row in value.items())
    if orient == "columns" and isinstance(value, dict):
        return _by_columns(value, name)
    if orient == "values" and isinstance(value, list) and all(isinstance(row, list) for row in value):
        return _by_values(value, names, name)
    wanted = {
        "index": "an object of objects", "columns": "an object of columns", "values": "a list of lists",
    }  # fmt: skip
    raise DataError(
        f"{os.path.basename(name)}: with orient {orient!r} there is {wanted[orient]} in the file",
        field="orient",
        hint="or json_path has to lead to it",
    )


def _by_columns(value: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    if all(isinstance(column, list) for column in value.values()):
        lengths = {len(column) for column in value.values()}
        if len(lengths) > 1:
            shortest = min(value, key=lambda key: len(value[key]))
            raise DataError(
                f"{name}: column {shortest!r} has {min(lengths)} values, others have {max(lengths)}",
                hint="every column has a value for each row, null included",
            )
        yield from (dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True))
    elif all(isinstance(column, dict) for column in value.values()):
        for key in dict.fromkeys(key for column in value.values() for key in column):
            yield {column: cells.get(key) for column, cells in value.items()}
    else:
        raise DataError(f"{name}: with orient 'columns' each field is a list or an object", field="orient")


def _by_values(value: list[list[Any]], names: list[str] | None, name: str) -> Iterator[dict[str, Any]]:
    width = len(names) if names else max((len(row) for row in value), default=0)
    called = names or [f"column{at}" for at in range(width)]
    for number, row in enumerate(value, 1):
        if len(row) != width:
            found = "1 value" if len(row) == 1 else f"{len(row)} values"
            raise DataError(
                f"{name}, row {number}: {found} where there are {width} columns",
                hint="every list is one row, null included",
            )
        yield dict(zip(called, row, strict=True))
