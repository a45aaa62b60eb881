"""How long a person waits for our pages: `python bench/pages.py`, beside Airflow's own, in one browser.

On a real Airflow: the list with 1,000 pipelines, the graph of a pipeline of 200 nodes, and a run of it, against
Airflow's list of DAGs, and its graph of the same DAG and run. Each page is opened anew, as a link in a message opens
it, with warm caches; the pages take turns. Ours stand in a frame inside Airflow's page, and wait for that one first.
Needs Chromium, and `npm ci` in `ui/`.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
from typing import Any

from _harness import ROOT, Report, arguments
from _installation import Running, installation, wait_for

from airloom.checks.facts import Facts
from airloom.store.store import Store

LARGE = "bench_large"
IN_FRAME = "/plugin/airloom/airloom"


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=7, quick=3, pipelines=1000, nodes=200)
    pipelines, nodes = (50, 200) if asked.quick else (asked.pipelines, asked.nodes)
    report = Report("The pages")
    with installation(AIRLOOM_API_RATE="none") as running:
        running.start()
        _publish(Store(running.store_url), pipelines, nodes)
        wait_for(lambda: _known(running) > pipelines or None, 1800, "the reading of all pipelines", every=5)
        running.client.request("PATCH", f"/api/v2/dags/{LARGE}", {"is_paused": True})
        run = running.trigger(LARGE)
        # Airflow sets all tasks so, while its scheduler leaves them alone: what they would do says nothing of pages.
        running.client.request("PATCH", f"/api/v2/dags/{LARGE}/dagRuns/{run}", {"state": "success"})
        times = _times(running, asked.rounds, nodes, run)
    rows = []
    for what in ("list", "graph", "run", "graph, moved"):
        ours, theirs = (statistics.median(times[f"{who} {what}"]) for who in ("our", "Airflow's"))
        rows.append((what, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"))
        # Both move as the screen is drawn, and a frame's length differs by a little.
        report.goal(f"{what}, of Airflow's", ours / theirs, "≤", 1.05 if what == "graph, moved" else 1)
    report.table(
        ("milliseconds until the content is there, or from frame to frame", "ours", "Airflow's", "ratio"), rows
    )
    report.note(f"{pipelines:,} pipelines, one of {nodes} nodes; medians of {asked.rounds}.")
    report.end()


def _publish(store: Store, pipelines: int, nodes: int) -> None:
    """Publish small pipelines, and a large one whose nodes are tasks of their own."""
    from airloom.dags import platform
    from airloom.dags.publishing import plan_document

    platform.load()
    small = [{"id": "one", "type": "set", "config": {"value": 1}}]
    planned = plan_document({"id": "bench", "nodes": small, "edges": []}, Facts())
    for number in range(pipelines):
        store.publish(
            {**planned.document, "id": f"bench_{number:04}"}, planned.plan or {}, author="bench", source="api"
        )
    names = [f"node_{number}" for number in range(nodes)]
    chained = [
        {"from": before, "to": after}
        for number, (before, after) in enumerate(itertools.pairwise(names))
        if (number + 1) % 10
    ]
    document: dict[str, Any] = {
        "id": LARGE,
        "settings": {"grouping": "none"},
        "nodes": [{"id": name, "type": "set", "config": {"value": 1}} for name in names],
        "edges": chained,
    }
    planned = plan_document(document, Facts())
    store.publish(planned.document, planned.plan or {}, author="bench", source="api")
    store.close()


def _known(running: Running) -> int:
    return int(running.client.request("GET", "/api/v2/dags?limit=1")["total_entries"])


def _times(running: Running, rounds: int, nodes: int, run: str) -> dict[str, list[float]]:
    """Return how long each page took, by its name."""
    # What stands outside of the frame is not drawn; a fifth of the graph is what a screen shows for certain.
    drawn = (".react-flow__node", nodes // 5)
    places = {
        "list": ("/pipelines", "/dags", ("a[href*=bench_0]", 10)),
        "graph": (f"/pipelines/{LARGE}", f"/dags/{LARGE}", drawn),
        "run": (f"/pipelines/{LARGE}/runs/{run}", f"/dags/{LARGE}/runs/{run}", drawn),
    }
    pages = [
        {
            "name": f"{who} {what}",
            "path": IN_FRAME + ours if who == "our" else theirs,
            "framed": who == "our",
            "selector": selector,
            "count": count,
            "moves": f"{who} graph, moved" if what == "graph" else None,
        }
        for what, (ours, theirs, (selector, count)) in places.items()
        for who in ("our", "Airflow's")
    ]
    person = {"username": "admin", "password": running.installation.state.user_password}
    asked = {"base": running.client.address, "rounds": rounds, "pages": pages, **person}
    script = ROOT / "ui" / "e2e" / "bench.mjs"
    done = subprocess.run(["node", str(script), json.dumps(asked)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
