"""Where the values of a document stand in its text: a JSON Pointer as line and column."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import yaml

from airloom.spec.problem import Part, Problem, find_word, pointer

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+', re.DOTALL)
"""What JSON consists of, but for commas and colons."""
DEEPEST = 100
Place = Callable[[], tuple[int, int]]
Kind = Literal["object", "list", "scalar", "end"]
Inside = Callable[[Part], tuple[int, int] | None]


@dataclass(frozen=True)
class _Event:
    """Be the start of a value or a key, or the end of an object or list; `inside` finds a part of its text."""

    kind: Kind
    place: Place
    text: str = ""
    inside: Inside | None = None


def located(problems: list[Problem], text: str, name: str) -> list[Problem]:
    """Return problems of a document with line and column, both from 1, in the text that it was read from, in its order.

    A member of an object stands where its key does. What is not in the text, such as a field that is missing, stands
    where its nearest parent does. `name` tells JSON from YAML, as for `airloom.spec.text.read_text`.
    """
    text = text.removeprefix("\ufeff")
    prefixes = {problem: _prefixes(problem.pointer) for problem in problems if problem.line is None}
    wanted = {prefix for found in prefixes.values() for prefix in found}
    if not wanted:
        return problems
    events = _json_events(text) if name.lower().endswith(".json") else _yaml_events(text)
    places, insides = _places(events, wanted)

    def placed(problem: Problem) -> Problem:
        at = next((at for at in prefixes.get(problem, ()) if at in places), None)
        if at is None:
            return problem
        inside = insides.get(at) if problem.part is not None and at == problem.pointer else None
        exact = inside(problem.part) if inside is not None and problem.part is not None else None
        if exact is None:
            problem = problem.spelled_out()
        line, column = exact or places[at]()
        return replace(problem, line=line, column=column, part=None)

    return sorted(map(placed, problems), key=lambda problem: (problem.line or 0, problem.column or 0))


def _prefixes(at: str) -> list[str]:
    """Return a pointer and those of all that it stands in, the innermost first."""
    parts = at.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


@dataclass
class _Open:
    """Hold an object or list whose end has not come: where it stands, and the key or index of its next value."""

    at: str | None
    is_list: bool
    index: int = 0
    key: str | None = None
    key_place: Place | None = None

    def next_value(self, place: Place, wanted: set[str]) -> tuple[str | None, Place]:
        """Return pointer and place of the value that follows; a pointer that nobody asks for is None."""
        part: str | int
        if self.is_list:
            part, self.index = self.index, self.index + 1
        else:
            part, place = self.key or "", self.key_place or place
            self.key = None
        at = None if self.at is None else self.at + pointer(part)
        return (at if at in wanted else None), place


def _places(events: Iterable[_Event], wanted: set[str]) -> tuple[dict[str, Place], dict[str, Inside]]:
    places: dict[str, Place] = {}
    insides: dict[str, Inside] = {}
    opened: list[_Open] = []
    for event in events:
        if event.kind == "end":
            opened.pop()
            continue
        place = event.place
        parent = opened[-1] if opened else None
        if parent is None:
            at: str | None = ""
        elif not parent.is_list and parent.key is None:
            parent.key, parent.key_place = event.text, place
            continue
        else:
            at, place = parent.next_value(place, wanted)
        if at is not None:
            places[at] = place
            if event.inside is not None:
                insides[at] = event.inside
        if event.kind != "scalar":
            if len(opened) == DEEPEST:
                break
            opened.append(_Open(at, event.kind == "list"))
    return places, insides


def _json_events(text: str) -> Iterator[_Event]:
    """Yield the values of a text that is JSON, and the keys among them."""

    def place(offset: int) -> Place:
        return lambda: _line_and_column(text, offset)

    def inside(start: int, end: int) -> Inside:
        return lambda part: _line_and_column(text, _offset_in_json(text, start, end, part))

    for token in TOKEN.finditer(text):
        first = token[0][0]
        if first in "{[":
            yield _Event("object" if first == "{" else "list", place(token.start()))
        elif first in "}]":
            yield _Event("end", place(token.start()))
        elif first == '"':
            yield _Event("scalar", place(token.start()), json.loads(token[0]), inside(*token.span()))
        else:
            yield _Event("scalar", place(token.start()), token[0])


def _offset_in_json(text: str, start: int, end: int, part: Part) -> int:
    """Return where a part of the text between two quotes of JSON begins."""
    breaks = [found.end() for found in re.finditer(r"\\.", text[start:end]) if found[0] == "\\n"]
    line = start + ([1, *breaks][part.line] if part.line <= len(breaks) else 1)
    # An escape before a word, such as \\t, ends in a letter.
    plain = re.sub(r"\\.", "  ", text[line : end - 1])
    return line + (find_word(part.word, plain) or 0)


def place_of_token(text: str, matches: Callable[[str], object]) -> tuple[int | None, int | None]:
    """Return line and column of the first token of a JSON text that matches, or None for both."""
    offset = next((token.start() for token in TOKEN.finditer(text) if matches(token[0])), None)
    return (None, None) if offset is None else _line_and_column(text, offset)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _yaml_events(text: str) -> Iterator[_Event]:
    """Yield the values of a text, and the keys among them, up to where it stops being YAML."""

    def inside(event: yaml.ScalarEvent) -> Inside:
        # YAML has line ends beside this one, which documents that people write have not.
        return lambda part: _place_in_yaml(text.split("\n"), event, part)

    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            place = functools.partial(_place_of_mark, event.start_mark)
            if isinstance(event, yaml.CollectionStartEvent):
                yield _Event("object" if isinstance(event, yaml.MappingStartEvent) else "list", place)
            elif isinstance(event, yaml.CollectionEndEvent):
                yield _Event("end", place)
            elif isinstance(event, yaml.ScalarEvent):
                yield _Event("scalar", place, event.value, inside(event) if "\n" in event.value else None)
            elif isinstance(event, yaml.AliasEvent):
                yield _Event("scalar", place)
            elif isinstance(event, yaml.DocumentEndEvent):
                return
    except yaml.YAMLError:
        return


def _place_of_mark(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _place_in_yaml(lines: list[str], event: yaml.ScalarEvent, part: Part) -> tuple[int, int] | None:
    """Return where a part of a text of several lines stands, or None where these are not the lines of the file."""
    if event.start_mark is None or event.end_mark is None:
        return None
    first, last = event.start_mark.line, min(event.end_mark.line, len(lines) - 1)
    if event.style == "|" and first + 1 + part.line <= last:
        number = first + 1 + part.line
        begin = len(lines[number]) - len(lines[number].lstrip())
        return number + 1, (find_word(part.word, lines[number]) or begin) + 1
    for number in range(first, last + 1):
        column = find_word(part.word, lines[number])
        if column is not None:
            return number + 1, column + 1
    return None
