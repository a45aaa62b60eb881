"""Sheets of workbooks turned into lines of objects: line 7 of them is row 7 of the sheet."""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from airloom.engine.csv_file import common_type, unique_names
from airloom.engine.relation import Columns
from airloom.spec.error import ConfigurationError, DataError

EXACT = 1 << 53
"""The first whole number that a double, which is what a sheet holds, cannot tell from its neighbor."""

_TYPES = ".types"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ERROR_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)(\d+)"[^>]*>(?:(?!</c>).)*?<v>([^<]*)</v>', re.DOTALL)


def write_sheet(path: str, target: str, name: str, how: Mapping[str, Any]) -> None:
    """Write a sheet's rows as lines of objects, and beside them the types of its columns.

    Raises DataError for a file that is not a workbook, ConfigurationError for a sheet that is not there.
    """
    rows = _cells(path, name, how.get("sheet", 0))
    skip, header, nulls = how.get("skip", 0), how.get("header", True), set(how.get("nulls", ()))
    lines: list[str] = []
    names: tuple[str, ...] | None = None
    kinds: dict[str, set[str]] = {}
    for number, row in enumerate(rows):
        if number < skip or all(cell == "" for cell in row):
            lines.append("")
        elif names is None and header:
            names = unique_names([str(_plain(cell) or "").strip() for cell in row])
            unnamed = {column for column, cell in zip(names, row, strict=True) if cell == ""}
            lines.append("")
        else:
            if names is None:
                names = tuple(how.get("names") or (f"column{at}" for at in range(len(row))))
                unnamed = set()
            lines.append(
                json.dumps(_object(row, names, nulls, kinds, f"{name}, line {number + 1}"), ensure_ascii=False)
            )
    if names is None:
        raise DataError(
            f"{name}: the sheet is empty, so it has no columns",
            field="sheet",
            hint="name another one by its name or place",
        )
    while lines and not lines[-1]:
        lines.pop()
    Path(target).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    # A column without a name and without a value is none.
    types = {
        column: common_type(kinds.get(column, set())) for column in names if column in kinds or column not in unnamed
    }
    Path(target + _TYPES).write_text(json.dumps(types), encoding="utf-8")


def sheet_columns(paths: Sequence[str], declared: Mapping[str, str]) -> Columns:
    """Return the columns of sheets that were written as lines, those of several together."""
    kinds: dict[str, set[str]] = {}
    given = {name.lower(): kind for name, kind in declared.items()}
    for path in paths:
        for name, kind in json.loads(Path(path + _TYPES).read_text(encoding="utf-8")).items():
            kinds.setdefault(name, set()).add(kind)
    missing = [name for name in declared if name.lower() not in {known.lower() for known in kinds}]
    if missing:
        raise ConfigurationError(
            f"the sheet has no column {missing[0]!r}",
            field=f"columns/{missing[0]}",
            hint=f"its columns are {', '.join(list(kinds)[:20])}",
        )
    return {name: given.get(name.lower()) or common_type(found) for name, found in kinds.items()}


def _object(
    row: list[Any], names: tuple[str, ...], nulls: set[str], kinds: dict[str, set[str]], place: str
) -> dict[str, Any]:
    if any(cell != "" for cell in row[len(names) :]):
        raise DataError(
            f"{place}: more values than there are columns", field="columns", hint="name all columns, in order"
        )
    found = {}
    for column, cell in zip(names, row, strict=False):
        value = _plain(cell)
        if value is None or (isinstance(value, str) and value in nulls):
            continue
        found[column] = value
        if not isinstance(cell, _Fault):
            kinds.setdefault(column, set()).add(_kind(cell))
    return found


class _Fault(str):
    """What a formula shows that could not be worked out: #DIV/0!"""


def _cells(path: str, name: str, sheet: str | int) -> list[list[Any]]:
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.CalamineError as error:
        raise DataError(
            f"{name} is not a workbook: {error}", field="path", hint="xlsx, xlsm, xlsb, xls and ods files are read"
        ) from None
    names = workbook.sheet_names
    if isinstance(sheet, int) and sheet < len(names):
        sheet = names[sheet]
    if sheet not in names:
        raise ConfigurationError(
            f"{name} has no sheet {sheet!r}", field="sheet", hint=f"its sheets are {', '.join(names)}"
        )
    found = workbook.get_sheet_by_name(str(sheet))
    faults = _faults(path, str(sheet))
    rows = found.to_python(skip_empty_area=False)
    for (row, at), text in faults.items():
        if row < len(rows) and at < len(rows[row]):
            rows[row][at] = _Fault(text)
    return rows


def _faults(path: str, sheet: str) -> dict[tuple[int, int], str]:
    """Return the cells of an .xlsx sheet whose formula failed: the reader gives them as empty."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            return {}
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 expat bounds entities
        wanted = next((part.get(_RELATION) for part in book.iter(f"{_MAIN}sheet") if part.get("name") == sheet), None)
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
        target = next((link.get("Target", "") for link in links if link.get("Id") == wanted), "")
        place = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        data = archive.read(place) if place in archive.namelist() else b""
    return {(int(row) - 1, _index(letters.decode())): text.decode() for letters, row, text in _ERROR_CELL.findall(data)}


def _index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _kind(cell: Any) -> str:
    if isinstance(cell, bool):
        return "BOOLEAN"
    if isinstance(cell, int | float):
        return "BIGINT" if float(cell).is_integer() and abs(cell) < EXACT else "DOUBLE"
    kinds = ((datetime, "TIMESTAMP"), (date, "DATE"), (time, "TIME"), (timedelta, "INTERVAL"))
    return next((kind for known, kind in kinds if isinstance(cell, known)), "VARCHAR")


def _plain(cell: Any) -> Any:
    if cell == "" or cell is None:
        return None
    if isinstance(cell, bool | str):
        return str(cell) if isinstance(cell, str) else cell
    if isinstance(cell, int | float):
        if isinstance(cell, float) and not math.isfinite(cell):
            return str(cell)
        return int(cell) if float(cell).is_integer() and abs(cell) < EXACT else cell
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return _duration(cell) if isinstance(cell, timedelta) else str(cell)


def _duration(cell: timedelta) -> str:
    """Return a duration as hours, minutes and seconds: 26:02:03."""
    seconds, rest = divmod(abs(cell), timedelta(seconds=1))
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    sign = "-" if cell < timedelta(0) else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
