"""What in a text file does not fit its table: file, line, column, text and reason of each fault."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from airloom.engine.csv_file import fits_width, layouts, records
from airloom.engine.packed import open_bytes
from airloom.engine.quoting import quoted, sql_literal
from airloom.engine.reading import LINES, call, decimals_of, select_csv, strict_values, try_fitting
from airloom.engine.relation import Columns
from airloom.engine.scan import Scan
from airloom.engine.text_values import FLOATING, form_of, read_json_text, read_text, reason
from airloom.spec.error import DataError
from airloom.spec.words import with_article

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REJECT_COLUMNS: Columns = {
    "file": "VARCHAR", "line": "BIGINT", "column": "VARCHAR", "text": "VARCHAR", "reason": "VARCHAR",
}  # fmt: skip
DOCUMENT = "CASE WHEN json_valid(text) THEN CAST(text AS JSON) END"
NO_LETTERS = "bytes that are not letters in the encoding of the file"
PLAIN_QUOTES = 'where quotes are plain text in this file, set quote: ""'
OPEN_QUOTE = "a quote is not closed, or text follows it"
LONGEST = 2_000_000
"""Bytes that DuckDB takes for a line at most."""

_TEXT_LIMIT = 10_000
_PIECE = 1 << 20
_ROWS = 20_000


@dataclass(frozen=True, order=True)
class Fault:
    """Name a place of a file that does not fit: `line` counts from 1, `text` is the line, or the row, as it stands."""

    file: str
    line: int
    column: str | None
    text: str | None
    reason: str

    def row(self) -> dict[str, Any]:
        """Return the fault as a row of a table of rejects."""
        return dict(zip(REJECT_COLUMNS, astuple(self), strict=True))

    def error(self) -> DataError:
        """Return the error that says so."""
        column = f", column {self.column}" if self.column else ""
        return DataError(
            f"{os.path.basename(self.file)}, line {self.line}{column}: {self.reason}",
            hint=f"{self._instead()}, or let rejects: true send such rows to a port of their own",
        )

    def _instead(self) -> str:
        if self.reason == OPEN_QUOTE:
            return f"correct the file; {PLAIN_QUOTES}"
        if re.search(r"\d\.0*' is not an? U?[A-Z]*INT", self.reason):
            return "read the column as DOUBLE, and cast it to a whole number behind"
        return "correct the file"


class Sieve:
    """Read text files so that what does not fit is kept apart from the rows that do.

    `good` is the query for the rows that fit; once it has run to its end, `faults` tells the others.
    """

    def __init__(self, connection: DuckDBPyConnection, scan: Scan, paths: Sequence[str], columns: Columns) -> None:
        self._connection = connection
        self._scan = scan
        self._paths = paths
        self._columns = columns
        self._uris = dict(zip(paths, (file.uri for file in scan.files), strict=True))
        connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        self.good = self._good_csv() if scan.format == "csv" else self._good_lines()

    def faults(self) -> Iterator[Fault]:
        """Yield the faults, by file and line; a row may have several."""
        found = [*self._csv_faults()] if self._scan.format == "csv" else [*self._line_faults()]
        place = {uri: at for at, uri in enumerate(self._uris.values())}
        yield from sorted(found, key=lambda fault: (place.get(fault.file, 0), fault.line, fault.column or ""))

    # CSV

    def _good_csv(self) -> str:
        source = select_csv(self._paths, self._scan.options, self._columns, store_rejects=True)
        self._source = source
        chosen, fits = [], []
        for name, kind in self._columns.items():
            found = try_fitting(name, kind, self._scan.options)
            chosen.append(f"{found[0] if found else quoted(name)} AS {quoted(name)}")
            fits.extend([found[1]] if found else [])
        all_fit = " AND ".join(fits) or "true"
        self._bad = f"SELECT count(*) FROM ({source}) AS found WHERE NOT ({all_fit})" if fits else ""  # noqa: S608
        return f"SELECT {', '.join(chosen)} FROM ({source}) AS found WHERE {all_fit}"  # noqa: S608 escaped

    def _csv_faults(self) -> Iterator[Fault]:
        stored = [*self._stored()]
        self._check_quotes([fault for fault in stored if fault.reason == OPEN_QUOTE])
        yield from stored
        if not self._bad:
            return
        row = self._connection.execute(self._bad).fetchone()
        missing = int(row[0]) if row else 0
        if not missing:
            return
        rows = set()
        for fault in self._value_faults():
            rows.add((fault.file, fault.line))
            yield fault
        if len(rows) < missing:
            raise DataError(f"{missing} rows do not fit, but {len(rows)} of them could be found in the files")

    def _check_quotes(self, faults: Sequence[Fault]) -> None:
        """Raise DataError where DuckDB, behind a quote that is not closed, has passed over rows that are right."""
        if not faults:
            return
        row = self._connection.execute(f"SELECT count(*) FROM ({self._source}) AS found").fetchone()  # noqa: S608
        rows = 0
        for path, layout in zip(self._paths, layouts(self._paths, self._scan.options), strict=True):
            width = len(layout.names)
            for record in records(path, layout, self._scan.options):
                rows += record.sound and fits_width(record.values, width)
        if row is None or row[0] < rows:
            error = min(faults).error()
            raise DataError(
                f"{error.message}; the rows behind it cannot be told apart", hint=f"correct the quotes; {PLAIN_QUOTES}"
            )

    def _stored(self) -> Iterator[Fault]:
        """Yield what DuckDB itself has kept apart, each kind of fault once a row."""
        query = """
            SELECT s.file_path, e.line_byte_position, e.column_name, any_value(e.csv_line), e.error_type::VARCHAR,
                   any_value(e.error_message)
            FROM reject_errors AS e JOIN (SELECT DISTINCT scan_id, file_id, file_path FROM reject_scans) AS s
              USING (scan_id, file_id)
            GROUP BY s.file_path, e.line_byte_position, e.error_type, e.column_name
            ORDER BY s.file_path, e.line_byte_position, e.column_name
        """
        if not self._connection.execute("FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall():
            return  # no file had a column to read
        found = self._connection.execute(query).fetchall()
        lines = {
            path: _lines_of(path, {row[1] for row in found if row[0] == path}) for path in {row[0] for row in found}
        }
        texts = {path: self._texts(path, set(numbers.values())) for path, numbers in lines.items()}
        told = set()
        for path, position, column, text, kind, message in found:
            cast = kind == "CAST"
            key = (path, position, column if cast or kind == "INVALID ENCODING" else kind)
            if key in told:
                continue
            told.add(key)
            # A line of JSON is read as one text.
            plain = column if (cast or kind == "INVALID ENCODING") and column in self._columns else None
            why = self._reason(kind, message, plain)
            line = lines[path][position]
            whole = text if kind == "INVALID ENCODING" else texts[path].get(line, text)
            yield Fault(self._uris[path], line, plain, _short(whole), why)

    def _texts(self, path: str, lines: Container[int]) -> dict[int, str]:
        """Return the rows of a CSV file that begin on these lines: DuckDB cuts those whose quotes are wrong."""
        if self._scan.format != "csv":
            return {}
        (layout,) = layouts([path], self._scan.options)
        return {row.line: row.text for row in records(path, layout, self._scan.options) if row.line in lines}

    def _reason(self, kind: str, message: str, column: str | None) -> str:
        if kind == "CAST":
            value = re.search(r'Could not convert string "(.*)" to ', message, re.DOTALL)
            wanted = self._columns.get(column or "", "such value")
            return (
                f"{value[1]!r} is not {with_article(wanted)}" if value else f"the value is not {with_article(wanted)}"
            )
        counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
        if counts:
            # DuckDB says where it stopped counting, not how many there are.
            found = {"MISSING COLUMNS": f"{counts[2]} values" if counts[2] != "1" else "1 value"}.get(
                kind, "more values"
            )
            if counts[1] == "1" and self._scan.options.get("delim") is None:
                return f"{found} where there is 1 column; delimiter names what stands between values, if not this"
            return f"{found} where there {'is 1 column' if counts[1] == '1' else f'are {counts[1]} columns'}"
        return {
            "UNQUOTED VALUE": OPEN_QUOTE,
            "INVALID ENCODING": NO_LETTERS,
            "LINE SIZE OVER MAXIMUM": "the row is longer than 2 MB",
        }.get(kind, message.split("\n")[0])

    def _value_faults(self) -> Iterator[Fault]:
        """Yield the values whose text is none of their column's type."""
        options = self._scan.options
        spelling = {name.lower(): name for name in self._columns}
        nulls = set(options.get("nullstr") or [""])
        for path, layout in zip(self._paths, layouts(self._paths, options), strict=True):
            names = [spelling.get(name.lower(), name) for name in layout.names]
            asked = [(at, name) for at, name in enumerate(names) if name in self._columns]
            rows = (row for row in records(path, layout, options) if row.sound and len(row.values) >= len(names))
            while some := list(itertools.islice(rows, _ROWS)):
                for at, name in asked:
                    texts = [None if row.values[at] in nulls else row.values[at] for row in some]
                    for number in self._misfits(name, texts):
                        row, text = some[number], texts[number] or ""
                        why = reason(text, self._columns[name], form_of(options, name))
                        yield Fault(self._uris[path], row.line, name, _short(row.text), why)

    def _misfits(self, name: str, texts: Sequence[str | None]) -> list[int]:
        """Return the places of the texts that are not a value of a column, as the query for the rows judges them."""
        value = read_text("text", self._columns[name], form_of(self._scan.options, name))
        if value is None:
            return []
        numbered = "SELECT unnest($1) AS text, generate_subscripts($1, 1) AS number"
        query = f"SELECT number - 1 FROM ({numbered}) AS texts WHERE text IS NOT NULL AND {value} IS NULL"  # noqa: S608
        return [row[0] for row in self._connection.execute(query, [texts]).fetchall()]

    # Lines of JSON

    def _good_lines(self) -> str:
        lines, again = (
            " UNION ALL ".join(_numbered_lines(path, more) for path in self._paths)
            for more in ("store_rejects", "ignore_errors")
        )
        values = {name: f"json_extract(doc, {sql_literal(_path(name))})" for name in self._columns}
        strict = strict_values(self._scan.options, self._columns)
        taken = {name: _taken(values[name], kind, strict=name in strict) for name, kind in self._columns.items()}
        for name, kind in self._columns.items():
            if name in strict and kind.startswith("DECIMAL"):
                exact = f"{decimals_of('doc', {name: kind})}[{sql_literal(name)}]"
                taken[name] = f"CASE WHEN {taken[name]} IS NOT NULL THEN {exact} END"
        fits = {name: self._fits(values[name], taken[name], kind) for name, kind in self._columns.items()}
        chosen = ", ".join(f"{value} AS {quoted(name)}" for name, value in taken.items())
        whole = (
            "CASE WHEN NOT json_valid(text) THEN 'the line is not JSON' "
            "WHEN json_type(doc) <> 'OBJECT' THEN 'the line is not an object' "
            "WHEN len(json_keys(doc)) <> len(list_distinct(json_keys(doc))) THEN 'a field stands there twice' END"
        )
        checked = [
            f"(SELECT *, {whole} AS fault FROM (SELECT *, {DOCUMENT} AS doc FROM ({source}) AS lines "  # noqa: S608
            "WHERE trim(coalesce(text, '')) <> '') AS documents) AS checked"
            for source in (lines, again)
        ]
        all_fit = " AND ".join(["fault IS NULL", *fits.values()])
        names = ", ".join(f"CASE WHEN NOT {fit} THEN {sql_literal(name)} END" for name, fit in fits.items())
        columns = f"CASE WHEN fault IS NULL THEN list_filter([{names}], lambda name: name IS NOT NULL) END"
        self._bad = f"SELECT file, line, text, fault, {columns} FROM {checked[1]} WHERE ({all_fit}) IS NOT TRUE"  # noqa: S608
        return f"SELECT {chosen} FROM {checked[0]} WHERE {all_fit}"  # noqa: S608 escaped

    @staticmethod
    def _fits(value: str, taken: str, kind: str) -> str:
        there = f"coalesce(json_type({value}), 'NULL') <> 'NULL'"
        finite = f" OR isfinite({taken}) IS FALSE" if kind in FLOATING else ""
        return f"(NOT ({there}) OR NOT ({taken} IS NULL{finite}))"

    def _line_faults(self) -> Iterator[Fault]:
        yield from self._stored()
        for path, line, text, fault, columns in self._connection.execute(self._bad).fetchall():
            if fault:
                yield Fault(self._uris[path], line, None, _short(text), fault)
            for column in columns or ():
                value = _json_text(text, column)
                yield Fault(
                    self._uris[path],
                    line,
                    column,
                    _short(text),
                    f"{value} is not {with_article(self._columns[column])}",
                )


