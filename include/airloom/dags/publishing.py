"""Publishing: the one way in which a document becomes a version that Airflow runs."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.checks.check import check
from airloom.checks.facts import Describe, Facts
from airloom.checks.uses import Use, uses_of
from airloom.dags import connections, parsing, platform, runs
from airloom.dags.actor import Actor, missing_right_after_failure, missing_rights
from airloom.engine.storage import Files
from airloom.nodes.migration import newest_version
from airloom.nodes.ports import Interface
from airloom.plan.build import build_plan
from airloom.plan.plan import nodes_of
from airloom.runtime.descriptions import describer
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.spec.problem import Problem
from airloom.spec.scope import visits
from airloom.spec.values import read_values
from airloom.store.records import NotFound, Source, StoredVersion

if TYPE_CHECKING:
    from airloom.store.store import Store


@dataclass(frozen=True)
class Planned:
    """Hold a document in its canonical form with its plan, or no plan and the problems that keep it from one."""

    document: dict[str, Any]
    plan: dict[str, Any] | None
    problems: list[Problem]
    uses: list[Use] = field(default_factory=list)
    node_files: list[NodeFile] = field(default_factory=list)


@dataclass(frozen=True)
class Published:
    """Hold the version that was published, or none and the problems that kept the document from it."""

    version: StoredVersion | None
    problems: list[Problem]


def publish(
    store: Store,
    document: object,
    *,
    actor: Actor,
    message: str = "",
    source: Source = "api",
    path: str | None = None,
    facts: Facts | None = None,
    base_version: int | None = None,
    draft: str | None = None,
) -> Published:
    """Check a document as it was read from JSON or YAML, and make it the current version of its pipeline.

    `base_version` is the version that has to be current, `draft` the etag of the draft that this publishes; a
    ConflictError tells that somebody was quicker. `path` is that of the file that a pipeline of source `file` comes
    from. Nothing is kept where the check finds an error, or where the actor lacks a right to what a node uses that is
    new or has changed. Raises ConfigurationError where the id belongs to another place: a file, or a DAG that is not
    ours.
    """
    planned = plan_document(document, facts or gather_facts(store))
    return publish_planned(
        store, planned, actor=actor, message=message, source=source, path=path, base_version=base_version, draft=draft
    )


def publish_planned(
    store: Store,
    planned: Planned,
    *,
    actor: Actor,
    message: str = "",
    source: Source = "api",
    path: str | None = None,
    base_version: int | None = None,
    draft: str | None = None,
    dry_run: bool = False,
) -> Published:
    """Publish what has been checked and planned already, as `publish` does; a dry run keeps nothing."""
    if planned.plan is None:
        return Published(None, planned.problems)
    identifier = planned.document["id"]
    refused = rights_missing(store, planned, actor)
    if refused:
        return Published(None, [*refused, *planned.problems])
    foreign = parsing.foreign_dag(identifier)
    if foreign is not None:
        raise ConfigurationError(
            f"Airflow runs another DAG of the id {identifier!r}: {foreign}", field="id", hint="choose another id"
        )
    if dry_run:
        return Published(None, planned.problems)
    warnings = _parents_to_tell(store, planned)
    current = _current_document(store, identifier)
    before, after = current and _is_enabled(current), _is_enabled(planned.document)
    version = publish_plan(
        store,
        planned.document,
        planned.plan,
        author=actor.name,
        message=message,
        source=source,
        path=path,
        uses=planned.uses,
        node_files=planned.node_files,
        base_version=base_version,
        draft=draft,
    )
    if before is not None and before != after:
        _let_runs_begin(store, version, after)
    return Published(version, [*planned.problems, *warnings])


def _parents_to_tell(store: Store, planned: Planned) -> list[Problem]:
    """Return a warning where pipelines run this one by an interface that changes: they keep that of before."""
    pipeline, plan = planned.document["id"], planned.plan or {}
    parents = sorted({parent for parent, _ in store.uses.who("pipeline", pipeline)} - {pipeline})
    if not parents:
        return []
    before = store.version(pipeline).plan.get("interface")
    if not before or before == plan["interface"]:
        return []
    message = f"inputs or outputs have changed, and {', '.join(parents[:10])} run this pipeline by those of before"
    return [Problem("interface.changed", message, "warning", hint="publish them anew")]


def rights_missing(store: Store, planned: Planned, actor: Actor) -> list[Problem]:
    """Return a problem for each thing that the actor may not use in a node that a new version adds or changes."""
    current = _current_document(store, planned.document["id"])
    return missing_rights(actor, planned.document, planned.uses, current) + missing_right_after_failure(
        actor, planned.document, current
    )


def publish_plan(
    store: Store,
    document: dict[str, Any],
    plan: dict[str, Any],
    *,
    author: str,
    message: str,
    source: Source,
    path: str | None,
    uses: Iterable[Use],
    node_files: Iterable[NodeFile],
    base_version: int | None = None,
    draft: str | None = None,
) -> StoredVersion:
    """Make a document with its plan the current version of its pipeline, and have Airflow read it."""
    version = store.publish(
        document,
        plan,
        author=author,
        message=message,
        source=source,
        path=path,
        uses=uses,
        node_files=node_files,
        base_version=base_version,
        draft=draft,
    )
    parsing.request_parse(version.pipeline)
    return version


def plan_document(document: object, facts: Facts) -> Planned:
    """Check a document as it was read from JSON or YAML, and plan it."""
    report = check(document, facts)
    if not report.correct or report.document is None or report.resolved is None:
        return Planned({}, None, report.problems)
    canonical, plan = report.document.to_json(), build_plan(report.resolved).to_json()
    refused = _what_airflow_refuses(canonical, plan)
    if refused is not None:
        return Planned(canonical, None, [refused, *report.problems])
    nodes = report.resolved.every_node.values()
    files = [file for node in nodes for file in (node.file, *node.functions.values()) if file is not None]
    by_hash = {file.hash: file for file in files}
    return Planned(canonical, plan, report.problems, uses_of(report.resolved), list(by_hash.values()))


def pinned(version: StoredVersion) -> dict[str, Any]:
    """Return a version's document, with the version of a node's type where a newer one has come since.

    What was planned for the node types of an earlier release is so what it was, and says so.
    """
    document = copy.deepcopy(version.document)
    nodes = nodes_of(version.plan)
    for node in (visit.entry for visit in visits(document)):
        planned = nodes.get(node["id"])
        if planned and "version" not in node and planned["version"] != newest_version(node["type"]):
            node["version"] = planned["version"]
    return document


def unpause(store: Store, payload: dict[str, Any]) -> None:
    """Let runs of a pipeline begin once Airflow has read the version that enables it.

    `payload` is that of the event `unpause`: `pipeline` and `version`. A version that is not current changes nothing.
    """
    pipeline, number = payload["pipeline"], payload["version"]
    stored = store.pipeline(pipeline)
    if not stored.archived and stored.version == number:
        parsing.wait_for_version(pipeline, number, timeout=10)
        parsing.set_paused(pipeline, False)


def rollback(store: Store, pipeline: str, number: int, *, actor: Actor, facts: Facts | None = None) -> Published:
    """Publish the document of an earlier version again, as a new version.

    Raises NotFound where there is no such version, ConfigurationError where the pipeline comes from a file.
    """
    path = store.pipeline(pipeline).path
    if path is not None:
        raise _comes_from_file(pipeline, path)
    old = store.version(pipeline, number)
    return publish(store, pinned(old), actor=actor, message=f"rollback to version {number}", facts=facts)


def archive(store: Store, pipeline: str, *, author: str, force: bool = False) -> list[str]:
    """Take a pipeline out of Airflow, its versions kept; return the ids of its active runs.

    No new run starts. Those that are active may end first, and the worker then takes the DAG away; with `force` they
    stop where they are, and go on should the pipeline be published again. Raises NotFound where there is no such
    pipeline, ConfigurationError where it comes from a file that is there.
    """
    stored = store.pipeline(pipeline)
    path = None if stored.archived else stored.path
    if path is not None:
        file = store.files.all().get(path)
        if file is None or file.missing_since is None:
            raise _comes_from_file(pipeline, path)
    active = runs.active_runs(pipeline)
    store.archive(pipeline, author, closing=bool(active) and not force)
    if path is not None:
        store.files.remove(path)  # Should the file come back, it is published again.
    return active


def unarchive(store: Store, pipeline: str, *, author: str) -> None:
    """Put an archived pipeline back in its current version, and have Airflow read it."""
    store.unarchive(pipeline, author)
    parsing.request_parse(pipeline)


def finish_archiving(store: Store) -> None:
    """Take the DAGs of archived pipelines away whose runs have ended."""
    for pipeline in store.closing():
        if not runs.active_runs(pipeline):
            store.archive(pipeline, store.pipeline(pipeline).updated_by)


def gather_facts(store: Store, describe: Describe | None = None) -> Facts:
    """Ask this installation what a check needs to know: Connections, pools, files, other pipelines.

    Without `describe`, columns behind Connections are asked for by this process, which needs their secrets.
    """

    def interface(pipeline: str) -> Interface | None:
        try:
            interface = store.version(pipeline).plan.get("interface")
        except NotFound:
            return None
        return Interface.from_json(interface) if interface else Interface()

    def calls(pipeline: str) -> frozenset[str] | None:
        try:
            if store.pipeline(pipeline).archived:
                return None
        except NotFound:
            return None
        return store.uses.names("pipeline", [pipeline])

    return Facts(
        connections=connections.connection_types(),
        pools=frozenset(platform.pools()),
        files=Files.of(configuration()),
        switched_off=store.switches.off(),
        describe=describe or describer(connections.connection),
        values=read_values(configuration().values_file),
        calls=calls,
        interface=interface,
        run_tests=True,
    )


def _current_document(store: Store, pipeline: str) -> dict[str, Any] | None:
    """Return the document of a pipeline's current version, or None where it has none yet."""
    try:
        return store.version(pipeline).document
    except NotFound:
        return None


def _is_enabled(document: Mapping[str, Any]) -> bool:
    return bool(document.get("settings", {}).get("enabled", True))


def _let_runs_begin(store: Store, version: StoredVersion, enabled: bool) -> None:
    if enabled:
        # Unpaused at once, a run that is due would begin with the version before.
        payload = {"pipeline": version.pipeline, "version": version.number}
        store.outbox.enqueue("unpause", payload, key=f"pipeline {version.pipeline}")
    else:
        parsing.set_paused(version.pipeline, True)


def _comes_from_file(pipeline: str, path: str) -> ConfigurationError:
    return ConfigurationError(f"pipeline {pipeline!r} comes from the file {path}", hint=f"edit or remove {path}")


# Airflow knows one DAG at a time that is being made, in whatever thread.
_making_dag = threading.Lock()


def _what_airflow_refuses(document: dict[str, Any], plan: dict[str, Any]) -> Problem | None:
    from airflow.sdk.exceptions import AirflowException

    from airloom.dags.factory import pipeline

    try:
        with _making_dag:
            pipeline(document, plan).validate()  # type: ignore[no-untyped-call]
    except (AirflowException, ValueError, TypeError) as error:
        return Problem("airflow.refused", f"Airflow refuses this pipeline: {error}")
    return None
