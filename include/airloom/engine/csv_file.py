"""CSV files as they are: where their rows begin, what the columns are called, and of which types they look.

DuckDB's own finding out is not used: it takes a file with one ragged row for a file of one column, passes over title
lines and lines that start with #, and reads 01/02/2026 one way or the other.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airloom.engine.packed import open_bytes
from airloom.engine.relation import Columns
from airloom.spec.error import ConfigurationError

DELIMITERS = ",;\t|"
HEAD_ROWS = 20_000
HEAD_BYTES = 4 << 20
"""Rows and bytes at the top of a file that its column types are found out from; several files share the bytes."""

SMALLEST_HEAD = 1 << 16
_WHOLE = {
    "TINYINT": 1 << 7, "SMALLINT": 1 << 15, "INTEGER": 1 << 31, "BIGINT": 1 << 63,
    "UTINYINT": 1 << 8, "USMALLINT": 1 << 16, "UINTEGER": 1 << 32, "UBIGINT": 1 << 64,
}  # fmt: skip
"""The types of whole numbers with the first number that is too large."""

FLOATING = ("DOUBLE", "FLOAT")
NOT_WHOLE = "[^0-9 +-]"
"""A pattern of what no whole number holds; DuckDB would round `2.7`, and take `1_000` and `0x10`."""

NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("BIGINT", re.compile(r"[+-]?(0|[1-9]\d*)")),
    ("DOUBLE", re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")),
    ("DATE", re.compile(_DAY)),
    ("TIMESTAMP", re.compile(rf"{_DAY}[ T]{_TIME}")),
    ("TIMESTAMPTZ", re.compile(rf"{_DAY}[ T]{_TIME} ?(Z|UTC|[+-]\d{{2}}(:?\d{{2}})?)")),
    ("TIME", re.compile(_TIME)),
    ("BOOLEAN", re.compile(r"true|false", re.IGNORECASE)),
)
_WIDER = {
    frozenset({"BIGINT", "DOUBLE"}): "DOUBLE",
    frozenset({"BIGINT", "DECIMAL(38,0)"}): "DECIMAL(38,0)",
    frozenset({"DOUBLE", "DECIMAL(38,0)"}): "DOUBLE",
    frozenset({"BIGINT", "DOUBLE", "DECIMAL(38,0)"}): "DOUBLE",
    frozenset({"DATE", "TIMESTAMP"}): "TIMESTAMP",
}


@dataclass(frozen=True)
class Layout:
    """Say how a file is laid out: what stands between values, the columns' names, lines above the first row."""

    delimiter: str
    names: tuple[str, ...]
    skip: int


@dataclass(frozen=True)
class _Head:
    layout: Layout
    rows: list[list[str]]


def whole_limit(kind: str) -> int | None:
    """Return the first number that is too large for a type of whole numbers, or None for any other type."""
    decimal = re.fullmatch(r"DECIMAL\((\d+), ?0\)", kind)
    return 10 ** int(decimal[1]) if decimal else _WHOLE.get(kind)


def layouts(paths: Sequence[str], options: Mapping[str, Any]) -> list[Layout]:
    """Return how each file is laid out; raise ConfigurationError that names a file which is no such table."""
    return [_head(path, options, SMALLEST_HEAD).layout for path in paths]