def _numbered_lines(path: str, more: str) -> str:
    lines = call("read_csv", [path], {**LINES, more: True})
    return f"SELECT {sql_literal(path)} AS file, row_number() OVER () AS line, text FROM {lines}"  # noqa: S608 escaped


def first_fault(connection: DuckDBPyConnection, scan: Scan, paths: Sequence[str], columns: Columns) -> Fault | None:
    """Return the first fault of a scan's text files, or None where every row fits."""
    import duckdb

    if scan.format == "parquet":
        return None
    if scan.format == "text":
        return next(
            (fault for path, file in zip(paths, scan.files, strict=True) for fault in _text_faults(path, file.uri)),
            None,
        )
    try:
        sieve = Sieve(connection, scan, paths, columns)
        counted = ", ".join(f"count({quoted(name)})" for name in columns)
        connection.execute(f"SELECT {counted} FROM ({sieve.good}) AS good").fetchall()  # noqa: S608 quoted
    except duckdb.Error:
        uris = [file.uri for file in scan.files]
        return next((fault for path, uri in zip(paths, uris, strict=True) if (fault := _mixed_ends(path, uri))), None)
    return next(sieve.faults(), None)


def _text_faults(path: str, uri: str) -> Iterator[Fault]:
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                yield Fault(uri, number, None, _short(line.decode(errors="replace")), NO_LETTERS)
            if len(line) > LONGEST:
                yield Fault(uri, number, None, None, "the line is longer than 2 MB; read files: rows: files")


