"""Documents as text: JSON and YAML, read with every fault named by its place, and written."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from airloom.spec.places import located, place_of_token
from airloom.spec.problem import Problem, pointer

Format = Literal["json", "yaml"]

LARGEST_TEXT = 5_000_000
DEEPEST = 100
MOST_VALUES = 500_000
MOST_FAULTS = 100
LONGEST_NUMBER = 14_000
"""Bits of a whole number; Python makes a text of no longer one."""

# JSON's numbers alone: what else YAML takes for a number (012, 1:30, 0x1f, 1_000) is text to most who write it.
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
TAG = "tag:yaml.org,2002:"


def read_text(text: str, name: str) -> tuple[Any, list[Problem]]:
    """Read a document's text as JSON where `name` ends in .json, else as YAML 1.2 with JSON's types.

    Returns the data, which is None where it can't be read, and what is wrong, by line and column. Only objects, lists,
    texts, finite numbers, booleans and null come back: a date is a text, and so are yes, on and 012.
    """
    if len(text) > LARGEST_TEXT:
        return None, [_too_large().problem]
    read = _read_json if name.lower().endswith(".json") else _read_yaml
    try:
        data, problems = read(text.removeprefix("\ufeff"))
    except _Fault as fault:
        return None, located([fault.problem], text, name) if fault.problem.pointer else [fault.problem]
    problems.extend(faults(data))
    return (None if problems else data), located(problems, text, name)


def write_text(document: Any, format: Format) -> str:
    """Write JSON data so that `read_text` reads the same back; keys stay in their order."""
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Fault(Exception):
    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        at: str = "",
        place: tuple[int | None, int | None] = (None, None),
    ) -> None:
        super().__init__(message)
        self.problem = Problem(f"text.{code}", message, pointer=at, hint=hint, line=place[0], column=place[1])


class _Repeated(dict[str, Any]):
    """Remember keys that stood more than once, until their place in the document is known."""

    def __init__(self, values: dict[str, Any], keys: list[str]) -> None:
        super().__init__(values)
        self.keys_repeated = keys


def _read_json(text: str) -> tuple[Any, list[Problem]]:
    def refuse(constant: str) -> Any:
        place = place_of_token(text, constant.__eq__)
        raise _Fault("number", f"{constant} is not a number of JSON", "leave the value out, or write null", place=place)

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) == len(pairs):
            return built
        keys = [key for key, _ in pairs]
        return _Repeated(built, sorted({key for key in keys if keys.count(key) > 1}))

    try:
        return json.loads(text, object_pairs_hook=build, parse_constant=refuse), []
    except json.JSONDecodeError as error:
        hint = "the text ends too early" if error.pos >= len(text.rstrip()) else _json_hint(text, error.pos)
        raise _syntax(error.msg, error.lineno, error.colno, "JSON", hint) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        longest = sys.get_int_max_str_digits()
        place = place_of_token(text, lambda token: token.lstrip("-").isdigit() and len(token) > longest)
        raise _Fault("number", "a number has too many digits", place=place) from error


def _json_hint(text: str, position: int) -> str | None:
    found = text[position : position + 1]
    if found in "}]" or (found == '"' and text[:position].rstrip().endswith(('"', "}", "]"))):
        return "is there a comma too many or too few before this place?"
    if found in "'#/":
        return "JSON has double quotes and no comments; a .yaml file may have both"
    return None


def _syntax(message: str, line: int, column: int, language: str, hint: str | None = None) -> _Fault:
    message = message[:1].lower() + message[1:]
    return _Fault("syntax", f"this is not {language}: {message}", hint, place=(line, column))


def _too_deep() -> _Fault:
    return _Fault("deep", f"a document has at most {DEEPEST} levels of objects and lists")


def faults(value: Any) -> Iterator[Problem]:
    """Find what JSON's syntax allows, or a Python object may hold, and a document may not: the first MOST_FAULTS."""
    try:
        for count, problem in enumerate(_Faults().of(value, "", 0)):
            if count == MOST_FAULTS:
                hint = "correct those first"
                yield Problem("text.more", "more of the document is wrong in such a way", hint=hint)
                return
            yield problem
    except _Fault as fault:
        yield fault.problem