def csv_columns(paths: Sequence[str], options: Mapping[str, Any]) -> Columns:
    """Return the columns of all files together, in the order in which they are met; raise ConfigurationError."""
    size = max(SMALLEST_HEAD, HEAD_BYTES // len(paths))
    kinds: dict[str, set[str]] = {}
    spelling: dict[str, str] = {}
    given = {name.lower(): kind for name, kind in (options.get("columns") or {}).items()}
    for path in paths:
        head = _head(path, options, size)
        for at, name in enumerate(head.layout.names):
            found = kinds.setdefault(spelling.setdefault(name.lower(), name), set())
            if name.lower() not in given:
                found |= _kinds_of((row[at] for row in head.rows if at < len(row)), options)
    if not kinds:
        raise ConfigurationError(
            f"{os.path.basename(paths[0])} is empty, so it has no columns",
            field="path",
            hint="name them with their types: columns, and header: false",
        )
    missing = [name for name in options.get("columns") or {} if name.lower() not in spelling]
    if missing:
        raise ConfigurationError(
            f"{os.path.basename(paths[0])} has no column {missing[0]!r}",
            field=f"columns/{missing[0]}",
            hint=f"its columns are {', '.join(itertools.islice(kinds, 20))}",
        )
    return {name: given.get(name.lower()) or common_type(found) for name, found in kinds.items()}


def csv_arguments(options: Mapping[str, Any], layout: Layout, kinds: Columns) -> dict[str, Any]:
    """Return the arguments of `read_csv` that leave DuckDB nothing to find out."""
    others = ("nullstr", "dateformat", "timestampformat", "decimal_separator", "thousands")
    quote = options.get("quote", '"')
    return {
        "auto_detect": False,
        "header": False,
        "skip": layout.skip,
        "delim": layout.delimiter,
        "quote": quote,
        "escape": options.get("escape", quote),
        "comment": "",
        "columns": dict(kinds),
        **{name: options[name] for name in others if name in options},
    }


def records(path: str, layout: Layout, options: Mapping[str, Any]) -> Iterator[tuple[int, list[str], str]]:
    """Yield each row with the number of the line that it begins on, its values and its text."""
    with open_bytes(path) as file:
        lines = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        yield from _records(lines, layout.skip, layout.delimiter, options)


def _records(
    lines: Iterable[str], skip: int, delimiter: str, options: Mapping[str, Any]
) -> Iterator[tuple[int, list[str], str]]:
    seen: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            seen.append(line)
            yield line

    source = kept()
    for _ in itertools.islice(source, skip):
        pass
    seen.clear()
    start = skip + 1
    for values in csv.reader(source, **_dialect(delimiter, options)):
        text, count = "".join(seen), len(seen)
        seen.clear()
        if values:
            yield start, values, text.rstrip("\r\n")
        start += count


def _dialect(delimiter: str, options: Mapping[str, Any]) -> dict[str, Any]:
    quote = options.get("quote", '"')
    escape = options.get("escape", quote)
    csv.field_size_limit(1 << 30)
    if not quote:
        return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "escapechar": escape or None}
    if escape == quote:
        return {"delimiter": delimiter, "quotechar": quote, "doublequote": True}
    return {"delimiter": delimiter, "quotechar": quote, "doublequote": False, "escapechar": escape or None}


# Looking at the top of a file


def _head(path: str, options: Mapping[str, Any], size: int) -> _Head:
    name = os.path.basename(path)
    with open_bytes(path) as file:
        data = file.read(size)
        while len(data) >= size and data.count(b"\n") + data.count(b"\r") <= options.get("skip", 0) + 1:
            more = file.read(len(data))
            data += more
            if not more or len(data) > 16 * HEAD_BYTES:
                break
        whole = len(data) < size or not file.read(1)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(f"{name} is written in UTF-16", field="encoding", hint="set encoding: utf-16")
    if b"\0" in data[:4]:
        raise ConfigurationError(
            f"{name} is no text in UTF-8", field="encoding", hint="set the encoding, utf-16-le for one"
        )
    text = data.decode("utf-8-sig", errors="replace")
    if not whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    skip = options.get("skip", 0)
    lines = list(io.StringIO(text, newline=""))
    delimiter = options.get("delim") or _delimiter(lines, skip, options)
    found = list(itertools.islice(_records(lines, skip, delimiter, options), HEAD_ROWS))
    if not whole and len(found) > 1:
        found.pop()  # it may be cut
    if not found:
        # Nothing stands there: columns that are named are there all the same.
        return _Head(Layout(delimiter, tuple(options.get("columns") or ()), skip), [])
    rows = [values for _, values, _ in found]
    header = options.get("header")
    if header is None:
        header = _is_header(rows, options)
    if not header:
        names = tuple(options.get("columns") or ()) if options.get("header") is False else ()
        names = names or tuple(f"column{at}" for at in range(len(rows[0])))
        _check_width(name, len(names), rows, found, options)
        return _Head(Layout(delimiter, names, found[0][0] - 1), rows)
    _check_width(name, len(_trimmed(rows[0], rows)), rows, found, options)
    first = found[1][0] - 1 if len(found) > 1 else len(lines)
    names = unique_names([value.strip() for value in _trimmed(rows[0], rows)])
    return _Head(Layout(delimiter, names, first), rows[1:])


def _trimmed(header: list[str], rows: list[list[str]]) -> list[str]:
    # `a,b,` above `1,2` names two columns.
    if header[-1].strip() == "" and len(header) > 1 and all(len(row) < len(header) for row in rows[1:2]):
        return header[:-1]
    return header


