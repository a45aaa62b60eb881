"""Addresses of files: local paths and URLs, and where they lead."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


def is_url(path: str) -> bool:
    """Tell whether a path is a URL rather than a local path."""
    return "://" in path


@dataclass(frozen=True)
class Url:
    """Hold a URL by the parts that say where it leads: scheme, host with port, path; `rest` is a query of HTTP."""

    scheme: str
    host: str
    path: str
    rest: str = ""

    @classmethod
    def read(cls, text: str) -> Url | None:
        """Return the parts of a URL, or None where it could lead elsewhere than its text says.

        That is so of one URL within another (fsspec's `::`), of names and passwords before the host, of steps upwards,
        and of separators that are written as `%2F`.
        """
        scheme, _, after = text.partition("://")
        host, slash, path = after.partition("/")
        rest = ""
        if scheme.lower() in ("http", "https"):
            path, mark, rest = path.partition("?")
            rest = mark + rest
        segments = [urllib.parse.unquote(segment) for segment in path.split("/")]
        unclear = any(segment in (".", "..") or set(segment) & set("/\\\0") for segment in segments)
        if "::" in text or not re.fullmatch(r"[A-Za-z0-9._:\[\]-]*", host) or unclear or set(text) & set("\\\0\r\n"):
            return None
        return cls(scheme.lower(), host.lower(), slash + path, rest)

    def holds(self, other: Url) -> bool:
        """Tell whether another URL lies below this one."""
        own = self.path.rstrip("/").split("/")
        same = (self.scheme, self.host) == (other.scheme, other.host)
        inside = other.path.split("/")
        return same and inside[: len(own)] == own and any(inside[len(own) :])

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}{self.rest}"


def lies_in(path: Path, folders: Iterable[str]) -> bool:
    """Tell whether a local path is one of these folders or below one, wherever links lead."""
    reals = [Path(os.path.realpath(folder)) for folder in folders]
    return any(path == folder or folder in path.parents for folder in reals)


def path_part(text: str) -> str:
    """Return a text as the name of one folder or file, which leads nowhere else."""
    quoted = urllib.parse.quote(text, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")
