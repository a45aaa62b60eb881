"""A table written as a sheet of an Excel workbook; what a sheet cannot hold is refused, or written as exact text."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from airloom.engine.batches import Batches
from airloom.engine.sheet_file import EXACT
from airloom.spec.error import DataError

ROWS, COLUMNS, LETTERS = 1_048_576, 16_384, 32_767
"""What a sheet has room for, and a cell (Excel's own limits)."""

FIRST_DAY = date(1900, 3, 1)
"""Excel takes 1900 for a leap year: days before are told wrongly."""


class _Exact(float):
    """A number whose digits are written so that the same number is read again; 16 of them are not enough."""

    def __format__(self, spec: str) -> str:
        return repr(float(self))


def write_workbook(rows: Batches, path: str, sheet: str, *, header: bool) -> int:
    """Write a workbook with one sheet and return how many rows it has; raise DataError for what does not fit."""
    import xlsxwriter

    names = rows.columns
    if len(names) > COLUMNS:
        raise DataError(f"a sheet has {COLUMNS} columns, and the table {len(names)}", hint="select fewer columns")
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        formats = {
            kind: workbook.add_format({"num_format": text})
            for kind, text in (("day", "yyyy-mm-dd"), ("moment", "yyyy-mm-dd hh:mm:ss"), ("time", "hh:mm:ss"))
        }
        page = workbook.add_worksheet(sheet)
        at = 0
        if header:
            for column, name in enumerate(names):
                page.write_string(at, column, name)
            at = 1
        first = at
        for row in rows.rows():
            if at >= ROWS:
                raise DataError(
                    f"a sheet has {ROWS} rows, and the table more", hint="limit it, or write a CSV or Parquet file"
                )
            for column, name in enumerate(names):
                _write(page, at, column, row[name], formats, f"row {at - first + 1}, column {name}")
            at += 1
    return at - first


def _write(page: Any, at: int, column: int, value: Any, formats: dict[str, Any], place: str) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        page.write_boolean(at, column, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{place}: {value} is not a number that a sheet can hold", hint="give null in its place")
    elif isinstance(value, float):
        page.write_number(at, column, _Exact(value))
    elif isinstance(value, int) and abs(value) < EXACT:
        page.write_number(at, column, value)
    elif isinstance(value, Decimal) and Decimal(repr(float(value))) == value:
        page.write_number(at, column, _Exact(value))
    elif isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        if moment.date() >= FIRST_DAY and moment.microsecond % 1000 == 0:
            page.write_datetime(at, column, moment, formats["moment"])
        else:
            page.write_string(at, column, moment.isoformat(" "))
    elif isinstance(value, date) and value >= FIRST_DAY:
        page.write_datetime(at, column, value, formats["day"])
    elif isinstance(value, time) and value.microsecond % 1000 == 0:
        page.write_datetime(at, column, value, formats["time"])
    else:
        text = _text(value)
        if len(text) > LETTERS:
            raise DataError(f"{place}: a cell has room for {LETTERS} letters, and the text has {len(text)}")
        page.write_string(at, column, text)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=_text)
    return str(value)