def _check_width(
    name: str, width: int, rows: list[list[str]], found: list[tuple[int, list[str], str]], options: Mapping[str, Any]
) -> None:
    """Refuse a file whose first line is no part of its table."""
    usual = Counter(len(row) for row in rows[1:]).most_common(1)
    if not usual or usual[0][0] == width or len(rows) < 3 or usual[0][1] * 2 <= len(rows) - 1:
        return
    if any(len(row) == width for row in rows[1:]) or (usual[0][0] == width + 1 and rows[1][-1] == ""):
        return
    if options.get("header") is False and options.get("columns"):
        hint = "columns names every column of the file, in order"
    else:
        hint = "pass over the lines above the table: skip_rows"
    raise ConfigurationError(
        f"{name}, line {found[0][0]}: {_values(len(rows[0]) if width == len(rows[0]) else width)}, "
        f"but most lines have {usual[0][0]}",
        field="path",
        hint=hint,
    )


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _delimiter(lines: list[str], skip: int, options: Mapping[str, Any]) -> str:
    """Return the delimiter by which most rows have as many values as the most usual row, and more than one."""

    def fit(delimiter: str) -> tuple[float, int]:
        counts = Counter(
            len(values) for _, values, _ in itertools.islice(_records(lines, skip, delimiter, options), 200)
        )
        width, often = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (often / max(1, counts.total()), width) if width > 1 else (0.0, max(counts, default=0))

    return max(DELIMITERS, key=fit)


def _is_header(rows: list[list[str]], options: Mapping[str, Any]) -> bool:
    first, rest = rows[0], rows[1:101]
    kinds = [_kinds_of([value], options) for value in first]
    if all(kind <= {"VARCHAR"} for kind in kinds):
        return True
    for at, kind in enumerate(kinds):
        below = common_type(_kinds_of((row[at] for row in rest if at < len(row)), options)) if rest else "VARCHAR"
        if below != "VARCHAR" and kind and common_type(kind | {below}) == "VARCHAR":
            return True
    return False


def unique_names(names: list[str]) -> tuple[str, ...]:
    """Return the names of columns, `column3` for an empty one, a number behind one that is there twice."""
    seen: set[str] = set()
    found = []
    for at, name in enumerate(names):
        plain = name or f"column{at}"
        unique, count = plain, 0
        while unique.lower() in seen:
            count += 1
            unique = f"{plain}_{count}"
        seen.add(unique.lower())
        found.append(unique)
    return tuple(found)


def _kinds_of(values: Iterable[str], options: Mapping[str, Any]) -> set[str]:
    """Return the types that the values look of; nulls look of none."""
    nulls = set(options.get("nullstr") or [""])
    number = _number(options)
    found: set[str] = set()
    for value in set(values) - nulls:
        found.add(_kind(value.strip(" "), number, options))
        if "VARCHAR" in found:
            return {"VARCHAR"}
    return found


def _number(options: Mapping[str, Any]) -> Callable[[str], str]:
    point, thousands = options.get("decimal_separator", "."), options.get("thousands")
    if point == "." and not thousands:
        return lambda value: value
    groups = re.compile(rf"[+-]?\d{{1,3}}(\{thousands}\d{{3}})+({re.escape(point)}\d*)?") if thousands else None

    def plain(value: str) -> str:
        if groups and groups.fullmatch(value):
            value = value.replace(str(thousands), "")
        elif point != "." and "." in value:
            return value if re.match(_DAY, value) else "no number"
        return value.replace(point, ".")

    return plain


def _kind(value: str, number: Callable[[str], str], options: Mapping[str, Any]) -> str:
    plain = number(value)
    if NOT_FINITE.fullmatch(plain):
        return "DOUBLE"
    for kind, pattern in _KINDS:
        if pattern.fullmatch(plain if kind in ("BIGINT", "DOUBLE") else value):
            if kind == "BIGINT" and not -(1 << 63) <= int(plain) < 1 << 63:
                return "DECIMAL(38,0)" if len(plain.lstrip("+-")) <= 38 else "VARCHAR"
            return kind if _is_there(kind, value) else "VARCHAR"
    return _by_format(value, options)


def _is_there(kind: str, value: str) -> bool:
    from datetime import date

    if kind in ("DATE", "TIMESTAMP", "TIMESTAMPTZ"):
        try:
            date.fromisoformat(value[:10])
        except ValueError:
            return False
    clock = value[11:] if kind.startswith("TIMESTAMP") else value if kind == "TIME" else "00:00"
    return clock[:2] < "24" and clock[3:5] < "60" and (clock[6:8] < "60" if clock[5:6] == ":" else True)


def _by_format(value: str, options: Mapping[str, Any]) -> str:
    from datetime import datetime

    for kind, option in (("DATE", "dateformat"), ("TIMESTAMP", "timestampformat")):
        if option in options:
            with contextlib.suppress(ValueError):
                datetime.strptime(value, options[option])  # noqa: DTZ007 only asked whether it fits
                return kind
    return "VARCHAR"


def common_type(kinds: set[str]) -> str:
    """Return the type that holds values of all these types: VARCHAR where no other does, and where there are none."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return _WIDER.get(frozenset(kinds), "VARCHAR")
