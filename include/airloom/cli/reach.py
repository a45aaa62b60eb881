"""How commands reach an installation: that of this machine, or another one by its API."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.cli.afar import Afar
    from airloom.dags.backfill import Backfill
    from airloom.dags.connections import KeptConnection, ListedConnection
    from airloom.dags.logs import LogLine, TaskAttempt
    from airloom.dags.publishing import Published
    from airloom.plan.partial import Wish
    from airloom.spec.difference import Change
    from airloom.spec.problem import Problem
    from airloom.spec.template import Template
    from airloom.store.records import StoredPipeline, StoredRun, StoredVersion, VersionEntry

URL, TOKEN = "AIRLOOM_URL", "AIRLOOM_TOKEN"
ELSEWHERE = frozenset(
    {"validate", "publish", "list", "show", "diff", "pause", "unpause", "versions", "rollback", "archive", "export"}
    | {"run", "runs", "logs", "backfill", "nodes", "connection", "upload", "new", "templates"}
)
"""The commands that reach an installation by its API, too."""
ANYWHERE = frozenset({"try", "schema", "node", "add", "import", "test-code"})
"""Others that need no installation."""


@dataclass(frozen=True)
class ListedPipeline:
    """Hold a pipeline with its schedule and its newest run."""

    pipeline: StoredPipeline
    schedule: dict[str, Any] | None
    last_run: StoredRun | None


@dataclass(frozen=True)
class ListedUpload:
    """Hold what is shown of an upload."""

    id: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    owner: str
    created_at: datetime


@dataclass(frozen=True)
class ListedTemplate:
    """Hold what is shown of a template."""

    id: str
    name: str
    category: str
    description: str
    owner: str | None


@dataclass(frozen=True)
class Compared:
    """Hold how two versions differ, and what runs otherwise."""

    before: int
    after: int
    changes: list[Change]
    plan: list[str]


@dataclass(frozen=True)
class PreviewedRun:
    """Hold what becomes of each node where a part of a pipeline runs, and what is in the way of that."""

    parts: Mapping[str, str]
    problems: list[Problem]


@dataclass(frozen=True)
class EndedRun:
    """Hold how a run ended, as JSON and node by node."""

    state: str
    report: dict[str, Any]
    nodes: Sequence[NodeEnd]


class NodeEnd(Protocol):
    """Say how a node ended."""

    @property
    def node(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def statistics(self) -> dict[str, Any]: ...

    @property
    def error(self) -> dict[str, Any] | None: ...


class Reach(Protocol):
    """Do in an installation what commands ask for; `Here` and `Afar` say how."""

    def pipelines(self, *, archived: bool) -> list[ListedPipeline]: ...

    def pipeline(self, pipeline: str) -> StoredPipeline: ...

    def version(self, pipeline: str, number: int | None = None) -> StoredVersion: ...

    def versions(self, pipeline: str) -> list[VersionEntry]: ...

    def compare(self, pipeline: str, before: int, after: int | None) -> Compared: ...

    def publish(self, document: object, *, author: str | None, message: str) -> Published: ...

    def wait_for_version(self, pipeline: str, number: int) -> None: ...

    def rollback(self, pipeline: str, number: int, *, author: str | None) -> Published: ...

    def archive(self, pipeline: str, *, author: str | None, force: bool) -> list[str]: ...

    def set_paused(self, pipelines: list[str], paused: bool) -> None: ...

    def runs(self, pipeline: str | None, state: str | None, limit: int) -> list[StoredRun]: ...

    def start_run(
        self, pipeline: str, params: Mapping[str, Any], logical_date: datetime | None, wish: Wish | None = None
    ) -> str: ...

    def preview_run(self, pipeline: str, params: Mapping[str, Any], wish: Wish) -> PreviewedRun: ...

    def backfill(self, pipeline: str, wanted: Backfill, *, dry_run: bool) -> list[datetime]: ...

    def is_paused(self, pipeline: str) -> bool: ...

    def wait_for_run(self, pipeline: str, run_id: str, timeout: float) -> EndedRun: ...

    def newest_run(self, pipeline: str) -> str | None: ...

    def run_state(self, pipeline: str, run_id: str) -> str: ...

    def plan_of(self, pipeline: str, run_id: str) -> dict[str, Any]: ...

    def attempts(self, pipeline: str, run_id: str) -> list[TaskAttempt]: ...

    def log_lines(self, pipeline: str, run_id: str, attempt: TaskAttempt) -> list[LogLine]: ...

    def connections(self) -> list[ListedConnection]: ...

    def keep_connection(self, name: str, fields: Mapping[str, Any] | str, *, replace: bool) -> KeptConnection: ...

    def probe(self, name: str, timeout: float) -> tuple[bool, str]: ...

    def keep_upload(self, file: BinaryIO, name: str) -> ListedUpload: ...

    def uploads(self) -> list[ListedUpload]: ...

    def delete_upload(self, upload: str, *, force: bool) -> None: ...

    def templates(self) -> list[ListedTemplate]: ...

    def template(self, identifier: str) -> Template: ...


def is_afar() -> bool:
    """Tell whether the environment names an installation to reach by its API; raise where it does so by half."""
    named = [name for name in (URL, TOKEN) if os.environ.get(name)]
    if len(named) == 1:
        missing = TOKEN if named == [URL] else URL
        hint = "an API is reached with both; without them commands reach the installation of this machine"
        raise ConfigurationError(f"{named[0]} is set, and {missing} is not", field=missing, hint=hint)
    return bool(named)


def refuse_afar(command: str | None) -> None:
    """Raise ConfigurationError for a command that works on the machine of the installation alone."""
    if command is not None and command not in ELSEWHERE | ANYWHERE and is_afar():
        raise ConfigurationError(
            f"airloom {command} works on the machine of the installation alone",
            hint=f"run it there, without {URL} and {TOKEN}",
        )


@contextlib.contextmanager
def reach_afar() -> Iterator[Afar]:
    """Reach the installation whose API the environment names."""
    from airloom.cli.afar import Afar
    from airloom.web.client import Client

    with Client(os.environ[URL], os.environ[TOKEN]) as client:
        yield Afar(client)


@contextlib.contextmanager
def reach() -> Iterator[Reach]:
    """Reach the installation that the environment names: by its API, or that of this machine."""
    if is_afar():
        with reach_afar() as installation:
            yield installation
        return
    from airloom.cli.here import Here, open_store

    with open_store() as store:
        yield Here(store)
