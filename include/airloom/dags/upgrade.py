"""What a new release means for pipelines that are published already: plans made anew, and configs of older node types.

A document is the truth and its plan a consequence, so another release may plan it in another way. Runs keep the plan
that they began with; from the next run on the new one holds, and what it changes is told.
"""

from __future__ import annotations

import copy
import difflib
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airloom import __version__
from airloom.checks.check import MANY
from airloom.checks.facts import Facts
from airloom.dags.publishing import gather_facts, pinned, plan_document, publish_plan
from airloom.nodes.catalog import UnknownNodeType, catalog
from airloom.nodes.migration import migrated_config, newest_version
from airloom.plan.changes import plan_changes
from airloom.plan.plan import nodes_of
from airloom.spec.configuration import configuration
from airloom.spec.problem import Problem, errors
from airloom.spec.scope import visits
from airloom.spec.values import Values, read_values
from airloom.store.records import StoredVersion

if TYPE_CHECKING:
    from airloom.store.store import Store

log = logging.getLogger(__name__)
AUTHOR = "upgrade"


@dataclass(frozen=True)
class Replanned:
    """Say what became of a pipeline: how its plan changed, or why it goes on by the plan that it has."""

    pipeline: str
    changes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Migration:
    """Hold what a pipeline would be with the newest version of each of its node types.

    `path` is that of the file to edit where the pipeline comes from one; `diff` is a unified diff of the documents;
    `problems` are what keeps the new document from being published.
    """

    pipeline: str
    path: str | None
    changes: list[str]
    document: dict[str, Any]
    diff: str
    problems: list[Problem]


def upgrade(store: Store) -> list[Replanned] | None:
    """Plan every published document anew where the release, or a value of the installation, is not that of last time.

    Returns what became of the pipelines that are concerned, or None where all is the same or another process is at
    it. The report is kept as `store.releases.latest`.
    """
    with store.lock("upgrade") as held:
        values = read_values(configuration().values_file)
        current = catalog().fingerprint() + (values.digest if values != Values() else "")
        latest = store.releases.latest()
        if not held or (latest is not None and latest.fingerprint == current):
            return None
        facts = gather_facts(store)
        # One of them may wait for a database that does not answer.
        with ThreadPoolExecutor(MANY, "upgrade") as threads:
            live = store.changes(0, store.revision()).live
            replanned_versions = list(threads.map(lambda version: _plan_anew(store, version, facts), live))
        concerned = [replanned for replanned in replanned_versions if replanned.changes or replanned.problems]
        store.releases.record(current, __version__, [asdict(replanned) for replanned in concerned])
    for replanned in concerned:
        if replanned.problems:
            text = "; ".join(replanned.problems)
            log.warning("Pipeline %s goes on by the plan that it has: %s", replanned.pipeline, text)
        else:
            log.info("Pipeline %s is planned anew: %s", replanned.pipeline, "; ".join(replanned.changes))
    log.info("Release %s changes %d of %d pipelines", __version__, len(concerned), len(replanned_versions))
    return concerned


def migrations(store: Store) -> Iterator[Migration]:
    """Yield what the newest node types make of each published pipeline that does not use them yet."""
    facts = gather_facts(store)
    for version in store.changes(0, store.revision()).live:
        migration = _migration(version, store.pipeline(version.pipeline).path, facts)
        if migration is not None:
            yield migration


def _plan_anew(store: Store, version: StoredVersion, facts: Facts) -> Replanned:
    planned = plan_document(pinned(version), facts)
    if planned.plan is None:
        return Replanned(version.pipeline, problems=[str(problem) for problem in errors(planned.problems)])
    changes = plan_changes(version.plan, planned.plan)
    if not changes:
        # Of what was published before uses were kept, or before a field was marked as one.
        store.uses.record(version.pipeline, version.number, planned.uses)
        return Replanned(version.pipeline)
    before, after = nodes_of(version.plan), nodes_of(planned.plan)
    unknown = [name for name in after if before[name]["sql"] and not after[name]["sql"]]
    if unknown:
        text = f"the columns that {', '.join(unknown)} read are out of reach now, so that its SQL cannot be made"
        return Replanned(version.pipeline, problems=[text])
    stored = store.pipeline(version.pipeline)
    if stored.version == version.number and not stored.archived:
        message = f"planned anew by release {__version__}"
        publish_plan(
            store,
            planned.document,
            planned.plan,
            author=AUTHOR,
            message=message,
            source=stored.source,
            path=stored.path,
            uses=planned.uses,
            node_files=planned.node_files,
        )
    return Replanned(version.pipeline, changes)


def _migration(version: StoredVersion, path: str | None, facts: Facts) -> Migration | None:
    document = copy.deepcopy(version.document)
    changes: list[str] = []
    problems: list[Problem] = []
    planned = nodes_of(version.plan)
    for visit in visits(document):
        node = visit.entry
        since = node.get("version") or planned[node["id"]]["version"]
        newest = newest_version(node["type"])
        if newest is None or newest == since:
            continue
        changes.append(f"node {node['id']}: {node['type']} version {since} → {newest}")
        try:
            config = migrated_config(node["type"], node.get("config", {}), since)
        except UnknownNodeType as error:
            hint = error.hint or "write its config for the newest version by hand"
            problems.append(Problem(error.code, error.message, "error", node["id"], f"{visit.at}/version", hint))
            continue
        if config:
            node["config"] = config
        node.pop("version", None)
    if not changes:
        return None
    problems = problems or errors(plan_document(document, facts).problems)
    return Migration(version.pipeline, path, changes, document, _diff(version, document), problems)


def _diff(version: StoredVersion, document: dict[str, Any]) -> str:
    before, after = (
        json.dumps(shown, indent=2, ensure_ascii=False).splitlines() for shown in (version.document, document)
    )
    names = (f"{version.pipeline} version {version.number}", f"{version.pipeline} migrated")
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm=""))