class _Faults:
    """Look through a value once, and count what it holds: an object of Python may stand in many places of itself."""

    def __init__(self) -> None:
        self.values = 0
        self.characters = 0

    def of(self, value: Any, at: str, depth: int) -> Iterator[Problem]:
        """Find the faults of the value at a place; raise _Fault where it is too large to be looked through."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise _Fault("large", f"a document has at most {MOST_VALUES:,} values")
        if isinstance(value, dict | list) and depth >= DEEPEST:
            yield _too_deep().problem.at(at)
        elif isinstance(value, dict):
            yield from self._of_object(value, at, depth)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.of(item, at + pointer(index), depth + 1)
        elif isinstance(value, str):
            yield from self._of_text(value, at)
        elif isinstance(value, float) and not math.isfinite(value):
            message = "NaN is not a number of JSON" if math.isnan(value) else "this number is too large"
            yield Problem("text.number", message, pointer=at)
        elif isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
            yield Problem("text.number", "a number has too many digits", pointer=at)
        elif value is not None and not isinstance(value, int | float):
            message = f"JSON has no {_class_of(value)}"
            yield Problem("text.type", message, pointer=at, hint="write it as a text, a number, a list or an object")

    def _of_object(self, value: dict[Any, Any], at: str, depth: int) -> Iterator[Problem]:
        if isinstance(value, _Repeated):
            yield from (_repeated(key, at) for key in value.keys_repeated)
        for key, item in value.items():
            if isinstance(key, str):
                yield from self._of_text(key, at)
                yield from self.of(item, at + pointer(key), depth + 1)
            else:
                yield Problem("text.key", f"a key is a text, not {_class_of(key)}", pointer=at)

    def _of_text(self, value: str, at: str) -> Iterator[Problem]:
        self.characters += len(value)
        if self.characters > LARGEST_TEXT:
            raise _too_large()
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            yield Problem("text.character", "a text may not hold NUL or half of a surrogate pair", pointer=at)


def _too_large() -> _Fault:
    return _Fault("large", f"a document has at most {LARGEST_TEXT:,} characters")


def _class_of(value: Any) -> str:
    return type(value).__name__[:100]


def _repeated(key: str, at: str) -> Problem:
    message = f"the key {key!r} stands more than once in one object"
    return Problem("text.repeated_key", message, pointer=at + pointer(key), hint="keep one of them")


class _YamlReader:
    """Build data from YAML's events, so that depth and size are known before anything large exists."""

    def __init__(self, text: str) -> None:
        # libyaml where the wheel has it: ten times as fast.
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.anchors: dict[str, Any] = {}
        self.values = 0
        self.problems: list[Problem] = []

    def document(self) -> Any:
        """Return the value of the only document."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self.events), "", 0)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Fault("syntax", "a file holds one document; a second one starts here", place=_place(event))
        return value

    def _value(self, event: yaml.Event, at: str, depth: int) -> Any:
        self._count(depth)
        if isinstance(event, yaml.AliasEvent):
            return self._copy(self._named(event), depth)
        if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            raise TypeError(f"{type(event).__name__} starts no value")
        # An anchor inside its own value, or a later one of the same name, must not meet the earlier value.
        self.anchors.pop(event.anchor or "", None)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = _scalar(event, at)
        elif event.tag not in (None, "!", f"{TAG}map", f"{TAG}seq"):
            raise _unknown_tag(event, at)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._object(at, depth)
        else:
            value = self._list(at, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def _object(self, at: str, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                if isinstance(event, yaml.MappingStartEvent) and event.flow_style:
                    raise _Fault("key", "an object is not a key", _IN_QUOTES, at, _place(event))
                raise _Fault("key", "a key is a text", "write it in quotes", at, _place(event))
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise _Fault("merge", "merge keys are not read", "write the fields out", at, _place(event))
            if key in value:
                self.problems.append(_repeated(key, at))
            value[key] = self._value(next(self.events), at + pointer(key), depth + 1)
        return value

    def _list(self, at: str, depth: int) -> list[Any]:
        value: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value.append(self._value(event, at + pointer(len(value)), depth + 1))
        return value

    def _named(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self.anchors:
            message = f"*{event.anchor} names nothing that is complete before it"
            raise _Fault("alias", message, place=_place(event))
        return self.anchors[event.anchor]

    def _copy(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if isinstance(value, dict):
            return {key: self._copy(item, depth + 1) for key, item in value.items()}
        return [self._copy(item, depth + 1) for item in value] if isinstance(value, list) else value

    def _count(self, depth: int) -> None:
        self.values += 1
        if depth > DEEPEST:
            raise _too_deep()
        if self.values > MOST_VALUES:
            raise _Fault("large", f"a document has at most {MOST_VALUES:,} values, those of repeated aliases included")


def _read_yaml(text: str) -> tuple[Any, list[Problem]]:
    try:
        reader = _YamlReader(text)
        return reader.document(), reader.problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = error.problem or error.context or "this can't be read"
        hint = _yaml_hint(text, error)
        raise _syntax(message, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, "YAML", hint) from error
    except yaml.YAMLError as error:
        raise _Fault("syntax", "this is not YAML: it holds a character that YAML does not allow") from error


_OPENED = {"quoted scalar": "quote", "flow sequence": "[", "flow mapping": "{"}


def _yaml_hint(text: str, error: yaml.MarkedYAMLError) -> str | None:
    mark, opening = error.problem_mark, error.context_mark
    lines = text.split("\n")
    if mark is not None and mark.line < len(lines) and re.search(r"(^|[-:,\[{(]\s*)\{\{", lines[mark.line]):
        return _IN_QUOTES
    if opening is not None and mark is not None and opening.line != mark.line:
        opened = next((sign for kind, sign in _OPENED.items() if kind in (error.context or "")), None)
        if opened is not None:
            return f"the {opened} that line {opening.line + 1} opens is not closed"
    if "mapping values" in (error.problem or ""):
        return "a text with a colon and a space stands in quotes"
    return None


_IN_QUOTES = 'an expression stands in quotes in YAML: "{{ params.name }}"'


def _scalar(event: yaml.ScalarEvent, at: str) -> Any:
    text: str = event.value
    if event.tag not in (None, "!", f"{TAG}str"):
        raise _unknown_tag(event, at)
    if not event.implicit[0]:
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        try:
            return int(text)
        except ValueError as error:
            raise _Fault("number", "a number has too many digits", at=at, place=_place(event)) from error
    return float(text) if NUMBER.fullmatch(text) else text


def _unknown_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent, at: str) -> _Fault:
    return _Fault("tag", f"the tag {event.tag} is not read", "leave the tag out", at, _place(event))


def _place(event: yaml.Event) -> tuple[int | None, int | None]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (None, None)


class _Dumper(yaml.SafeDumper):
    """Write every text in quotes that `read_text`, or a reader of YAML 1.1, would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(f"{TAG}float", NUMBER, list("-0123456789"))


def _represent_text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    # PyYAML loses these line breaks in any style but this one, which escapes them.
    style = '"' if any(character in value for character in "\x85\u2028\u2029") else None
    return dumper.represent_scalar(f"{TAG}str", value, style)


_Dumper.add_representer(str, _represent_text)
