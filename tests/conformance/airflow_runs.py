"""Run pipelines on an installation, all at once, and say how their nodes ended.

A script, for its process has the installation's environment: it reads documents and params from standard input, as
`{"pipelines": [{"document": …, "params": …}], "seconds": …}`, and writes a report of each node to standard output.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.conformance.suite import SAMPLE

from airloom.dags.actor import administrator
from airloom.dags.node_states import node_results
from airloom.dags.publishing import gather_facts, publish
from airloom.dags.runs import trigger_run
from airloom.runtime.results import NodeResult
from airloom.runtime.trial import node_report
from airloom.spec.configuration import configuration
from airloom.store.store import Store

Json = dict[str, Any]


def main() -> None:
    """Publish and start one pipeline after the other, wait for all, report."""
    asked = json.load(sys.stdin)
    deadline = time.monotonic() + asked["seconds"]
    url = configuration().database_url
    assert url is not None
    store = Store(url.get_secret_value())
    facts = gather_facts(store)
    waiting = {pipeline["document"]["id"]: pipeline for pipeline in asked["pipelines"]}
    plans: dict[str, Json] = {}
    runs: dict[str, str] = {}
    ended: dict[str, Json] = {}
    while len(ended) < len(waiting) and time.monotonic() < deadline:
        for pipeline in itertools.islice((waiting[name] for name in waiting if name not in plans), 5):
            published = publish(store, pipeline["document"], actor=administrator("conformance"), facts=facts)
            assert published.version is not None, [str(problem) for problem in published.problems]
            plans[published.version.pipeline] = published.version.plan
        for name in (_parsed() & plans.keys()) - runs.keys():
            runs[name] = trigger_run(name, waiting[name]["params"])
        for name, state in _ended().items():
            if name in runs and name not in ended:
                ended[name] = {"state": state, "nodes": _reports(name, runs[name], plans[name])}
        if len(plans) == len(waiting):
            time.sleep(2)
    store.close()
    json.dump(ended, sys.stdout)


def _parsed() -> set[str]:
    with create_session() as session:
        return set(session.scalars(select(SerializedDagModel.dag_id)))


def _ended() -> dict[str, str]:
    with create_session() as session:
        ended = select(DagRun.dag_id, DagRun.state).where(DagRun.state.in_(["success", "failed"]))
        return {row[0]: str(row[1]) for row in session.execute(ended)}


def _reports(pipeline: str, run_id: str, plan: Json) -> Json:
    return {
        found.node: node_report(NodeResult(found.state, found.fired, found.outputs, found.error), SAMPLE)
        for found in node_results(pipeline, run_id, plan)
    }


if __name__ == "__main__":
    main()
