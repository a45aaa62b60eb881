"""What Pydantic finds wrong, as problems for people: at the place where it stands, without the value at fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from airloom.spec.document import IDENTIFIER, Document, Edge
from airloom.spec.duration import PATTERN
from airloom.spec.problem import Problem, nearest, pointer, suggestion

# What Pydantic says in a programmer's words; all else it says is clear to others, too.
NEEDED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
}
MESSAGES = {
    "string_too_short": "a text of {min_length} or more characters is needed here",
    "string_too_long": "a text of at most {max_length} characters is needed here",
    "too_short": "{field} needs {min_length} or more entries, not {actual_length}",
    "too_long": "{field} takes at most {max_length} entries, not {actual_length}",
    "greater_than": "a number above {gt} is needed here",
    "greater_than_equal": "a number of at least {ge} is needed here",
    "less_than": "a number below {lt} is needed here",
    "less_than_equal": "a number of at most {le} is needed here",
}
_FORMS = frozenset({"dict_type", "model_type", "model_attributes_type", "list_type", "tuple_type"})
"""Faults that what a field says of itself explains."""
OTHER_FIELDS = {
    **dict.fromkeys(("sep", "separator", "delim", "fieldsep"), ("delimiter", "separator")),
    **dict.fromkeys(("filename", "file", "filepath", "file_path", "filepath_or_buffer", "url", "uri"), ("path",)),
    **dict.fromkeys(("order", "direction", "desc", "asc", "ascending", "sort_order"), ("descending", "order")),
    **dict.fromkeys(("groupby", "group_by", "group", "partition_by", "dimensions"), ("by",)),
    **dict.fromkeys(("sort_by", "order_by", "orderby"), ("by", "order")),
    **dict.fromkeys(("agg", "aggregates", "aggregations", "metrics"), ("measures",)),
    **dict.fromkeys(("func", "function", "agg", "aggregation"), ("op",)),
    **dict.fromkeys(("condition", "predicate", "filter", "expr"), ("where",)),
    **dict.fromkeys(("query", "statement"), ("sql",)),
    **dict.fromkeys(("source",), ("from", "source")),
    **dict.fromkeys(("target",), ("to", "target")),
    **dict.fromkeys(("schema", "dtype", "dtypes", "types"), ("columns",)),
    **dict.fromkeys(("na_values", "nulls", "nullstr"), ("null_values",)),
    **dict.fromkeys(("conn_id", "connection_id", "conn"), ("connection",)),
    **dict.fromkeys(("size", "length", "every"), ("duration",)),
    **dict.fromkeys(("gap", "timeout"), ("max_gap",)),
    **dict.fromkeys(("slide", "step"), ("hop",)),
    **dict.fromkeys(("n", "count", "limit"), ("rows",)),
}  # fmt: skip
"""Names of fields elsewhere → what a field may be called here; the first that is known in a place is meant."""
_TIMES = frozenset({"datetime_parsing", "datetime_from_date_parsing", "datetime_type", "date_parsing"})
_MEANT = re.compile(r"; (?=(?:write|did you mean) )")
"""What comes between a message of a validator and its advice."""
MOST_FAULTS = 100
"""Nobody reads more about one thing, and each costs time."""
_CALL = re.compile(r"(\w+)\((\w*|\*)\)")
_KINDS: dict[type, str] = {
    str: "a text", bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "a list",
    type(None): "null",
}  # fmt: skip


def problems_of(
    faults: Iterable[Any], at: str, model: type[BaseModel], given: object, code: str = "document"
) -> list[Problem]:
    """Turn errors of Pydantic about `given`, which stands at `at`, into problems: the first MOST_FAULTS, each once."""
    faults = list(faults)
    more = len(faults) - MOST_FAULTS
    del faults[MOST_FAULTS:]
    needed: dict[str, list[str]] = {}
    problems: dict[Problem, None] = {}
    # A field that is misspelt is not missing, too.
    meant = {
        (*fault["loc"][:-1], name)
        for fault in faults
        if fault["type"] == "extra_forbidden" and (name := meant_field(fault, model, given)) is not None
    }
    for fault in faults:
        if fault["type"] == "missing" and fault["loc"] in meant:
            continue
        problem = _problem_of(fault, at, model, given, code)
        if fault["type"] not in NEEDED:
            problems[problem] = None
            continue
        # What may be one of several is faulty as each of them.
        kinds = needed.setdefault(problem.pointer, [])
        if not kinds:
            problems[problem] = None
        kinds.append(NEEDED[fault["type"]])
    found = [_needing(problem, needed.get(problem.pointer, [])) for problem in problems]
    if more > 0:
        message = f"{more:,} more of its fields are wrong"
        found.append(Problem(f"{code}.more", message, pointer=at, hint="correct those first"))
    return found


def _needing(problem: Problem, kinds: list[str]) -> Problem:
    kinds = [kind for kind in dict.fromkeys(kinds) if kind != "a whole number" or "a number" not in kinds]
    if not kinds:
        return problem
    _, needed, rest = problem.message.partition(" is needed here")
    return replace(problem, message=f"{' or '.join(kinds)}{needed}{rest}")


def _problem_of(fault: Any, at: str, model: type[BaseModel], given: object, code: str) -> Problem:
    """Turn one error of Pydantic into a problem without the value at fault, but where it is one of a few words."""
    path = path_in(given, fault["loc"])
    kind = fault["type"]
    if kind in ("missing", "extra_forbidden"):
        path = [*path_in(given, fault["loc"][:-1]), fault["loc"][-1]]
    where = at + pointer(*path)
    if kind == "extra_forbidden":
        return unknown_field(str(path[-1]), model_at(model, path[:-1], fault["loc"]), where, code, fault["input"])
    if kind == "missing":
        return Problem(f"{code}.missing", f"{str(path[-1])!r} is needed here", pointer=where, hint=_use(model, path))
    if kind == "string_pattern_mismatch" and fault["ctx"]["pattern"] == IDENTIFIER:
        return Problem(
            f"{code}.identifier",
            "an id starts with a small letter and goes on with small letters, digits and _ (at most 100)",
            pointer=where,
            hint=_as_identifier(fault["input"]),
        )
    if kind == "literal_error" and isinstance(fault["input"], str):
        return _not_possible(fault["input"], fault["ctx"]["expected"], where, code)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        field = fault["ctx"]["discriminator"].strip("'")
        if kind == "union_tag_not_found":
            return Problem(f"{code}.missing", f"{field!r} is needed here", pointer=where + pointer(field))
        return _not_possible(str(fault["ctx"]["tag"]), fault["ctx"]["expected_tags"], where + pointer(field), code)
    if kind in NEEDED:
        message = f"{NEEDED[kind]} is needed here"
        if kind in _FORMS:
            message += f", not {_KINDS.get(type(fault['input']), 'something else')}"
        return Problem(f"{code}.invalid", message, pointer=where, hint=_form(fault, model, path))
    if kind in _TIMES and isinstance(fault["input"], str):
        return Problem(
            f"{code}.invalid", f"{fault['input']!r} is not a time", pointer=where, hint=_time(fault["input"])
        )
    if kind in MESSAGES:
        message = MESSAGES[kind].format(**fault.get("ctx", {}), field=path[-1] if path else "this")
        hint = _description(model, path) if kind == "too_short" else None
        return Problem(f"{code}.invalid", message, pointer=where, hint=hint)
    message, *advice = _MEANT.split(fault["msg"].removeprefix("Value error, "), maxsplit=1)
    hint = advice[0] if advice else None
    return Problem(f"{code}.invalid", message[0].lower() + message[1:], pointer=where, hint=hint)


def _not_possible(given: str, expected: str, where: str, code: str) -> Problem:
    known = re.findall(r"'([^']*)'", expected)
    near = suggestion(given, known)
    listed = f"possible: {', '.join(known)}"
    hint = f"{near} ({listed})" if near else listed
    return Problem(f"{code}.invalid", f"{given!r} is not possible here", pointer=where, hint=hint)


def _as_identifier(given: object) -> str | None:
    found = re.sub(r"[^a-z0-9]+", "_", str(given).lower()).strip("_")
    return f"write {found}" if isinstance(given, str) and re.fullmatch(IDENTIFIER, found) else None


def _time(given: str) -> str:
    found = re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", given)
    day = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if found else "2026-01-31"
    return f"write {day} or {day}T06:00:00"


def _form(fault: Any, model: type[BaseModel], path: Sequence[str | int]) -> str | None:
    """Return how what was given is written in the form that is needed, or what the field says of itself."""
    given, kind = fault["input"], fault["type"]
    if kind not in _FORMS:
        return None
    if kind in ("list_type", "tuple_type"):
        field = _field(model, path)
        if isinstance(given, str) and field is not None and _lists_texts(field.annotation):
            return f"write {json.dumps([part.strip() for part in given.split(',')], ensure_ascii=False)}"
        if isinstance(given, dict) and given and all(isinstance(value, str) for value in given.values()):
            pairs = json.dumps([list(pair) for pair in given.items()], ensure_ascii=False)
            return f"write {pairs}" if list(path) == ["on"] else _description(model, path)
        return _description(model, path)
    if model is Edge and not path:
        ends = re.split(r"\s*(?:->|→|>>|>)\s*", given) if isinstance(given, str) else given
        if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, str) for end in ends):
            return f'write {{"from": {json.dumps(ends[0])}, "to": {json.dumps(ends[1])}}}'
    if model is Document and list(path[:1]) == ["schedule"] and isinstance(given, str):
        clock = "every" if re.fullmatch(PATTERN, given) else "cron"
        return f'write {{"{clock}": {json.dumps(given)}}}'
    if model is Document and list(path[:1]) == ["params"] and len(path) == 2:
        types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
        if type(given) in types:
            # A text may be a secret; a message does not say it again.
            shown = "…" if isinstance(given, str) else given
            return f'write {{"type": "{types[type(given)]}", "default": {json.dumps(shown, ensure_ascii=False)}}}'
    inside = model_at(model, path)
    call = _CALL.fullmatch(given.strip()) if isinstance(given, str) else None
    if call and inside is not None and {"op", "column"} <= inside.model_fields.keys():
        column = f', "column": "{call[2]}"' if call[2].strip("*") else ""
        return f'write {{"op": "{call[1].lower()}"{column}}}'
    return _description(model, path)


def _lists_texts(annotation: Any) -> bool:
    """Tell whether a type is a list whose entries may be texts."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is list:
        return any(part is str for part in _flat(parts[0]))
    return any(_lists_texts(part) for part in parts)


