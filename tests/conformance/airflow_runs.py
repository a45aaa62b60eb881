"""Run pipelines on an installation, all at once, and say how their nodes ended.

A script, for its process has the installation's environment: it reads documents and params from standard input, as
`{"pipelines": [{"document": …, "params": …}], "seconds": …}`, and writes a report of each node to standard output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tests.conformance.suite import SAMPLE

from airloom.dags import platform
from airloom.dags.publishing import gather_facts, publish
from airloom.runtime.results import NodeResult
from airloom.runtime.trial import node_report
from airloom.spec.configuration import configuration
from airloom.store.store import Store

Json = dict[str, Any]


def main() -> None:
    """Publish, start, wait, report."""
    asked = json.load(sys.stdin)
    end = time.monotonic() + asked["seconds"]
    url = configuration().database_url
    assert url is not None
    store = Store(url.get_secret_value())
    facts = gather_facts()
    plans: dict[str, Json] = {}
    for pipeline in asked["pipelines"]:
        published = publish(store, pipeline["document"], author="conformance", facts=facts)
        assert published.version is not None, [str(problem) for problem in published.problems]
        plans[published.version.pipeline] = published.version.plan
    runs: dict[str, str] = {}
    ended: dict[str, Json] = {}
    params = {pipeline["document"]["id"]: pipeline["params"] for pipeline in asked["pipelines"]}
    while len(ended) < len(plans) and time.monotonic() < end:
        for name in plans.keys() - runs.keys():
            if platform.serialized_version(name):
                runs[name] = platform.trigger_run(name, params[name])
        for name in runs.keys() - ended.keys():
            state = platform.run_state(name, runs[name])
            if state is not None and state.ended:
                ended[name] = {"state": state.state, "nodes": _reports(name, runs[name], plans[name])}
        time.sleep(1)
    store.close()
    json.dump(ended, sys.stdout)


def _reports(pipeline: str, run_id: str, plan: Json) -> Json:
    return {
        found.node: node_report(NodeResult(found.state, found.fired, found.outputs, found.error), SAMPLE)
        for found in platform.node_results(pipeline, run_id, plan)
    }


if __name__ == "__main__":
    main()
