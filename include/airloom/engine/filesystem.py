"""File systems behind URLs, local ones too, and what they say of files."""

from __future__ import annotations

import os
from typing import Any

from airloom.engine.scan import FileFacts
from airloom.spec.error import ConfigurationError

EXTRAS = {"s3": "s3", "s3a": "s3"}
"""The extra of this package that brings what a scheme needs."""


def open_filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it; raise ConfigurationError where nothing reads its scheme.

    It keeps no listings: other processes write and remove files.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        hint = f"airloom add {extra}" if extra else "docs/packages.md says how to install a package"
        message = f"{scheme}:// addresses need a package that is not installed: {error}"
        raise ConfigurationError(message, hint=hint) from None
    except ValueError as error:
        hint = "name a folder, or a URL such as s3://bucket/folder"
        raise ConfigurationError(f"nothing reads {scheme}:// addresses: {error}", hint=hint) from None
    return system, str(path)


def local_facts(path: str) -> FileFacts:
    """Return the facts of a local file."""
    status = os.stat(path)
    return FileFacts(path, status.st_size, f"{status.st_mtime_ns}-{status.st_ino}")


def remote_facts(system: Any, name: str) -> FileFacts:
    """Return the facts of a file of a file system."""
    facts = system.info(name)
    etag = str(facts.get("ETag") or facts.get("etag") or facts.get("mtime") or facts.get("size"))
    return FileFacts(system.unstrip_protocol(name), int(facts["size"]), etag)


def files_below(system: Any, folder: str) -> list[dict[str, Any]]:
    """Return what a file system says of each file below a folder."""
    return list(system.find(folder, detail=True).values())


def modified(facts: dict[str, Any]) -> float:
    """Return when a file was changed, in seconds of the epoch; 0 for a folder that has no time."""
    value = facts.get("mtime") or facts.get("LastModified") or facts.get("created") or 0
    return float(value.timestamp() if hasattr(value, "timestamp") else value)