def _flat(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not list:
        for part in get_args(annotation):
            yield from _flat(part)


def path_in(given: object, location: Iterable[str | int]) -> list[str | int]:
    # Pydantic names the tried branch of a union or a validator among the keys; what was given has no such key.
    path: list[str | int] = []
    for part in location:
        if isinstance(given, dict):
            known = part in given
        else:
            known = isinstance(given, list) and isinstance(part, int) and part < len(given)
        if known:
            given = given[part]  # type: ignore[index] # asked the line before
            path.append(part)
    return path


def model_at(
    model: type[BaseModel], path: Iterable[str | int], tags: Iterable[str | int] = ()
) -> type[BaseModel] | None:
    """Return the model that a path leads to, or None where it may be one of several, or none.

    `tags` may hold what tells one of several from the others.
    """
    for part in path:
        field = next((info for name, info in model.model_fields.items() if part in (name, info.alias)), None)
        if field is None:
            continue  # a place in a list, or a name that the document gives
        models = _models_in(field.annotation)
        if len(models) > 1:
            models = {found for found in models if tags and _tags_of(found) & set(tags)}
        if len(models) != 1:
            return None
        model = models.pop()
    return model


def _tags_of(model: type[BaseModel]) -> set[Any]:
    fields = model.model_fields.values()
    return {tag for field in fields if get_origin(field.annotation) is Literal for tag in get_args(field.annotation)}


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for part in get_args(annotation) for model in _models_in(part)}


