"""Weeks of a busy deployment in an hour: published, run and killed all the time, and at the end nothing is wrong."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

import psycopg
import pytest
from tests.installations import installed
from tests.soak.busy import PARTS, ROWS, Deployment, Run, size

from airloom.local.databases import databases
from airloom.store.lookup import plain
from airloom.store.store import Store

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]
MINUTES = float(os.environ.get("AIRLOOM_SOAK_MINUTES", "60"))
PIPELINES = 300
PUBLISH_EVERY, RUN_EVERY, KILL_EVERY = 2.0, 5.0, 25.0
SEED = 2_611
STALE = 300.0
"""Seconds after which a run must not begin with a version that another one has followed."""
GROWTH = 1.3
"""How much more memory the installation may take at the end than when all pipelines had just been loaded."""
OLD_VERSIONS = 80
"""Folders of old versions that may be left when their clean-up takes what is two minutes old."""


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Run an installation that soon notices what was killed, and soon cleans up."""
    quick = {
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_AGE_THRESHOLD": "120",
    }
    with installed(request.session, **quick) as running:
        deployment = Deployment(running, PIPELINES, SEED)
        yield deployment
        deployment.close()


@pytest.fixture(scope="module")
def store(deployment: Deployment) -> Iterator[Store]:
    """Return the installation's store."""
    store = Store(deployment.running.store_url)
    yield store
    store.close()


def test_weeks_of_a_busy_deployment(deployment: Deployment, store: Store, report: Callable[[str], None]) -> None:
    warehouse = psycopg.connect(plain(deployment.running.warehouse_url), autocommit=True)
    warehouse.execute("create table said (number bigint, word text, run text)")
    warehouse.close()
    began = time.monotonic()
    for name in deployment.names:
        deployment.publish(name)
    wait_until_listed(deployment, store)
    report(f"{PIPELINES} pipelines published and listed in {time.monotonic() - began:.0f} s")
    deployment.look()
    first, disk = deployment.samples[-1][1], disk_of(deployment)
    deployment.begin(PUBLISH_EVERY, RUN_EVERY, KILL_EVERY)
    deployment.stopping.wait(MINUTES * 60)
    deployment.end()
    began = time.monotonic()
    wait_until_listed(deployment, store)
    runs = wait_until_ended(deployment)
    report(f"all is listed and has ended {time.monotonic() - began:.0f} s after the last kill")
    wait_until_kept(store, runs)
    published = sum(map(len, deployment.words.values()))
    killed = ", ".join(f"{kind} {number}" for kind, number in sorted(deployment.kills.items()))
    report(f"{MINUTES:g} min: {published} publishes, {len(runs)} runs, {deployment.kills.total()} kills ({killed})")
    report(f"runs tried again: {sum(run.attempts > 1 for run in runs)}; not taken: {deployment.refused}")
    wrong = [*lost_versions(deployment, store), *wrong_runs(deployment, store, runs, report)]
    time.sleep(100)
    deployment.look()
    for name in PARTS:
        most = max(sample.get(name, 0.0) for _, sample in deployment.samples)
        report(f"memory of {name}: {first.get(name, 0):.0f} MB at first, {most:.0f} at most, "
               f"{deployment.samples[-1][1].get(name, 0):.0f} at the end")  # fmt: skip
    for folder, (files, megabytes) in disk_of(deployment).items():
        report(
            f"{folder}: {disk[folder][0]} files, {disk[folder][1]:.0f} MB at first; {files}, {megabytes:.0f} MB then"
        )
    versions = len(list((deployment.running.installation.home / "bundles").glob("*/versions/*")))
    report(f"old versions on disk: {versions} of {published}")
    assert not wrong, "\n".join(wrong)
    assert not deployment.orphans
    assert set(deployment.kills) >= {*PARTS, "postgres", "session"} or MINUTES < 10
    assert sum(deployment.samples[-1][1].values()) < GROWTH * sum(first.values())
    assert versions < OLD_VERSIONS


def wait_until_listed(deployment: Deployment, store: Store) -> None:
    """Wait until the store has every pipeline's last word, and Airflow the version that says it."""
    airflow = plain(databases(deployment.running.installation).airflow)
    text = "select dag_id, description from dag where dag_id like 'busy_%' and not is_stale"

    def missing() -> list[str]:
        with psycopg.connect(airflow) as connection:
            listed = dict(connection.execute(text).fetchall())
        return [name for name, words in deployment.words.items() if listed.get(name) != words[-1]]

    wait_while(missing, 900)


