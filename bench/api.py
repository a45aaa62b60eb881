"""How fast the API answers many at once: `python bench/api.py`, beside Airflow's own list of DAGs, on a real Airflow.

Fifty clients ask for a page of pipelines, for one pipeline, and for one run with its nodes, as fast as they are
answered; then for the same page of Airflow's `/api/v2/dags`. All of them are one user, who may read half of the
pipelines. Rate limits are off. The routes take turns, so that each meets the same machine.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from _harness import Report, arguments
from _installation import Running, installation, wait_for

from airloom.checks.facts import Facts
from airloom.store.records import NodeRun, StoredRun
from airloom.store.store import Store

PAGE = 50
ROUNDS = 3
READER = "bench_reader"
AIRFLOWS = "Airflow's list of DAGs"
NODES = ("one", "two", "three")


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=1, quick=1, pipelines=1000, clients=50, seconds=60)
    pipelines, seconds = (100, 6) if asked.quick else (asked.pipelines, asked.seconds)
    report = Report("The API")
    with installation(AIRLOOM_API_RATE="none", AIRLOOM_SIGN_IN_RATE="none") as running:
        running.start()
        names = [f"bench_{number:04}" for number in range(pipelines)]
        store = Store(running.store_url)
        _publish(store, names)
        token = _reader(running, store, names)
        store.close()
        times, errors = asyncio.run(_load(running, token, names[::2], asked.clients, seconds / ROUNDS))
    baseline = times[AIRFLOWS]
    rows = []
    for what, found in times.items():
        ratios = [_at(found, share) / _at(baseline, share) for share in (0.5, 0.95)]
        shown = (f"{_at(found, share) * 1000:.0f}" for share in (0.5, 0.95))
        rows.append((what, f"{len(found):,}", *shown, *(f"{ratio:.2f}" for ratio in ratios)))
        if what != AIRFLOWS:
            for name, ratio in zip(("median", "95 %"), ratios, strict=True):
                report.goal(f"{what}, {name}, of Airflow's", ratio, "≤", 1)
    report.table(("milliseconds", "answers", "median", "95 %", "median, ratio", "95 %, ratio"), rows)
    report.note(f"{asked.clients} clients, {pipelines:,} pipelines, half of them readable, {PAGE} a page.")
    if errors:
        report.note(f"Airflow answered {errors:,} times with an error; Airloom never.")
    report.end()


def _publish(store: Store, names: list[str]) -> None:
    """Publish pipelines of three nodes, each with a run that has ended."""
    from airloom.dags import platform
    from airloom.dags.publishing import plan_document

    platform.load()
    nodes = [{"id": name, "type": "set", "config": {"value": 1}} for name in NODES]
    edges = [{"from": before, "to": after} for before, after in itertools.pairwise(NODES)]
    planned = plan_document({"id": "bench", "nodes": nodes, "edges": edges}, Facts())
    now = datetime.now(UTC)
    for name in names:
        store.publish({**planned.document, "id": name}, planned.plan or {}, author="bench", source="api")
        store.runs.observe(StoredRun(name, "run", "success", now, version=1, started_at=now, ended_at=now, seconds=1.0))
        store.node_runs.record(name, "run", [NodeRun(name, "run", node, "success", rows=1) for node in NODES])


def _reader(running: Running, store: Store, names: list[str]) -> str:
    """Make the user and grant it every second pipeline; return its token once Airflow shows it these, and no other."""
    password = secrets.token_hex(12)
    known = running.client
    person = {"first_name": READER, "last_name": READER, "email": f"{READER}@localhost"}
    role = {"roles": [{"name": "Airloom Viewer"}]}
    known.request("POST", "/auth/fab/v1/users", {"username": READER, "password": password, **person, **role})
    readable = names[::2]
    for name in readable:
        store.grants.give("pipeline", name, "user", READER, "reader", by="bench")
    credentials = {"username": READER, "password": password}

    def token_that_reads() -> str | None:
        signed_in = httpx.post(f"{known.address}/auth/token", json=credentials, trust_env=False, timeout=60)
        token = str(signed_in.json()["access_token"])
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{known.address}/api/v2/dags?limit=1", headers=headers, trust_env=False, timeout=60)
        return token if answer.json().get("total_entries") == len(readable) else None

    return wait_for(token_that_reads, 1800, "the reading of all pipelines by Airflow", every=5)


async def _load(
    running: Running, token: str, readable: list[str], clients: int, seconds: float
) -> tuple[dict[str, list[float]], int]:
    """Return how long each answer took, by what was asked for, and how many of Airflow's were errors.

    Raise where one of ours is an error.
    """
    ours = "/airloom/api/v1"
    turns = itertools.cycle(readable)
    routes: dict[str, Callable[[], str]] = {
        AIRFLOWS: lambda: f"/api/v2/dags?limit={PAGE}",
        "list of pipelines": lambda: f"{ours}/pipelines?limit={PAGE}",
        "one pipeline": lambda: f"{ours}/pipelines/{next(turns)}",
        "one run": lambda: f"{ours}/pipelines/{next(turns)}/runs/run",
    }
    times: dict[str, list[float]] = {what: [] for what in routes}
    errors = 0
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    headers = {"Authorization": f"Bearer {token}"}
    address = running.client.address
    async with httpx.AsyncClient(
        base_url=address, headers=headers, timeout=120, trust_env=False, limits=limits
    ) as client:

        async def ask(what: str, path: Callable[[], str], end: float) -> None:
            nonlocal errors
            while time.perf_counter() < end:
                began = time.perf_counter()
                answer = await client.get(path())
                times[what].append(time.perf_counter() - began)
                if what != AIRFLOWS:
                    answer.raise_for_status()
                errors += answer.is_error

        for _ in range(ROUNDS):
            for what, path in routes.items():
                end = time.perf_counter() + seconds
                await asyncio.gather(*(ask(what, path, end) for _ in range(clients)))
    return times, errors


def _at(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


if __name__ == "__main__":
    main()