def _field(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """Return the field of one model that a path leads to."""
    inside = model_at(model, path[:-1]) if path else None
    fields = inside.model_fields.items() if inside else ()
    return next((info for name, info in fields if path[-1] in (name, info.alias)), None)


def _description(model: type[BaseModel], path: Sequence[str | int]) -> str | None:
    """Return what a field says of itself, or None where the path leads to no field of one model."""
    field = _field(model, path)
    return field.description if field else None


def _use(model: type[BaseModel], path: Sequence[str | int]) -> str | None:
    field = _field(model, path)
    if field is not None and any(getattr(mark, "meaning", None) == "connection" for mark in field.metadata):
        return "the name of an Airflow Connection; `airloom connection list` shows them"
    return field.description if field else None


def meant_field(fault: Any, model: type[BaseModel], given: object) -> str | None:
    """Return the field that a field which is not there may stand for, or None."""
    path = path_in(given, fault["loc"][:-1])
    return near_field(str(fault["loc"][-1]), model_at(model, path, fault["loc"]))


def near_field(field: str, model: type[BaseModel] | None) -> str | None:
    """Return the field of a model that a word may stand for, or None."""
    known = _names(model)
    before = field.partition(":")[0]
    return before if before in known else nearest(field, known, OTHER_FIELDS)


def meant_value(fault: Any, model: type[BaseModel], given: object) -> Any:
    """Return the value that may be meant by one that is not possible, or None."""
    kind, value = fault["type"], fault.get("input")
    if kind in ("literal_error", "union_tag_invalid"):
        word, expected = (value, "expected") if kind == "literal_error" else (fault["ctx"]["tag"], "expected_tags")
        return nearest(str(word), re.findall(r"'([^']*)'", fault["ctx"][expected]))
    if kind == "list_type" and isinstance(value, str):
        field = _field(model, path_in(given, fault["loc"]))
        lists = field is not None and _lists_texts(field.annotation)
        return [part.strip() for part in value.split(",")] if lists else None
    advice = re.search(r"; (?:write|did you mean) '?([^'?; ]+)'?\??$", fault["msg"])
    return advice[1] if advice else None


def _names(model: type[BaseModel] | None) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()] if model else []


def descends(field: str, value: object) -> bool | None:
    """Tell whether a field of another system, such as `order: desc`, asks for descending order; None for others."""
    if isinstance(value, str):
        return value.lower().startswith("desc")
    return not value if isinstance(value, bool) and field.startswith("asc") else None


def unknown_field(
    field: str, model: type[BaseModel] | None, where: str, code: str = "document", value: object = None
) -> Problem:
    """Return the problem of a field that its model does not have."""
    known = _names(model)
    near = near_field(field, model)
    hint = f"did you mean {near!r}?" if near else f"known fields: {', '.join(known)}" if known else None
    if near is not None and field.startswith(near + ":"):
        hint = "write a space after the colon"
    elif near == "descending" and (downwards := descends(field, value)) is not None:
        hint = f"did you mean 'descending: {str(downwards).lower()}'?"
    return Problem(f"{code}.unknown_field", f"there is no field {field!r}", pointer=where, hint=hint)
