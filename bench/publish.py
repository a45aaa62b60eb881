"""How soon Airflow runs what was published: `python bench/publish.py`, on a real Airflow with many pipelines.

First load: all pipelines are there, nothing is parsed yet; from the start of the DAG processor until Airflow lists the
last one. Compared with as many Python files of eight PythonOperators, which the same Airflow reads from a folder.

Publish to visible: from the document to the moment in which Airflow's API lists the new version; the check of the
document, the plan and the store are part of it. Then that version has to run. Also while the DAG processor has 400
other new versions to read. Every pipeline has eight nodes and eight tasks.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import _sales
from _harness import Report, arguments, median, spread
from _installation import Running, installation, wait_for
from _plans import plan_of

from airloom.local.databases import embedded_server
from airloom.local.supervisor import Supervisor

if TYPE_CHECKING:
    from airloom.store.store import Store

BACKLOG = 400


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=10, quick=3, pipelines=1000, many=5000)
    counts = (asked.pipelines // 5,) if asked.quick else (asked.pipelines, asked.many)
    report = Report("Publishing")
    with installation() as running:
        files = running.place / "files"
        _sales.write_data(files, 1000)
        running.start()
        running.stop()
        given = _sales.document("pipeline", str(files), grouping="none")
        made = plan_of(given, files)
        os.environ.update(running.environment)
        _first_load(report, running, made, counts[0])
        for count in counts:
            _fill(running, made, (_name(number) for number in range(count)))
            seconds = _time_until(lambda count=count: _listed(running, "airloom") >= count)
            if count != counts[0]:
                report.note(f"Up to {count:,} pipelines, added while Airflow runs: all listed after {seconds:.0f} s.")
            _publish_to_visible(report, running, made, count, asked.rounds)
    report.end()


def _name(number: int) -> str:
    return f"pipeline_{number:05}"


# First load


def _first_load(report: Report, running: Running, made: tuple[dict[str, Any], dict[str, Any]], count: int) -> None:
    for number in range(count):
        (running.bare / f"{_name(number)}_bare.py").write_text(_sales.bare_file(f"{_name(number)}_bare", made[0]))
    bare = _load(running, "bare", count)
    for file in running.bare.glob("*.py"):
        file.unlink()
    server = embedded_server(running.installation)
    server.start()
    _fill(running, made, (_name(number) for number in range(count)))
    server.stop()
    ours = _load(running, "airloom", count)
    lines = [
        (name, f"{wall:.0f}", f"{cpu:.0f}", f"{wall / bare[0]:.2f}", f"{cpu / bare[1]:.2f}")
        for name, (wall, cpu) in {"Airloom": ours, "PythonOperators in a folder": bare}.items()
    ]
    report.note(f"First load of {count:,} pipelines:")
    report.table(("", "seconds", "of processor", "× PythonOperators", "of processor ×"), lines)
    report.goal(f"first load of {count:,}", ours[0], "<", 75 * count / 1000, "s")


def _load(running: Running, bundle: str, count: int) -> tuple[float, float]:
    """Start Airflow; return the seconds from the DAG processor's start to the last DAG, and those of its processors."""
    running.start()
    supervisor = Supervisor(running.installation.home, running.installation.state.identity)
    manager = supervisor.process()
    # Its children for each parse have the same name.
    processor = (
        next(part for part in manager.children() if part.cmdline()[-1:] == ["dag-processor"]) if manager else None
    )
    if processor is None:
        raise SystemExit("the DAG processor does not run")
    wait_for(lambda: _listed(running, bundle) >= count, 1800, f"the last of {count} DAGs", every=0.2)
    wall = time.time() - processor.create_time()
    used = processor.cpu_times()
    if bundle == "bare":
        running.stop()
    return wall, used.user + used.system + used.children_user + used.children_system


def _listed(running: Running, bundle: str) -> int:
    import psycopg

    text = "select count(*) from dag where bundle_name = %s and not is_stale and not is_paused"
    with psycopg.connect(running.airflow_url) as connection:
        row = connection.execute(text, [bundle]).fetchone()
    return int(row[0]) if row else 0