def wait_until_ended(deployment: Deployment) -> list[Run]:
    """Return all runs once they are over."""
    wait_while(lambda: [run.id for run in deployment.runs() if run.state not in ("success", "failed")], 900)
    return deployment.runs()


def wait_until_kept(store: Store, runs: list[Run]) -> None:
    """Wait until the store has what became of each run's nodes; what was not noted is made up for."""
    wait_while(lambda: [run.id for run in runs if not store.node_runs.of(run.pipeline, run.id)], 900)


def wait_while(left: Callable[[], list[str]], seconds: float) -> None:
    """Wait while something is left; fail with its names where that lasts."""
    end = time.monotonic() + seconds
    while found := left():
        assert time.monotonic() < end, f"{len(found)} are left after {seconds:.0f} s: {found[:10]}"
        time.sleep(2)


def lost_versions(deployment: Deployment, store: Store) -> Iterator[str]:
    """Yield what was published and is no version, or no longer the one that it was answered to be."""
    for name, words in deployment.words.items():
        versions = store.versions(name, limit=10_000)
        kept = [version.document["description"] for version in sorted(versions, key=lambda version: version.number)]
        if kept != words:
            yield f"{name} was told {len(words)} words and keeps {len(kept)}: {sorted(set(words) ^ set(kept))}"
        for word, number in zip(words, deployment.numbers[name], strict=False):
            if store.version(name, number).document["description"] != word:
                yield f"{name}: version {number} does not say {word!r}"


def wrong_runs(deployment: Deployment, store: Store, runs: list[Run], report: Callable[[str], None]) -> Iterator[str]:
    """Yield the runs that failed, that did not do what their version says, or that began with an old one."""
    with psycopg.connect(plain(deployment.running.warehouse_url)) as connection:
        said = {
            (run, word): rows
            for run, word, rows in connection.execute("select run, word, count(*) from said group by 1, 2")
        }
    times = {name: {version.number: version.created_at.timestamp() for version in store.versions(name, limit=10_000)}
             for name in deployment.names}  # fmt: skip
    oldest, seen = 0.0, Counter[str]()
    for run in runs:
        if run.state != "success":
            yield f"{run.pipeline} {run.id} ended as {run.state} at try {run.attempts}"
            continue
        if run.revision is None:
            yield f"{run.pipeline} {run.id} is pinned to no version"
            continue
        version = store.version_at(run.pipeline, int(run.revision))
        word = version.document["description"]
        nodes = {kept.node: kept for kept in store.node_runs.of(run.pipeline, run.id)}
        if {kept.version for kept in nodes.values()} != {version.number}:
            yield f"{run.pipeline} {run.id}: its nodes are kept as those of another version than {version.number}"
        if "save" in nodes:
            seen["rows"] += 1
            if said.pop((run.id, word), 0) != ROWS:
                yield f"{run.pipeline} {run.id} left no {ROWS} rows that say {word!r}"
        else:
            seen["values"] += 1
            outputs = json.dumps([nodes["first"].outputs, nodes["second"].outputs])
            if f'"{word}"' not in outputs or f'"{word} {word}"' not in outputs:
                yield f"{run.pipeline} {run.id} does not say {word!r} but {outputs}"
        followed = times[run.pipeline].get(version.number + 1)
        if followed and run.queued_at:
            oldest = max(oldest, run.queued_at - followed)
    report(f"runs that did what they were to: {dict(seen)}; the oldest began {oldest:.0f} s after the next version")
    if oldest > STALE:
        yield f"a run began with a version that was followed {oldest:.0f} s before"
    for (run_id, word), rows in said.items():
        yield f"{rows} rows of {run_id} say {word!r}, which it was not to say"


def disk_of(deployment: Deployment) -> dict[str, tuple[int, float]]:
    """Return the files and megabytes of each folder of the installation."""
    home = deployment.running.installation.home
    folders = {name: home / name for name in ("bundles", "data", "logs")}
    return {name: size(folder) for name, folder in {**folders, "postgres": deployment.server.folder}.items()}