def _mixed_ends(path: str, uri: str) -> Fault | None:
    """Return the first line that ends in another way than those above it: DuckDB takes one way for a file."""
    usual = b""
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            usual = usual or end
            if end != usual and line.endswith(b"\n"):
                names = {b"\r\n": "CR LF", b"\n": "LF"}
                text = _short(line.decode("utf-8", "replace").rstrip("\r\n"))
                return Fault(uri, number, None, text, f"the line ends in {names[end]}, those above in {names[usual]}")
    return None


def _lines_of(path: str, positions: Iterable[int]) -> dict[int, int]:
    """Return the number of the line that each byte of a file stands on."""
    found: dict[int, int] = {}
    line, at = 1, 0
    previous = b""
    with open_bytes(path) as file:
        for position in sorted(positions):
            while at < position:
                piece = file.read(min(_PIECE, position - at))
                if not piece:
                    break
                at += len(piece)
                # A lone \r ends a line as well.
                joined = previous + piece
                line += piece.count(b"\n") + joined.count(b"\r") - joined.count(b"\r\n") - (previous == b"\r")
                line += previous == b"\r" and not piece.startswith(b"\n")
                previous = piece[-1:]
            found[position] = line
    return found


def _path(name: str) -> str:
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _taken(value: str, kind: str, *, strict: bool) -> str:
    if kind == "JSON":
        return value
    text = f"CASE WHEN json_type({value}) = 'VARCHAR' THEN {value} ->> '$' ELSE CAST({value} AS VARCHAR) END"
    if kind == "VARCHAR":
        return text
    # JSON's own null is none of its texts.
    text = f"(CASE WHEN json_type({value}) <> 'NULL' THEN {text} END)"
    return (read_json_text(text, kind) if strict else None) or f"TRY_CAST({value} AS {kind})"


def _json_text(text: str, column: str) -> str:
    import json

    with contextlib.suppress(ValueError, TypeError):
        return _short(json.dumps(json.loads(text)[column], ensure_ascii=False)) or ""
    return "the value"


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "…"
