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
from typing import IO, Any, NamedTuple

from airloom.engine.packed import open_bytes
from airloom.engine.relation import Columns
from airloom.engine.text_values import digits_together
from airloom.spec.error import ConfigurationError

DELIMITERS = ",;\t|"
HEAD_ROWS = 20_000
HEAD_BYTES = 4 << 20
"""Rows and bytes at the top of a file that its column types are found out from; several files share the bytes."""

SMALLEST_HEAD = 1 << 16
_TOLD = re.compile(r'"?sep=([^"\r\n])"?[\r\n]')
_LINE_END = re.compile("\r\n|\r|\n")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_EXACT = 1 << 53
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("BIGINT", re.compile(r"[+-]?(0|[1-9]\d*)", re.ASCII)),
    ("DOUBLE", re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)),
    ("DATE", re.compile(_DAY, re.ASCII)),
    ("TIMESTAMP", re.compile(rf"{_DAY}[ T]{_TIME}", re.ASCII)),
    ("TIMESTAMPTZ", re.compile(rf"{_DAY}[ T]{_TIME} ?(Z|UTC|[+-]\d{{2}}(:?\d{{2}})?)", re.ASCII)),
    ("TIME", re.compile(_TIME, re.ASCII)),
    ("BOOLEAN", re.compile(r"true|false", re.IGNORECASE)),
)
_LARGE = "BIGINT beyond 53 bits"
"""What whole numbers look of that a DOUBLE cannot hold: beside fractions they are text."""

_WIDER = {
    frozenset({"BIGINT", "DOUBLE"}): "DOUBLE",
    frozenset({_LARGE}): "BIGINT",
    frozenset({"BIGINT", _LARGE}): "BIGINT",
    frozenset({"BIGINT", "DECIMAL(38,0)"}): "DECIMAL(38,0)",
    frozenset({_LARGE, "DECIMAL(38,0)"}): "DECIMAL(38,0)",
    frozenset({"BIGINT", _LARGE, "DECIMAL(38,0)"}): "DECIMAL(38,0)",
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
    """The rows below the header whose quotes are right; some may be ragged."""


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
        rows = [row for row in head.rows if fits_width(row, len(head.layout.names))]
        for at, name in enumerate(head.layout.names):
            found = kinds.setdefault(spelling.setdefault(name.lower(), name), set())
            if name.lower() not in given:
                found |= _kinds_of((row[at] for row in rows), options)
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
        **({"nullstr": options["nullstr"]} if "nullstr" in options else {}),
    }


class Record(NamedTuple):
    """Hold a row of a file: the line that it begins on, its values, its text, and whether its quotes are right."""

    line: int
    values: list[str]
    text: str
    sound: bool

    @property
    def lines(self) -> int:
        """Return how many lines it stands on."""
        return len(_LINE_END.findall(self.text)) + 1


def fits_width(values: Sequence[str], width: int) -> bool:
    """Tell whether a row has a value for each column; those that it has beyond are empty."""
    return len(values) >= width and not any(values[width:])


