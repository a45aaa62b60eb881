"""The drop folder: every file in it is a pipeline, for as long as it is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

from airloom.checks.check import MANY
from airloom.dags.actor import Actor, administrator
from airloom.spec.error import AirloomError
from airloom.spec.folder import Content, File, list_files, read_file
from airloom.spec.problem import Problem, errors, pointer
from airloom.store.problems import FOLDER
from airloom.store.records import StoredFile, StoreUnavailable
from airloom.store.store import Store

if TYPE_CHECKING:
    from airloom.dags.publishing import Published

log = logging.getLogger(__name__)

AUTHOR = "drop folder"

ARCHIVE_AFTER = timedelta(seconds=60)
REPORT_LOSS_AFTER = timedelta(seconds=5)
LONGEST_GAP = timedelta(minutes=10)
"""Between two looks, at most: where it is more, or less than none, the clock was set, and no time has passed."""
REPEAT_BROKEN_AFTER = timedelta(seconds=30)

Publish = Callable[..., "Published"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Folder:
    """Keep the pipelines of a folder's files as the files are; several processes may do so at once.

    `publish` is `airloom.dags.publishing.publish`, `actor` tells what the folder's files may use, and `now` the time.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        publish: Publish,
        actor: Callable[[], Actor] = lambda: administrator(AUTHOR),
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._store = store
        self._folder = folder
        self._publish = publish
        self._actor = actor
        self._now = now
        self._listed: dict[str, File] = {}
        self._hashes: dict[str, tuple[File, str]] = {}
        self._ids_changed = False
        self._looked: datetime | None = None

    def synchronise(self) -> None:
        """Look at the folder once and publish, report and archive what is due.

        A file is read when two looks in a row find it the same, so that none is read while it is written.
        """
        with self._store.lock("folder") as held:
            if held:
                self._look()

    def _look(self) -> None:
        known = self._store.files.all()
        repeat_broken, self._ids_changed = self._ids_changed, False
        try:
            listed = list_files(self._folder)
        except OSError as error:
            self._report_folder(known, error)
            return
        previous, self._listed = self._listed, listed
        self._hashes = {path: entry for path, entry in self._hashes.items() if path in listed}
        self._store.files.mark_present([path for path in listed if path in known and known[path].missing_since])
        due = {path for path, record in known.items() if record.broken and (repeat_broken or self._is_old(record))}
        contents = self._read([file for path, file in listed.items() if previous.get(path) == file], known, due)
        if self._move(contents, known, listed):
            known = self._store.files.all()
        # One of them may wait for a database that does not answer.
        with ThreadPoolExecutor(MANY, "publish") as threads:
            for _ in threads.map(lambda group: self._take_all(group, known), _by_pipeline(contents)):
                pass
        self._lose(listed)

    def _report_folder(self, known: Mapping[str, StoredFile], error: OSError) -> None:
        self._listed = {}
        reason = (error.strerror or type(error).__name__).lower()
        message = f"the folder {error.filename or self._folder} can't be read: {reason}"
        owning = {path: file for path, file in known.items() if file.owns}
        if owning:
            gone = [path for path, file in owning.items() if not file.missing_since]
            self._store.files.mark_missing(gone, self._now())
            hint = "its pipelines go on as they are; bring the folder back, or archive them by hand"
            self._show(FOLDER, [Problem("folder.unreadable", message, hint=hint)])
        else:
            self._store.problems.clear(FOLDER)

    def _is_old(self, record: StoredFile) -> bool:
        # What was wrong may lie outside of the file: a Connection, a package, another file with the same id.
        return record.synchronised_at is None or self._now() - record.synchronised_at >= REPEAT_BROKEN_AFTER

    def _read(self, files: list[File], known: Mapping[str, StoredFile], due: set[str]) -> dict[str, Content]:
        """Return the contents that differ from what was synchronised, and those that are due to be tried again."""
        contents = {}
        for file in files:
            path, before = file.path, self._hashes.get(file.path)
            synchronised = known[path].hash if path in known else None
            if path not in due and before == (file, synchronised):
                continue
            content = read_file(file)
            if content is None:
                continue
            self._hashes[path] = (file, content.hash)
            if path in due or content.hash != synchronised:
                contents[path] = content
        return contents

    def _move(
        self, contents: Mapping[str, Content], known: Mapping[str, StoredFile], listed: Mapping[str, File]
    ) -> bool:
        """Let a pipeline follow its id into another file, where its own is gone or has another id now."""
        declared = {path: known[path].declares for path in listed if path in known}
        declared |= {path: content.declares for path, content in contents.items() if content.declares}
        moved = False
        for owner, file in known.items():
            if file.owns is None or declared.get(owner, file.owns if owner in listed else None) == file.owns:
                continue
            heirs = [path for path, identifier in sorted(declared.items()) if identifier == file.owns]
            if owner not in listed:
                # A file that was refused before has to wait: the owner may be gone for a moment only.
                heirs = [path for path in heirs if path in contents and path not in known]
            if heirs:
                log.info("Pipeline %s moves from the file %s to %s", file.owns, owner, heirs[0])
                self._store.files.move(file.owns, heirs[0])
                moved = True
        return moved

    def _take_all(self, contents: Mapping[str, Content], known: Mapping[str, StoredFile]) -> None:
        for path, content in contents.items():
            self._take(path, content, known.get(path))

    def _take(self, path: str, content: Content, record: StoredFile | None) -> None:
        problems = content.problems or content.located(self._published(path, content.data))
        if problems:
            self._show(path, problems, content.declares or (record.declares if record else None))
        else:
            self._store.problems.clear(path)
            self._ids_changed = True
        self._store.files.save(path, content.hash, content.declares, self._now())

    def _published(self, path: str, data: Any) -> list[Problem]:
        """Publish a document, and return what kept it from being published."""
        message = f"from the file {path}"
        try:
            result = self._publish(self._store, data, actor=self._actor(), message=message, source="file", path=path)
        except (StoreUnavailable, OperationalError):
            # A database that is away, the store's or Airflow's, says nothing about the file.
            raise
        except AirloomError as error:
            at = pointer(error.field) if error.field and not error.node else ""
            return [Problem(f"publish.{error.code}", error.message, node=error.node, pointer=at, hint=error.hint)]
        except Exception as error:
            # One file that meets a fault of ours must not keep all others from being published.
            log.exception("Publishing the file %s failed", path)
            fault = f"publishing failed: {type(error).__name__}"
            return [Problem("publish.fault", fault, hint="the worker's log says more")]
        if result.version is None:
            return errors(result.problems)
        log.info("The file %s is version %d of pipeline %s", path, result.version.number, result.version.pipeline)
        return []

    def _lose(self, listed: Mapping[str, File]) -> None:
        """Archive the pipelines of files that are gone long enough, unless so many are that an accident is likely."""
        now = self._now()
        known = self._store.files.all()
        for path, file in known.items():
            if path not in listed and not file.owns:
                self._forget(path)
        lost = {path: file for path, file in known.items() if path not in listed and file.owns}
        self._store.files.mark_missing([path for path, file in lost.items() if not file.missing_since], now)
        since = {path: file.missing_since or now for path, file in lost.items()}
        if self._clock_was_set(now) or any(at > now for at in since.values()):
            since = dict.fromkeys(lost, now)
            self._store.files.mark_missing(lost, now)
        if len(lost) > 2 and len(lost) * 5 > sum(1 for file in known.values() if file.owns):
            if now - min(since.values()) >= REPORT_LOSS_AFTER:
                self._report_loss(sorted(lost))
        elif any(problems.path == FOLDER for problems in self._store.problems.all()):
            # Files come back, and may do so one by one: those still missing get their time again.
            self._store.files.mark_missing(lost, now)
            self._store.problems.clear(FOLDER)
        else:
            for path, file in lost.items():
                if file.owns and now - since[path] >= ARCHIVE_AFTER:
                    self._archive(path, file.owns)

    def _clock_was_set(self, now: datetime) -> bool:
        before, self._looked = self._looked, now
        return before is not None and not timedelta(0) <= now - before <= LONGEST_GAP

    def _archive(self, path: str, pipeline: str) -> None:
        log.info("Pipeline %s is archived: its file %s is gone", pipeline, path)
        self._store.archive(pipeline, AUTHOR, closing=True)
        self._forget(path)

    def _report_loss(self, paths: list[str]) -> None:
        named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        message = f"{len(paths)} files are gone at once: {named}"
        hint = "their pipelines go on as they are; bring the files back, or archive the pipelines by hand"
        self._show(FOLDER, [Problem("folder.loss", message, hint=hint)])

    def _show(self, path: str, problems: list[Problem], pipeline: str | None = None) -> None:
        if self._store.problems.set(path, problems, pipeline):
            log.warning("%s: %s", path, "; ".join(str(problem) for problem in problems))

    def _forget(self, path: str) -> None:
        self._ids_changed = True
        self._store.problems.clear(path)
        self._store.files.remove(path)


def _by_pipeline(contents: Mapping[str, Content]) -> list[dict[str, Content]]:
    """Return contents by what they declare: of several files with one id, the first by name is to come first."""
    groups: dict[str, dict[str, Content]] = {}
    for path, content in sorted(contents.items()):
        groups.setdefault(f"id {content.declares}" if content.declares else f"path {path}", {})[path] = content
    return list(groups.values())
