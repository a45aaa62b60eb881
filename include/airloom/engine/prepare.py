"""Files made ready for DuckDB: fetched, unpacked, written anew in UTF-8, documents and sheets turned into lines."""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
import tempfile

from airloom.engine.csv_file import kept_top, odd_top
from airloom.engine.packed import READ_PACKED, UNPACKED, open_bytes
from airloom.engine.scan import FileFacts, Scan
from airloom.engine.storage import local_file
from airloom.spec.error import DataError

_PIECE = 1 << 20


def ready_files(scan: Scan, stack: contextlib.ExitStack) -> list[str]:
    """Return a local path for each file of a scan, as DuckDB can read it; what is made for it goes with `stack`.

    Raises DataError or ConfigurationError that names a file which cannot be read so.
    """
    folder: str | None = None
    found = []
    for at, file in enumerate(scan.files):
        path = stack.enter_context(local_file(file.uri))
        ready = _is_ready(scan, path)
        top = odd_top(path, scan.options) if ready and scan.format == "csv" else None
        if (not ready or top) and folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="airloom-ready-"))
        # The name goes into messages, so it stays; a folder for each, for two files may have the same.
        if not ready:
            path = _made_ready(scan, file, path, _folder(folder, f"{at}"))
            top = odd_top(path, scan.options) if scan.format == "csv" else None
        if top:
            path = _with_blank_top(path, *top, _folder(folder, f"{at} rows"))
        found.append(path)
    return found


def _folder(parent: str | None, name: str) -> str:
    place = os.path.join(parent or "", name)
    os.mkdir(place)
    return place


def _with_blank_top(path: str, top: bytes, end: bytes, folder: str) -> str:
    """Write a file with empty lines above its rows: DuckDB passes over any others with quotes in mind."""
    name = os.path.basename(path)
    target = os.path.join(folder, os.path.splitext(name)[0] if name.endswith(READ_PACKED) else name)
    with open(kept_top(target), "wb") as kept:
        kept.write(top)
    with open_bytes(path) as source, open(target, "wb") as made:
        source.read(len(top))
        made.write(end * len(top.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")[1:]))
        shutil.copyfileobj(source, made, _PIECE)
    return target


def _is_ready(scan: Scan, path: str) -> bool:
    if scan.format == "parquet":
        return True
    if scan.made or path.endswith(UNPACKED):
        return False
    if scan.format == "text":
        # DuckDB's `read_text` unpacks nothing, and its reader of lines makes two of one where line ends are mixed.
        return not path.endswith(READ_PACKED) if scan.options.get("rows") == "files" else not _mixes_ends(path)
    if scan.format != "jsonl":
        return True
    with open_bytes(path) as file:
        return file.read(3) != codecs.BOM_UTF8


def _mixes_ends(path: str) -> bool:
    with open_bytes(path) as file:
        first = file.readline()
        windows = first.endswith(b"\r\n")
        return any(line.endswith(b"\r\n") != windows and line.endswith(b"\n") for line in file)


def _made_ready(scan: Scan, file: FileFacts, path: str, place: str) -> str:
    name = os.path.basename(file.uri)
    encoding = scan.made.get("encoding", "utf-8")
    plain, ending = os.path.splitext(name)
    packed = ending in (*UNPACKED, *READ_PACKED)
    target = os.path.join(place, plain if packed else name)
    if "document" in scan.made:
        from airloom.engine.json_file import write_lines

        digits = any(kind.startswith("DECIMAL") for kind in (scan.options.get("columns") or {}).values())
        write_lines(path, target, name, encoding, scan.made["document"], digits=digits)
        return target
    if "sheet" in scan.made:
        from airloom.engine.sheet_file import write_sheet

        write_sheet(path, target, name, scan.made["sheet"])
        return target
    with open_bytes(path) as source, open(target, "wb") as made:
        if encoding == "utf-8" and scan.format == "text":
            for line in source:
                made.write(line[:-2] + b"\n" if line.endswith(b"\r\n") else line)
        elif encoding == "utf-8":
            if scan.format == "jsonl":
                start = source.read(3)
                made.write(b"" if start == codecs.BOM_UTF8 else start)
            shutil.copyfileobj(source, made, _PIECE)
        else:
            decoder = codecs.getincrementaldecoder(encoding)(errors="surrogateescape")
            lines = 1
            while True:
                piece = source.read(_PIECE)
                try:
                    text = decoder.decode(piece, final=not piece)
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{name} is not written in {encoding}: {error.reason}, after line {lines}",
                        field="encoding",
                        hint="set the encoding that the file is written in",
                    ) from None
                lines += text.count("\n")
                if made.tell() == 0:
                    text = text.removeprefix("\ufeff")
                # A byte that is not a letter goes on as it is, so that it is told of like one in UTF-8.
                made.write(text.encode("utf-8", errors="surrogateescape"))
                if not piece:
                    break
    return target
