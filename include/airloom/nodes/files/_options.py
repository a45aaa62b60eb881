"""What readers and writers of files have in common."""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from airloom.engine.storage import part_folder, put_file
from airloom.nodes.ports import Declared, Port, port
from airloom.nodes.sdk import ConfigurationError, Context, FileSource, Written

PACKED = "those that end in .gz, .zst, .bz2, .xz or .zip are unpacked"
REJECTS: tuple[Declared, ...] = (Port("rows", "table"), port("rejects", "table", when="rejects"))
"""The outputs of a source that can send what does not fit to a port of its own."""


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except LookupError:
        raise ValueError(f"there is no encoding {name!r}; write utf-8, utf-16, latin-1, cp1252, …") from None
    if not getattr(found, "_is_text_encoding", True):
        raise ValueError(f"{name!r} is not an encoding of text")
    return name


Encoding = Annotated[str, AfterValidator(_known), Field(examples=["utf-8", "utf-16", "latin-1", "cp1252", "shift_jis"])]
"""How letters are written in a file, by Python's name."""


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are set; DuckDB finds out the others."""
    return {name: value for name, value in options.items() if value is not None}


def made_from(encoding: str, **more: Any) -> dict[str, Any]:
    """Return what has to be made of a file before DuckDB reads it."""
    plain = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    return {**({} if plain else {"encoding": encoding}), **more}


def compression_of(path: str) -> dict[str, str]:
    """Return the option that packs a text file as its name says; the engine writes under another name first."""
    if path.endswith(".gz"):
        return {"compression": "gzip"}
    if path.endswith(".zst"):
        return {"compression": "zstd"}
    return {}


def write_file(context: Context, path: str, write: Callable[[str], int]) -> Written:
    """Let `write` make a file at the place that it is given, and put it where it belongs, whole or not at all.

    `write` returns how many rows there are.
    """
    target = context.files.resolve(path)
    if os.path.isdir(target):
        raise ConfigurationError(f"{path!r} is a folder", field="path", hint="name a file in it")
    folder = part_folder(target)
    try:
        place = os.path.join(folder, os.path.basename(target))
        rows = write(place)
        put_file(place, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Written(rows, target)


class SortingSource(FileSource):
    """A source of text files that can send what does not fit to a port of its own."""

    rejects: bool = Field(
        False,
        description="Whether rows that do not fit go to the port `rejects` (file, line, column, text, reason); "
        "otherwise the first of them ends the run",
    )