def _fill(running: Running, made: tuple[dict[str, Any], dict[str, Any]], names: Iterable[str], note: str = "") -> None:
    """Put pipelines into the store, without the check that each would pass."""
    from airloom.store.store import Store

    document, plan = made
    store = Store(running.store_url)
    for name in names:
        store.publish({**document, "id": name, "description": note}, plan, author="bench", source="api")
    store.close()


# Publish to visible


def _publish_to_visible(
    report: Report, running: Running, made: tuple[dict[str, Any], dict[str, Any]], count: int, rounds: int
) -> None:
    from airloom.store.store import Store

    store = Store(running.store_url)
    report.note(f"Publish to visible with {count:,} pipelines:")
    lines = []
    for name, backlog in (("quiet", 0), (f"while {min(BACKLOG, count)} others are read", min(BACKLOG, count))):
        measured = [
            _one(running, store, made, f"target_{count}_{at}", backlog)
            for at in range(max(rounds // 3, 2) if backlog else rounds)
        ]
        took, called, left = zip(*measured, strict=True)
        lines.append((name, spread(took), spread(called), f"{median(left):.0f}"))
        report.goal(f"publish to visible, {count:,} pipelines, {name}", median(took), "<", 2, "s")
    report.table(("", "seconds", "of these the call", "others unread then"), lines)
    store.close()


def _one(
    running: Running, store: Store, made: tuple[dict[str, Any], dict[str, Any]], target: str, backlog: int
) -> tuple[float, float, int]:
    """Publish a pipeline anew; return the seconds until it is listed, those of the call, and how many were unread."""
    first = _publish(store, target, f"before, with {backlog}")
    wait_for(lambda: _has_version(running, target, first.number), 600, target)
    note = f"{backlog} before {target}"
    _fill(running, made, (_name(number) for number in range(backlog)), note)
    began = time.perf_counter()
    version = _publish(store, target, f"after, with {backlog}")
    called = time.perf_counter() - began
    wait_for(lambda: _has_version(running, target, version.number), 600, target, every=0.02)
    took = time.perf_counter() - began
    left = backlog - _read(running, note)
    run = running.ended(target, running.trigger(target))
    if {found["bundle_version"] for found in run["dag_versions"]} != {str(version.revision)}:
        raise SystemExit(f"{target} ran as {run['dag_versions']}, not at revision {version.revision}")
    wait_for(lambda: _read(running, note) == backlog, 900, "the backlog's end", every=1)
    return took, called, left


def _publish(store: Store, target: str, word: str) -> Any:
    from airloom.dags.actor import administrator
    from airloom.dags.publishing import publish

    names = [f"node_{number}" for number in range(8)]
    nodes = [{"id": name, "type": "set", "config": {"value": f"{word}, {name}"}} for name in names]
    edges = [{"from": one, "to": other} for one, other in itertools.pairwise(names)]
    published = publish(store, {"id": target, "nodes": nodes, "edges": edges}, actor=administrator("bench"))
    if published.version is None:
        raise SystemExit("\n".join(map(str, published.problems)))
    return published.version


def _has_version(running: Running, pipeline: str, number: int) -> bool:
    from airloom.dags.factory import version_in
    from airloom.local.client import AirflowError

    try:
        return version_in(running.client.request("GET", f"/api/v2/dags/{pipeline}/details")["doc_md"]) == number
    except AirflowError:
        return False


def _read(running: Running, note: str) -> int:
    """Return how many pipelines Airflow lists with this description."""
    import psycopg

    with psycopg.connect(running.airflow_url) as connection:
        row = connection.execute("select count(*) from dag where description = %s", [note]).fetchone()
    return int(row[0]) if row else 0


def _time_until(done: Any) -> float:
    began = time.perf_counter()
    wait_for(done, 3600, "the last pipeline", every=0.5)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
