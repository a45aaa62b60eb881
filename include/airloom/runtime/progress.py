"""What a task has done so far, item by item or node by node, kept so that a later attempt goes on from there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airloom.engine.data_folder import DataFolder
from airloom.engine.storage import local_file
from airloom.nodes.context import RunFacts
from airloom.nodes.kinds import plain

PART = 1000
"""Items in one file."""
SECONDS = 1.0
"""How long what was done may go unkept where doing it again changes nothing outside."""
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Done:
    """Say how an item ended: with a result, or with an error, as JSON; `item` is its digest."""

    item: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form in which it is kept."""
        return {"item": self.item, "result": self.result, "error": self.error}


class Progress:
    """Keep how each item ended, by its key, in the run's data: files of 1,000 items, the last of them growing.

    Nothing is kept in a last attempt, for no other comes after it; nothing is read in the first. A run that is cleared
    begins anew. `at_once` says that each item is kept as soon as it is done: what is done for it shows outside. With
    `share`, it is one task of those that share the items, and all is kept: another task reads it.
    """

    def __init__(self, data: DataFolder, run: RunFacts, *, at_once: bool, share: int | None = None) -> None:
        self._data = data
        self._run = replace(run, attempt=run.first_attempt)
        self._name = "progress" if share is None else f"share-{share}"
        self._writes = share is not None or not run.last_attempt
        self._at_once = at_once
        self._parts: list[dict[str, Any]] = [{}]
        self._kept_at = time.monotonic()
        self._changed = False
        self.earlier: dict[str, Done] = {}
        """How earlier attempts ended with items, by key."""
        self.began = time.time()
        self.counts: Counts = {}
        """How often each node of a body ended how, in earlier attempts."""
        if run.attempt > run.first_attempt:
            self._read()

    def done(self, key: str, item: Any = None) -> Done | None:
        """Return how an earlier attempt ended with this item, or None where it did not."""
        done = self.earlier.get(key)
        return done if done is not None and done.item == digest(item) else None

    @classmethod
    def of_share(cls, data: DataFolder, run: RunFacts, share: int, attempt: int) -> Progress:
        """Return what one of the tasks that share the items did, whose first attempt was this one."""
        return cls(data, replace(run, first_attempt=attempt, attempt=attempt + 1), at_once=False, share=share)

    def add(self, key: str, done: Done, counts: Counts) -> None:
        """Take down that an item is done; keys differ."""
        if not self._writes:
            return
        self._parts[-1][key] = done.to_json()
        self.counts = counts
        self._changed = True
        full = len(self._parts[-1]) >= PART
        if full or self._at_once or time.monotonic() - self._kept_at > SECONDS:
            self.keep()
        if full:
            self._parts.append({})

    def keep(self) -> None:
        """Write what is not written yet."""
        if self._changed:
            last = len(self._parts) - 1
            self._data.write_json(
                {"done": self._parts[last], "counts": self.counts, "began": self.began}, self._place(last)
            )
            # Those before it are in files of their own.
            self._parts[:-1] = [{}] * last
            self._kept_at, self._changed = time.monotonic(), False

    def _read(self) -> None:
        while (part := _read_part(self._place(len(self._parts) - 1))) is not None:
            self._parts[-1] = part["done"]
            self.counts, self.began = part["counts"], part["began"]
            self.earlier |= {key: Done(**done) for key, done in part["done"].items()}
            if len(part["done"]) < PART:
                return
            self._parts.append({})

    def _place(self, part: int) -> str:
        return self._data.place(self._run, f"{self._name}-{part}", "json")


def digest(item: Any) -> str:
    """Return the same text for the same item."""
    text = json.dumps(plain(item), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _read_part(uri: str) -> dict[str, Any] | None:
    try:
        with local_file(uri) as path:
            part: dict[str, Any] = json.loads(Path(path).read_bytes())
            return part
    except FileNotFoundError:
        return None
