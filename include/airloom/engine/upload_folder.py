"""Where the files lie that people have sent."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

from airloom.engine.address import is_url, path_part
from airloom.engine.filesystem import files_below, local_facts, modified, open_filesystem, remote_facts
from airloom.engine.scan import FileFacts


@dataclass(frozen=True)
class UploadFolder:
    """The place of the files that people have sent, each in a folder that its id names."""

    url: str

    def place(self, identifier: str, name: str) -> str:
        """Return where the file of an upload lies."""
        return "/".join([self._folder(identifier), name])

    def find(self, identifier: str) -> FileFacts | None:
        """Return the file of an upload, None where there is none."""
        folder = self._folder(identifier)
        if not is_url(self.url):
            if not os.path.isdir(folder):
                return None
            with os.scandir(folder) as entries:
                return next(
                    (local_facts(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)), None
                )
        system, path = open_filesystem(folder)
        names = system.ls(path, detail=False) if system.isdir(path) else []
        return next((remote_facts(system, name) for name in names if system.isfile(name)), None)

    def remove(self, identifier: str) -> None:
        """Remove the file of an upload; do nothing where there is none."""
        system, folder = open_filesystem(self._folder(identifier))
        with contextlib.suppress(FileNotFoundError):
            system.rm(folder, recursive=True)

    def identifiers(self, older_than: float) -> list[str]:
        """Return the ids of what lies here and has not changed for so many seconds."""
        system, root = open_filesystem(self.url)
        if not system.exists(root):
            return []
        limit = time.time() - older_than
        folders = [name for name in system.ls(root, detail=False) if system.isdir(name)]
        return [
            os.path.basename(folder)
            for folder in folders
            if all(modified(facts) < limit for facts in [system.info(folder), *files_below(system, folder)])
        ]

    def _folder(self, identifier: str) -> str:
        return "/".join([self.url.rstrip("/"), path_part(identifier)])
