"""The DAG bundle: one small Python file for each published pipeline, kept in step with the store.

The DAG processor's instance (without a version) writes what changed since the revision that it wrote last. A worker's
instance (with a version, which is a revision of the store) writes one file: its task's pipeline at that revision.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion
from airflow.sdk import get_parsing_context
from airflow.sdk.exceptions import AirflowRescheduleException

from airloom.dags.files import pipeline_text, problems_text, write
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.spec.problem import Problem
from airloom.store.lookup import published_at
from airloom.store.records import StoreUnavailable

if TYPE_CHECKING:
    from airloom.store.records import Changes, StoredVersion
    from airloom.store.store import Store

log = logging.getLogger(__name__)

# Airflow compares the time of a change with the end of the last parse, so a file that is rewritten while it is parsed
# keeps its old graph. Such a file is therefore touched again: after a usual parse, and after the longest that is
# allowed. A new one is not: each touch is a parse, and a first load would parse every file three times.
TOUCH_AFTER = (3.0, 70.0)
STORE_RETRY = timedelta(seconds=30)


class PipelineBundle(BaseDagBundle):
    """Serve the published pipelines of the store to Airflow, each run pinned to its own version."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._revision: int | None = None
        self._written: set[Path] = set()
        self._touches: dict[Path, list[float]] = {}
        self._store_answers = True

    @property
    def path(self) -> Path:
        """Return the folder that Airflow reads."""
        return self.versions_dir / self.version if self.version else self.base_dir / "pipelines"

    def initialize(self) -> None:
        """Write what this instance serves, as far as it is not there yet.

        Raise SystemFault where a version is asked for without naming a DAG (callbacks do that), and StoreUnavailable
        where the store does not answer and nothing was written before: an empty folder would end every pipeline's runs.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self.version:
            self._write_version(int(self.version))
        else:
            _prepare_manager()
            self._revision = self._read_revision()
            self._reach_store(self._write_all)
        super().initialize()

    def refresh(self) -> None:
        """Write what changed in the store; while it does not answer, go on with what was written."""
        if not self.version:
            self._touch_again()
            self._reach_store(self._write_changes)

    def get_current_version(self) -> BundleVersion:
        """Return the revision that was written, which may be older than the store's."""
        return BundleVersion(self.version or str(self._revision or 0))

    def _reach_store(self, write_files: Callable[[], None]) -> None:
        try:
            write_files()
        except StoreUnavailable as error:
            if self._revision is None:
                raise
            if self._store_answers:
                log.error("The pipelines on disk are served as they are: %s", error)
            self._store_answers = False
        else:
            self._store_answers = True

    @functools.cached_property
    def _store(self) -> Store:
        from airloom.store.store import Store

        return Store(task_database_url())

    def _write_all(self) -> None:
        """Make the folder what the store says, leaving files alone that are right: a restart rewrites nothing."""
        until, changes = self._everything()
        texts = self._texts(changes)
        for file in self.path.rglob("*.py"):
            if file not in texts:
                self._remove(file)
        for file, text in texts.items():
            if _text_of(file) != text:
                self._write(file, text)
        self._keep_revision(until)

    def _everything(self) -> tuple[int, Changes]:
        while True:
            until = self._store.revision()
            changes = self._store.changes(0, until)
            # A pipeline that changed in between is missing from these changes, and its file would be removed.
            if self._store.revision() == until:
                return until, changes

    def _write_changes(self) -> None:
        since, until = self._revision or 0, self._store.revision()
        if until < since:
            self._write_all()  # the store was put back to an earlier state
        elif until > since:
            changes = self._store.changes(since, until)
            # Written even if equal: Airflow may have parsed the same text under the revision before.
            for file, text in self._texts(changes).items():
                self._write(file, text)
            for pipeline in changes.archived:
                self._remove(self._pipeline_file(pipeline))
            for name in changes.resolved:
                self._remove(self._problems_file(name))
            self._keep_revision(until)

    def _texts(self, changes: Changes) -> dict[Path, str]:
        texts = {self._pipeline_file(version.pipeline): _served(version) for version in changes.live}
        for version in changes.closing:
            texts[self._pipeline_file(version.pipeline)] = _served(version, closing=True)
        for problems in changes.problems:
            texts[self._problems_file(problems.file_name)] = problems_text(problems.path, problems.problems)
        return texts

    def _pipeline_file(self, pipeline: str) -> Path:
        return self.path / f"{pipeline}.py"

    def _problems_file(self, name: str) -> Path:
        return self.path / "problems" / name

    def _write(self, file: Path, text: str) -> None:
        may_be_parsed = file in self._written or file.exists()
        write(file, text)
        self._written.add(file)
        if may_be_parsed:
            now = time.monotonic()
            self._touches[file] = [now + seconds for seconds in TOUCH_AFTER]

    def _remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        self._touches.pop(file, None)

    def _touch_again(self) -> None:
        now = time.monotonic()
        for file, due in list(self._touches.items()):
            if due[0] <= now:
                os.utime(file)
                due.pop(0)
            if not due:
                del self._touches[file]

    def _read_revision(self) -> int | None:
        text = _text_of(self.base_dir / "revision")
        return int(text) if text else None

    def _keep_revision(self, revision: int) -> None:
        write(self.base_dir / "revision", str(revision))
        self._revision = revision

    def _write_version(self, revision: int) -> None:
        pipeline = get_parsing_context().dag_id
        if pipeline is None:
            raise SystemFault(
                f"revision {revision} was asked for without naming a DAG: callbacks of pipelines are not served"
            )
        file = self._pipeline_file(pipeline)
        if file.exists():
            return
        try:
            published = published_at(task_database_url(), pipeline, revision)
        except StoreUnavailable as error:
            log.error("This task waits for the store: %s", error)
            again = datetime.now(tz=UTC) + STORE_RETRY
            raise AirflowRescheduleException(again) from None  # type: ignore[no-untyped-call]
        if published is None:
            raise SystemFault(f"pipeline {pipeline!r} was not published at revision {revision}")
        write(file, pipeline_text(*published))


def _served(version: StoredVersion, *, closing: bool = False) -> str:
    """Return the file of a pipeline; one that only says why not, where what is kept of it can't be written."""
    try:
        text = pipeline_text(version.document, version.plan, closing=closing)
        text.encode()
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        log.error("Pipeline %s can't be served as it is kept: %r", version.pipeline, error)
        what = f"what is kept of version {version.number} can't be written: {type(error).__name__}"
        return problems_text(version.pipeline, [Problem("pipeline.unwritable", what, hint="publish it again")])
    return text


def task_database_url() -> str:
    """Return the store's address as tasks and what serves them see it; raise ConfigurationError where none is set."""
    url = configuration().task_database_url or configuration().database_url
    if url is None:
        raise ConfigurationError("the store's address is not set", hint="set AIRLOOM_TASK_DATABASE_URL")
    return url.get_secret_value()


def _text_of(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


def _prepare_manager() -> None:
    """Let the DAG processor's children, one for each parse, find in memory what each would import."""
    manager = sys.modules.get("airflow.dag_processing.manager")
    if manager is None:
        return
    import airflow.providers.standard.operators.empty
    import airflow.providers.standard.operators.trigger_dagrun
    import airflow.providers.standard.sensors.external_task  # noqa: F401 (the serializer imports both)

    import airloom.dags.factory  # noqa: F401

    if sys.version_info < (3, 12):
        # To reset signals, a child makes Python 3.11 print the manager with all its queues: half of its time.
        manager.DagFileProcessorManager.__repr__ = object.__repr__
    gc.collect()
    gc.freeze()
