"""Values out of text."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NoReturn, Self

from pydantic import Field, model_validator

from airloom.nodes.sdk import DataError, Example, Transform

FENCES = (
    re.compile(r"^[ \t]*```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)^[ \t]*```[ \t]*\r?$", re.DOTALL | re.MULTILINE),
    re.compile(r"```(?:[\w+-]+\s)?(.*?)```", re.DOTALL),
)
"""Blocks between fences: of lines of their own, or within a line."""
BULLET = re.compile(r"^\s*(?:[-*+•–—]|\(?\d{1,9}[.)])(?:\s+|$)")


class ParseText(Transform):
    r"""Read a value out of text: JSON, what a pattern matches, or a list of lines.

    - `json`: the text is JSON, or JSON stands in it between fences of three backticks.
    - `regex`: an object of the pattern's named groups, else a list of its groups, else what it matches; the first one.
    - `list`: the lines without blank ones, and without bullets, dashes and numbers before them.
    """

    format: Literal["json", "regex", "list"] = Field("json", description="What the text is read as")
    pattern: str | None = Field(
        None, min_length=1, description=r"Of regex: a pattern of Python's, such as (?P<order>\d+)"
    )
    on_failure: Literal["fail", "text"] = Field(
        "fail", description="Where the text is none of that: fail, or give the text as it came"
    )

    examples = (
        Example(
            "JSON of a model's answer",
            {},
            {"text": 'Here it is:\n```json\n{"topic": "invoice"}\n```\n'},
            {"value": {"topic": "invoice"}},
        ),
        Example(
            "A pattern",
            {"format": "regex", "pattern": r"order (?P<order>\d+) of (?P<day>[\d-]+)"},
            {"text": "About order 12 of 2026-01-31"},
            {"value": {"order": "12", "day": "2026-01-31"}},
        ),
        Example(
            "A list",
            {"format": "list"},
            {"text": "1. apples\n2) pears\n\n- plums"},
            {"value": ["apples", "pears", "plums"]},
        ),
    )

    @model_validator(mode="after")
    def _pattern_fits(self) -> Self:
        if (self.pattern is not None) != (self.format == "regex"):
            raise ValueError("regex needs a pattern" if self.format == "regex" else "only regex has a pattern")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"the pattern is wrong: {error}") from None
        return self

    def run(self, text: str) -> Any:
        """Return the value; raise DataError where the text is none and that is to fail."""
        try:
            if self.format == "json":
                return _json(text)
            return _matched(self.pattern or "", text) if self.format == "regex" else _lines(text)
        except (ValueError, RecursionError) as error:
            if self.on_failure == "text":
                return text
            raise DataError(
                f"the text is not what it is read as: {error}", hint="correct it, or set on_failure: text"
            ) from None


def _json(text: str) -> Any:
    try:
        return _read(text)
    except ValueError as error:
        fault = error
    for block in (block for fence in FENCES for block in fence.finditer(text)):
        try:
            return _read(block[1])
        except ValueError as error:
            fault = error
    raise fault


def _read(text: str) -> Any:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a value of JSON")

    return json.loads(text, parse_constant=refuse)


def _matched(pattern: str, text: str) -> Any:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"the pattern {pattern!r} matches nowhere")
    return match.groupdict() or list(match.groups()) or match[0]


def _lines(text: str) -> list[str]:
    found = [BULLET.sub("", line, count=1).strip() for line in text.splitlines()]
    return [line for line in found if line]
