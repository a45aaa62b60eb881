"""Plans as publishing makes them, run without Airflow: `python bench/_plans.py FILE` runs one, prints its seconds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _harness import Spent, Stopwatch, run_command


def plan_of(given: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a document as publishing does, its files below `folder`; return its canonical form and its plan."""
    from airloom.checks.check import check
    from airloom.checks.facts import Facts
    from airloom.engine.storage import Files
    from airloom.plan.build import build_plan

    report = check(given, Facts(files=Files(folder, (str(folder),))))
    if report.document is None or report.resolved is None:
        raise SystemExit("\n".join(map(str, report.problems)))
    return report.document.to_json(), build_plan(report.resolved).to_json()


def ours(given: dict[str, Any], place: Path, **variables: str) -> Callable[[], Spent]:
    """Write the plan of a document, and return what runs it in a fresh process, with these environment variables."""
    document, plan = plan_of(given, place)
    file = place / f"{given['id']}.json"
    file.write_text(json.dumps({"document": document, "plan": plan}))
    environment = {**os.environ, "AIRLOOM_PATHS": json.dumps([str(place)]), "AIRLOOM_DATA": str(place / "data")}
    command = [sys.executable, __file__, str(file)]
    return lambda: run_command(command, env={**environment, **variables})


def run_plan(path: Path) -> None:
    """Run the plan of a file in this process, as `airloom try` does, and print how long that took."""
    import duckdb  # noqa: F401 (the executor imports it before a task starts)

    from airloom.nodes.context import RunFacts
    from airloom.plan.plan import Plan
    from airloom.runtime.local import LocalSurroundings
    from airloom.runtime.pipeline import run_pipeline
    from airloom.runtime.step import Workplace
    from airloom.runtime.trial import no_connections
    from airloom.spec.configuration import configuration

    given = json.loads(path.read_text())
    with Stopwatch() as watch:
        surroundings = LocalSurroundings(RunFacts(given["document"]["id"], "bench"), {}, no_connections)
        plan = Plan.from_json(given["plan"])
        for node, result in run_pipeline(plan, Workplace(given["document"], configuration()), surroundings):
            if result.state != "success":
                raise SystemExit(f"{node}: {result.error}")
    print(json.dumps({"seconds": watch.spent.wall, "processor": watch.spent.cpu}))


if __name__ == "__main__":
    run_plan(Path(sys.argv[1]))
