"""The params of a document: JSON Schemas, and the values that a run is started with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from airloom.spec.problem import Problem, nearest, pointer, suggestion
from airloom.spec.words import with_article

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.protocols import Validator

Schemas = Mapping[str, Mapping[str, Any]]

COLUMN_TYPES = {"string": "VARCHAR", "integer": "INTEGER", "number": "DOUBLE", "boolean": "BOOLEAN"}
_EXAMPLES = {"date": "2024-12-31", "date-time": "2024-12-31T23:59:00Z", "time": "23:59:00"}
_JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_OTHER_TYPES = {
    **dict.fromkeys(("str", "text", "varchar", "char"), ("string",)),
    **dict.fromkeys(("int", "int32", "int64", "bigint", "long"), ("integer",)),
    **dict.fromkeys(("float", "double", "decimal", "numeric"), ("number",)),
    **dict.fromkeys(("bool",), ("boolean",)),
    **dict.fromkeys(("list", "tuple", "set"), ("array",)),
    **dict.fromkeys(("dict", "map", "json", "struct"), ("object",)),
    **dict.fromkeys(("none", "nil"), ("null",)),
}
TEMPORAL_TYPES = {"date": "DATE", "date-time": "TIMESTAMPTZ"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")


def check_schemas(params: Schemas) -> list[Problem]:
    """Return what is wrong with the schemas themselves: each is a valid JSON Schema, and its default fits it.

    Pointers are relative to the document: `/params/<name>/…`.
    """
    problems: list[Problem] = []
    for name, schema in params.items():
        problems.extend(problem.at(pointer("params", name)) for problem in _check_schema(name, schema))
    return problems


def read_params(
    schemas: Schemas, given: Mapping[str, Any], *, defaults: bool = True
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of a run's params and what is wrong with them; pointers are `/<name>/…`.

    A param without a default is required. Where `defaults` is false, only what is given is read: then nothing is
    required and nothing filled in. A value that does not fit its schema is left out.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in given.keys() - schemas.keys():
        hint = suggestion(name, schemas) or (f"params: {', '.join(schemas)}" if schemas else "it declares none")
        problems.append(
            Problem("params.unknown", f"the pipeline has no param {name!r}", pointer=pointer(name), hint=hint)
        )
    for name, schema in schemas.items():
        if name in given:
            faults = _faults(schema, given[name])
            problems.extend(fault.at(pointer(name)) for fault in faults)
            if not faults:
                values[name] = given[name]
        elif defaults and "default" in schema:
            values[name] = schema["default"]
        elif defaults:
            hint = "give it a value, or declare a default"
            problems.append(
                Problem("params.missing", f"the param {name!r} is needed", pointer=pointer(name), hint=hint)
            )
    return values, problems


def parse_given(schemas: Schemas, given: Mapping[str, str]) -> dict[str, Any]:
    """Return values from the texts of a command line (`k=v`), converted by the declared types.

    A text that is none of its type stays text, so that `read_params` says what is wrong with it.
    """
    return {name: _from_text(schemas.get(name, {}), text) for name, text in given.items()}


def as_expression_values(schemas: Schemas, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as expressions see them: dates and time stamps as such, numbers of type number as float."""
    return {name: _as_expression_value(schemas.get(name, {}), value) for name, value in values.items()}


def column_types(schemas: Schemas) -> dict[tuple[str, ...], str | None]:
    """Return the column type that each param has in SQL, by reference; None where the schema leaves it open."""
    return {("params", name): _column_type(schema) for name, schema in schemas.items()}


def _check_schema(name: str, schema: Mapping[str, Any]) -> list[Problem]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        if error.path and error.path[-1] == "type" and isinstance(error.instance, str):
            hint = _instead_of_type(error.instance)
            message = f"{error.instance!r} is not a type of JSON Schema"
            return [Problem("params.schema", message, pointer=pointer(*error.path), hint=hint)]
        return [Problem("params.schema", f"this is not a JSON Schema: {_message(error)}", pointer=pointer(*error.path))]
    except RecursionError:
        return [Problem("params.schema", "this schema is nested too deeply")]
    outside = [reference for reference in _references(schema) if not reference.startswith("#")]
    if outside:
        hint = "write the schema itself, or refer to its own $defs: #/$defs/…"
        return [Problem("params.schema", f"$ref leads out of the document: {outside[0]}", hint=hint)]
    if "default" not in schema:
        return []
    return [
        Problem(
            "params.default",
            f"the default of {name!r} does not fit: {fault.message}",
            pointer=f"/default{fault.pointer}",
        )
        for fault in _faults(schema, schema["default"])
    ]


