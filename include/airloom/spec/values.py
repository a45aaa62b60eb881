"""Values of an installation: constants that documents read as `{{ values.name }}`, so that one document fits all."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.spec.document import IDENTIFIER
from airloom.spec.text import read_text

PREFIX = "AIRLOOM_VALUE_"
"""What the variables are called, before the name in capitals, that stand in place of the file's values."""


@dataclass(frozen=True)
class Values:
    """Hold the values by name, or what is wrong with them: then no document can use one."""

    constants: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return a text that differs where the values do."""
        told = json.dumps([dict(self.constants), self.faults], sort_keys=True)
        return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()


def read_values(path: Path, environment: Mapping[str, str] = os.environ) -> Values:
    """Return the values of a YAML or JSON file, those that variables set in place of its own.

    A variable has the type of the value that it replaces: a text as it is, all else as JSON. A file that is not there
    has none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        return Values(faults=(f"{path.name}: {error}",))
    data, problems = read_text(text, path.name) if text.strip() else ({}, [])
    if problems:
        return Values(faults=tuple(f"{path.name}: {problem}" for problem in problems))
    if not isinstance(data, dict):
        return Values(faults=(f"{path.name}: it holds names and their values, such as region: north",))
    faults = [f"{path.name}: {name!r} is not a name: write lower-case letters, digits and _"
              for name in data if not re.fullmatch(IDENTIFIER, name)]  # fmt: skip
    constants = dict(data)
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        name = variable.removeprefix(PREFIX).lower()
        if name not in data:
            faults.append(f"{variable}: {path.name} has no value {name!r} that it could replace")
            continue
        try:
            constants[name] = _replacing(data[name], environment[variable])
        except ValueError as error:
            faults.append(f"{variable}: {error}")
    return Values(faults=tuple(faults)) if faults else Values(constants)


def _replacing(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return text
    try:
        found = json.loads(text, parse_constant=_refuse)
    except ValueError:
        found = text
    if value is not None and _kind(found) != _kind(value):
        raise ValueError(f"write {_kind(value)}, as the file has it")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a JSON list", dict: "a JSON object"}
    return kinds.get(type(value), "a text")


def value_type(value: Any) -> str | None:
    """Return the column type that a value has in SQL, `T[]` of a list; None where that is not one."""
    if isinstance(value, list):
        kinds = {value_type(item) for item in value}
        inner = kinds.pop() if len(kinds) == 1 else None
        return f"{inner}[]" if inner else None
    return {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}.get(type(value))
