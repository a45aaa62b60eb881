"""The types of config fields that mean more than their JSON: columns, SQL, Connections, paths, secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "MARK", "Column", "ColumnType", "Condition", "ConnectionId", "FilePath", "ForeignQuery", "Formula", "Mark",
    "PipelineId", "Raw", "Secret", "SqlQuery", "SqlText", "marks_of", "replace_at", "value_at",
]  # fmt: skip

MARK = "x-airloom"
"""The key of JSON Schema by which form, checks and runtime know such a field."""


COLUMN_TYPE = re.compile(
    r"(BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\((\d+), ?(\d+)\)|VARCHAR|DATE|TIME|TIMESTAMP"
    r"|TIMESTAMPTZ|INTERVAL|UUID|BLOB|JSON)(\[\])*"
)
TYPE_NAMES = (
    "INTEGER, BIGINT, DOUBLE, DECIMAL(12,2), VARCHAR, BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, UUID, JSON, …"
)
OTHER_NAMES = {
    **dict.fromkeys(("BOOL", "LOGICAL"), "BOOLEAN"),
    **dict.fromkeys(("INT8", "BYTE"), "TINYINT"),
    **dict.fromkeys(("INT16", "SHORT"), "SMALLINT"),
    **dict.fromkeys(("INT", "INT32", "INT4", "SERIAL"), "INTEGER"),
    **dict.fromkeys(("INT64", "LONG", "BIGINTEGER", "BIGSERIAL"), "BIGINT"),
    **dict.fromkeys(("REAL", "FLOAT32", "FLOAT4"), "FLOAT"),
    **dict.fromkeys(("FLOAT64", "FLOAT8", "NUMBER", "DOUBLE PRECISION"), "DOUBLE"),
    **dict.fromkeys(("DECIMAL", "NUMERIC", "BIGNUMERIC", "MONEY"), "DECIMAL(18,2)"),
    **dict.fromkeys(("STRING", "STR", "TEXT", "CHAR", "NVARCHAR", "UTF8", "OBJECT", "CATEGORY"), "VARCHAR"),
    **dict.fromkeys(("DATETIME", "DATETIME64", "DATETIME64[NS]", "TIMESTAMP_NTZ", "TIMESTAMPNTZ"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP WITH TIMEZONE"), "TIMESTAMPTZ"),
    **dict.fromkeys(("BYTES", "BINARY", "BYTEA", "VARBINARY"), "BLOB"),
    **dict.fromkeys(("JSONB", "STRUCT", "MAP", "DICT"), "JSON"),
    "GUID": "UUID",
}
"""What types are called elsewhere → their names here."""


class Mark:
    """Mark a field's JSON Schema with what it means."""

    def __init__(self, meaning: str, **facts: Any) -> None:
        self.meaning = meaning
        self.facts = facts

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        found[MARK] = {"is": self.meaning, **self.facts}
        return found


class SqlText(str):
    """Text in DuckDB's SQL, with the values that stand in the place of its `{{ }}`."""

    values: Sequence[Any] = ()

    @classmethod
    def of(cls, text: str, values: Sequence[Any]) -> SqlText:
        """Return the text with its values."""
        made = cls(text)
        made.values = tuple(values)
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            cls._keep, core_schema.str_schema(min_length=1), serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _keep(cls, value: Any, check: Any) -> SqlText:
        checked = check(value)
        return value if isinstance(value, SqlText) else cls(checked)


def _checked_type(given: str) -> str:
    kind = " ".join(given.upper().split()).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
    match = COLUMN_TYPE.fullmatch(kind)
    if match is None:
        meant = OTHER_NAMES.get(re.sub(r"^VARCHAR\(\d+\)$", "STRING", kind))
        known = f"write {meant}" if meant else f"types are {TYPE_NAMES}"
        raise ValueError(f"{given!r} is not a column type; {known}")
    if match[3] and not 1 <= int(match[3]) <= 38:
        raise ValueError(f"a DECIMAL has 1 to 38 digits, not {match[3]}")
    if match[4] and int(match[4]) > int(match[3]):
        raise ValueError(f"{kind} has more digits behind the point than digits")
    return kind