def records(path: str, layout: Layout, options: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the rows of a file below the lines that are passed over; empty lines are none."""
    with open_bytes(path) as file:
        lines = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        yield from _Lines(layout.delimiter, options).records(lines, layout.skip)


def odd_top(path: str, options: Mapping[str, Any]) -> tuple[bytes, bytes] | None:
    """Return what is above the first row if DuckDB would lose rows in passing over it, and what ends a line.

    DuckDB looks for the end of a quote there, and stops without a word where those lines end in another way than
    the rows do. Raises ConfigurationError for a file that is not a table.
    """
    skip, quote = options.get("skip", 0), options.get("quote", '"')
    with open_bytes(path) as file:
        first = next(io.TextIOWrapper(file, "utf-8", errors="replace", newline=""), "")
    plain = first.strip("\ufeff \r\n") and not _TOLD.match(first.lstrip("\ufeff"))
    if not skip and plain and (not quote or first.count(quote) % 2 == 0):
        return None
    layout = _head(path, options, SMALLEST_HEAD).layout
    with open_bytes(path) as file:
        lines = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        top, row = list(itertools.islice(lines, layout.skip)), next(lines, "")
    end = _LINE_END.findall(row)[-1:] or ["\n"]
    parts = _Lines(layout.delimiter, options)
    mixed = len(top) > 1 and any(not line.endswith(end[0]) or _LINE_END.findall(line) != end for line in top)
    if not row or (not mixed and all(parts.is_sound(line) for line in top)):
        return None
    return "".join(top).encode("utf-8", errors="surrogateescape"), end[0].encode()


def kept_top(path: str) -> str:
    """Return the place of the lines above the rows of a file that was made without them: it has empty ones."""
    return os.path.join(os.path.dirname(path), ".airloom-top")


class _Lines:
    """Take lines apart as DuckDB does: a quote opens a value at its start, or behind one space."""

    def __init__(self, delimiter: str, options: Mapping[str, Any]) -> None:
        csv.field_size_limit(1 << 30)
        self._delimiter = delimiter
        self._quote = options.get("quote", '"')
        if not self._quote:
            return
        escape = options.get("escape", self._quote)
        quote, parted = re.escape(self._quote), re.escape(delimiter)
        inside = f"[^{quote}]|{quote}{quote}"
        if escape and escape != self._quote:
            inside = f"[^{quote}{re.escape(escape)}]|{re.escape(escape)}."
        self._escaped = re.compile(f"{re.escape(escape or self._quote)}(.)", re.DOTALL)
        self._quoted = re.compile(f" ?{quote}((?:{inside})*+){quote} *(?={parted}|[\\r\\n]|\\Z)", re.DOTALL)
        self._open = re.compile(f" ?{quote}(?:{inside})*+\\Z", re.DOTALL)
        self._plain = re.compile(f"[^{parted}\\r\\n]*")
        self._simple = escape == self._quote

    def records(self, lines: Iterable[str], skip: int) -> Iterator[Record]:
        source = iter(lines)
        start = 1 + sum(1 for _ in itertools.islice(source, skip))
        for line in source:
            text, count = line, 1
            values, state = self._values(text)
            while state == "open" and (more := self._until_quote(source)):
                text, count = text + "".join(more), count + len(more)
                values, state = self._values(text)
            text = text.rstrip("\r\n")
            if text:
                yield Record(start, values, text, state == "sound")
            start += count

    def is_sound(self, line: str) -> bool:
        """Tell whether the quotes of a line are right."""
        return self._values(line)[1] == "sound"

    def _until_quote(self, source: Iterator[str]) -> list[str]:
        """Return the next lines down to one that may end a value."""
        found = []
        for line in source:
            found.append(line)
            if self._quote in line:
                break
        return found

    def _values(self, text: str) -> tuple[list[str], str]:
        """Return the values of a row, and whether it is `sound`, still `open` at its end, or `broken`."""
        plain = text.rstrip("\r\n")
        if not self._quote or self._quote not in text:
            return plain.split(self._delimiter), "sound"
        if self._simple and " " + self._quote not in text:
            with contextlib.suppress(csv.Error):
                reader = csv.reader([text], strict=True, delimiter=self._delimiter, quotechar=self._quote)
                return next(reader), "sound"
        values: list[str] = []
        at = 0
        while True:
            found = self._quoted.match(text, at)
            if found:
                values.append(self._escaped.sub(r"\1", found[1]))
            elif text[at : at + 2].removeprefix(" ")[:1] == self._quote:
                return plain.split(self._delimiter), "open" if self._open.match(text, at) else "broken"
            else:
                found = self._plain.match(text, at)
                values.append(found[0] if found else "")
            at = found.end() if found else len(text)
            if text[at : at + 1] != self._delimiter:
                return values, "sound"
            at += 1


# Looking at the top of a file


def _head(path: str, options: Mapping[str, Any], size: int) -> _Head:
    name = os.path.basename(path)
    with open_bytes(path) as file:
        data = _top(path, file) + file.read(size)
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
            f"{name} is not text in UTF-8", field="encoding", hint="set the encoding, utf-16-le for one"
        )
    text = data.decode("utf-8-sig", errors="replace")
    if not whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    skip, delimiter = options.get("skip", 0), options.get("delim")
    lines = list(io.StringIO(text, newline=""))
    told = _TOLD.match(text) if not skip else None
    if told:
        # Excel writes the delimiter above the table.
        skip, delimiter = 1, delimiter or told[1]
    delimiter = delimiter or _delimiter(lines, skip, options)
    found = list(itertools.islice(_Lines(delimiter, options).records(lines, skip), HEAD_ROWS))
    if not whole and len(found) > 1:
        found.pop()  # it may be cut
    if not found:
        # Nothing stands there: columns that are named are there all the same.
        return _Head(Layout(delimiter, tuple(options.get("columns") or ()), skip), [])
    first, rows = found[0], [record.values for record in found if record.sound or record is found[0]]
    header = options.get("header")
    if header is not False and not first.sound:
        raise ConfigurationError(
            f"{name}, line {first.line}: a quote is not closed, or text follows it",
            field="path",
            hint="correct the line, or pass over the lines above the table: skip_rows",
        )
    if header is None:
        header = _is_header(rows, options)
    if not header:
        names = tuple(options.get("columns") or ()) if options.get("header") is False else ()
        names = names or tuple(f"column{at}" for at in range(len(rows[0])))
        _check_width(name, len(names), rows, first.line, options)
        return _Head(Layout(delimiter, names, skip), rows)
    _check_width(name, len(_trimmed(rows[0], rows)), rows, first.line, options)
    names = unique_names([value.strip() for value in _trimmed(rows[0], rows)])
    return _Head(Layout(delimiter, names, first.line - 1 + first.lines), rows[1:])


def _top(path: str, file: IO[bytes]) -> bytes:
    """Return what stood above the rows, and pass over the empty lines that stand in its place."""
    with contextlib.suppress(FileNotFoundError), open(kept_top(path), "rb") as kept:
        top = kept.read()
        end = 1 if file.read(2) != b"\r\n" else 2
        file.seek(end * len(_LINE_END.findall(top.decode(errors="replace"))))
        return top
    return b""


def _trimmed(header: list[str], rows: list[list[str]]) -> list[str]:
    # `a,b,` above `1,2` names two columns.
    if header[-1].strip() == "" and len(header) > 1 and all(len(row) < len(header) for row in rows[1:2]):
        return header[:-1]
    return header


def _check_width(name: str, width: int, rows: list[list[str]], line: int, options: Mapping[str, Any]) -> None:
    """Refuse a file whose first line is not part of its table."""
    usual = Counter(len(row) for row in rows[1:]).most_common(1)
    if not usual or usual[0][0] == width or len(rows) < 3 or usual[0][1] * 2 <= len(rows) - 1:
        return
    if any(len(row) == width for row in rows[1:]) or (usual[0][0] > width and fits_width(rows[1], width)):
        return
    if options.get("header") is False and options.get("columns"):
        hint = "columns names every column of the file, in order"
    else:
        hint = "pass over the lines above the table: skip_rows"
        if width > usual[0][0]:
            hint = f"correct the header, or {hint}"
    raise ConfigurationError(
        f"{name}, line {line}: {_values(len(rows[0]) if width == len(rows[0]) else width)}, "
        f"but most lines have {usual[0][0]}",
        field="path",
        hint=hint,
    )


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _delimiter(lines: list[str], skip: int, options: Mapping[str, Any]) -> str:
    """Return the delimiter by which most rows have as many values as the most usual row, and more than one.

    What stands in numbers is none where it stands between two digits.
    """
    bare = re.sub(r'"[^"]*"', "", "".join(lines[skip : skip + 200]))
    signs = (options.get("decimal_separator"), options.get("thousands"))
    in_numbers = [sign for sign in signs if sign and re.search(rf"\d{re.escape(sign)}\d", bare)]

    def fit(delimiter: str) -> tuple[float, int]:
        top = itertools.islice(_Lines(delimiter, options).records(lines, skip), 200)
        counts = Counter(len(record.values) for record in top)
        width, often = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (often / max(1, counts.total()), width) if width > 1 else (0.0, max(counts, default=0))

    return max((delimiter for delimiter in DELIMITERS if delimiter not in in_numbers), key=fit)


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
    if _NOT_FINITE.fullmatch(plain):
        return "DOUBLE"
    formats = {"DATE": "dateformat", "TIMESTAMP": "timestampformat", "TIMESTAMPTZ": "timestampformat"}
    for kind, pattern in _KINDS:
        if formats.get(kind) not in options and pattern.fullmatch(plain if kind in ("BIGINT", "DOUBLE") else value):
            if kind == "BIGINT" and not -(1 << 63) <= int(plain) < 1 << 63:
                return "DECIMAL(38,0)" if len(plain.lstrip("+-")) <= 38 else "VARCHAR"
            if kind == "BIGINT" and abs(int(plain)) > _EXACT and float(plain) != int(plain):
                return _LARGE
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
        if option in options and all(re.search(pattern, value) for pattern in digits_together(options[option])):
            with contextlib.suppress(ValueError):
                datetime.strptime(value, options[option])  # noqa: DTZ007 only asked whether it fits
                return kind
    return "VARCHAR"


def common_type(kinds: set[str]) -> str:
    """Return the type that holds values of all these types: VARCHAR where no other does, and where there are none."""
    only = next(iter(kinds)) if len(kinds) == 1 else "VARCHAR"
    return _WIDER.get(frozenset(kinds), only)