def _instead_of_type(word: str) -> str:
    form = {"date": "date", "datetime": "date-time", "timestamp": "date-time", "date-time": "date-time", "time": "time"}
    if word.lower() in form:
        return f'write {{"type": "string", "format": "{form[word.lower()]}"}}'
    near = nearest(word, _JSON_TYPES, _OTHER_TYPES)
    return f"did you mean {near!r}?" if near else f"types: {', '.join(_JSON_TYPES)}"


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [reference for item in schema for reference in _references(item)]
    if not isinstance(schema, Mapping):
        return []
    own = [schema[key] for key in ("$ref", "$dynamicRef") if isinstance(schema.get(key), str)]
    return own + [reference for item in schema.values() for reference in _references(item)]


def _faults(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    from referencing.exceptions import Unresolvable

    try:
        errors = sorted(_validator(schema).iter_errors(value), key=lambda error: [str(part) for part in error.path])
    except (Unresolvable, RecursionError, re.error):
        return [Problem("params.schema", "a $ref or a pattern of this schema is wrong")]
    return [Problem("params.invalid", _message(error), pointer=pointer(*error.path)) for error in errors]


def _message(error: Any) -> str:
    if error.validator == "format":
        form = {"date": "2024-12-31", "date-time": "2024-12-31T23:59:00Z", "time": "23:59:00"}.get(
            error.validator_value
        )
        if form:
            return f"this is not {with_article(error.validator_value)} such as {form}"
    return str(error.message[:300])


def _validator(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: a $ref is never fetched from the network.
    return Draft202012Validator(schema, registry=Registry(), format_checker=_format_checker())


def _format_checker() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for form, read in (("date", _date), ("date-time", _timestamp), ("time", time.fromisoformat)):
        checker.checks(form, raises=ValueError)(_text_only(read))
    return checker


def _text_only(read: Any) -> Any:
    def check(value: object) -> bool:
        if isinstance(value, str):
            read(value)
        return True

    return check


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError("no date")
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime:
    """Read a time stamp with its offset from UTC; raise ValueError for anything else."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("no time stamp")
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a time stamp needs its offset from UTC")
    return value


def _types(schema: Mapping[str, Any]) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else [str(name) for name in declared]


def _from_text(schema: Mapping[str, Any], text: str) -> Any:
    types = _types(schema)
    if not types and "enum" not in schema:
        return _from_json(text, text)
    options = [option for option in schema.get("enum", []) if not isinstance(option, str)]
    read = _from_json(text, text)
    if any(read == option and type(read) is type(option) for option in options):
        return read
    if "null" in types and text in ("", "null"):
        return None
    for name in types:
        value = _from_text_of_type(name, text)
        if value is not text:
            return value
    return text


def _from_text_of_type(name: str, text: str) -> Any:
    if name == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    kinds: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "number": (int, float),
        "array": (list,),
        "object": (dict,),
    }
    value = _from_json(text, text)
    if isinstance(value, kinds.get(name, ())) and not isinstance(value, bool):
        return value
    return text


def _from_json(text: str, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return otherwise


def _as_expression_value(schema: Any, value: Any) -> Any:
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, str):
        if schema.get("format") == "date":
            return _date(value)
        if schema.get("format") == "date-time":
            return _timestamp(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _as_number(_types(schema), value)
    if isinstance(value, list):
        return [_as_expression_value(schema.get("items"), item) for item in value]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {key: _as_expression_value(properties.get(key), item) for key, item in value.items()}
    return value


def _as_number(types: list[str], value: int | float) -> int | float:
    # To JSON Schema 3.0 is an integer, and 3 a number: SQL needs the one type that was declared.
    if "integer" in types:
        return int(value) if float(value).is_integer() else value
    return float(value) if "number" in types else value


def _column_type(schema: Any) -> str | None:
    if not isinstance(schema, Mapping):
        return None
    types = [name for name in _types(schema) if name != "null"]
    if len(types) != 1:
        return None
    if types[0] == "array":
        inner = _column_type(schema.get("items"))
        return f"{inner}[]" if inner else None
    if types[0] == "string" and schema.get("format") in TEMPORAL_TYPES:
        return TEMPORAL_TYPES[schema["format"]]
    return COLUMN_TYPES.get(types[0])