Column = Annotated[str, Field(min_length=1), Mark("column")]
"""The name of a column of the input."""

ColumnType = Annotated[
    str, AfterValidator(_checked_type), Field(examples=["INTEGER", "DOUBLE", "DECIMAL(12,2)", "VARCHAR", "DATE"])
]
"""A column type by its DuckDB name, `[]` behind it for a list: INTEGER, DECIMAL(12,2), VARCHAR[]."""

Condition = Annotated[SqlText, Mark("sql", form="condition")]
"""A condition in DuckDB's SQL over the columns of the input."""

Formula = Annotated[SqlText, Mark("sql", form="formula")]
"""A formula in DuckDB's SQL over the columns of the input."""

SqlQuery = Annotated[SqlText, Mark("sql", form="query")]
"""One SELECT in DuckDB's SQL over the named inputs."""

ForeignQuery = Annotated[SqlText, Mark("sql", form="foreign")]
"""One SELECT in the dialect of the system that runs it; its `{{ }}` become parameters of that system's driver."""

FilePath = Annotated[str, Field(min_length=1), Mark("path")]
"""A path below an allowed folder, or a URL; a glob names several files."""

PipelineId = Annotated[str, Field(min_length=1), Mark("pipeline")]
"""The id of another pipeline."""

Raw = Annotated[str, Mark("raw")]
"""Text that is not rendered: code, or a prompt with braces of its own."""

Secret = Annotated[str, Mark("secret")]
"""A value that never stands in a document; a Connection holds it."""

if TYPE_CHECKING:
    # To a type checker `ConnectionId["postgres"]` is a string, as `Literal` is.
    from typing import Literal as ConnectionId
else:

    class ConnectionId:
        """The name of an Airflow Connection of a given type: `ConnectionId["postgres"]`."""

        def __class_getitem__(cls, kind: str) -> Any:
            return Annotated[str, Field(min_length=1), Mark("connection", type=kind)]


def marks_of(schema: dict[str, Any], value: Any, pointer: str = "") -> list[tuple[str, dict[str, Any], Any]]:
    """Return pointer, mark and value of each marked place that a config value has, by the config's JSON Schema."""
    places = _places(schema, schema.get("$defs", {}), value, pointer)
    return [(at, found[MARK], item) for at, found, item in places if MARK in found and isinstance(item, str)]


def places_of_columns(schema: dict[str, Any], value: Any) -> set[str]:
    """Return the pointers of the entries of a config value that have the name of a column for their key."""
    return {
        at + _part(key)
        for at, found, item in _places(schema, schema.get("$defs", {}), value, "")
        if isinstance(item, dict) and found.get("propertyNames", {}).get(MARK, {}).get("is") == "column"
        for key in item
    }


def _places(
    schema: dict[str, Any], definitions: dict[str, Any], value: Any, at: str
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = {**definitions[name], **{key: item for key, item in schema.items() if key != "$ref"}}
    yield at, schema, value
    if MARK in schema and isinstance(value, str):
        return
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _places(branch, definitions, value, at)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        # A pattern that keys have to match stands with what belongs to them.
        others = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
        for key, item in value.items():
            inner = properties.get(key, others if isinstance(others, dict) else None)
            if inner is not None:
                yield from _places(inner, definitions, item, at + _part(key))
    elif isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        rest = schema.get("items")
        for index, item in enumerate(value):
            inner = prefix[index] if index < len(prefix) else rest
            if isinstance(inner, dict):
                yield from _places(inner, definitions, item, f"{at}/{index}")


def _part(key: object) -> str:
    return "/" + str(key).replace("~", "~0").replace("/", "~1")


def value_at(value: Any, at: str) -> Any:
    """Return the value at a JSON Pointer, or None where there is none."""
    for part in (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def replace_at(value: Any, at: str, change: Callable[[Any], Any]) -> None:
    """Change the value at a JSON Pointer in place."""
    *path, last = (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:])
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    key = int(last) if isinstance(value, list) else last
    value[key] = change(value[key])
