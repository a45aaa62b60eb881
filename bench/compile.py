"""What making a DAG of a pipeline costs: `python bench/compile.py` (the rival: `pip install 'airloom[bench]'`).

The same eight tasks as a Python file with eight PythonOperators, as dag-factory's YAML, and as the file that Airloom's
bundle writes (grouping off: eight tasks too; and grouped: one). Three moments count:

- parse: Airflow's own parse of one file with serialization, in a child of a process that has imported what the DAG
  processor has. dag-factory is used in both of its ways: a Python file for each YAML, and one that loads them all,
  which costs least for each pipeline, and as much as all of them whenever one has changed and at every task's start;
- again: the same where the parent has parsed the file before, so that no import is left and only the making counts;
- task: a task's start. The bundle gives the task's file, and Airflow finds the task in it. Airloom asks its store
  (PostgreSQL) for the one pipeline. Under Airloom's executor much is imported before; under any other, nothing is.

Figures are milliseconds of processor of the child: the clock would show what else the machine does.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import socket
import statistics
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _sales
from _harness import Report, arguments, folder, in_turn, median, ratio, run_command, spread
from _plans import plan_of

HERE = Path(__file__).parent


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=5, quick=1)
    report = Report("Making DAGs")
    counts = (10, 1000) if asked.quick else (10, 100, 1000)
    with folder("compile") as place, _store(place) as url:
        environment = _environment(place, url)
        prepared: dict[int, dict[str, Any]] = {}
        for count in counts:
            command = [sys.executable, __file__, "--prepare", str(place), str(count)]
            prepared[count] = run_command(command, env=environment).answer
            ways = prepared[count]
            runs = in_turn({name: _measured(way, environment) for name, way in ways.items()}, asked.rounds)
            _show(report, count, ways, runs)
            if count == counts[0]:
                first = runs
    _goals(report, counts, first, runs)
    report.end()


def _show(report: Report, count: int, ways: dict[str, Any], runs: dict[str, list[float]]) -> None:
    lines = []
    for name, milliseconds in runs.items():
        each = [value / ways[name]["pipelines"] for value in milliseconds]
        base = runs[f"{ways[name]['moment']}: bare"]
        lines.append((name, spread(milliseconds, 1), spread(each, 1), f"{ratio(each, base):.2f}"))
    report.note(f"{count:,} pipelines:")
    report.table(("moment: way", "ms", "ms for each pipeline", "× bare"), lines)


def _goals(
    report: Report, counts: tuple[int, ...], first: dict[str, list[float]], last: dict[str, list[float]]
) -> None:
    for moment in ("parse", "again"):
        against = ratio(last[f"{moment}: Airloom"], last[f"{moment}: bare"])
        report.goal(f"{moment}, eight tasks, against bare operators", against, "≤", 1.5)
    grown = median(last["task: Airloom"]) / median(first["task: Airloom"])
    report.goal(f"task's start, {counts[-1]:,} against {counts[0]} pipelines", grown, "≤", 1.15)
    if "parse: dag-factory, a file each" not in last:
        report.note("dag-factory is not installed: `pip install 'airloom[bench]'` to compare with it.")
        return
    ours = last["parse: Airloom"]
    each, together = (last[f"parse: dag-factory, {way}"] for way in ("a file each", "one file for all"))
    report.goal("parse against dag-factory, a file each", ratio(each, ours), "≥", 3)
    report.goal("parse after a change, against dag-factory, one file for all", ratio(together, ours), "≥", 3)


def _measured(way: dict[str, Any], environment: dict[str, str]) -> Callable[[], float]:
    command = [sys.executable, __file__, "--parse", json.dumps(way)]
    return lambda: float(run_command(command, env=environment).answer["milliseconds"])


# The surroundings: Airflow without a database, Airloom with its store


def _environment(place: Path, url: str) -> dict[str, str]:
    bundles = [{"name": "airloom", "classpath": "airloom.dags.bundle.PipelineBundle", "kwargs": {}}]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "AIRFLOW_HOME": str(place / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(place / "dags"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(place / "bundles"),
        "AIRLOOM_TASK_DATABASE_URL": url,
        "AIRLOOM_DATABASE_URL": url,
        # The rival would report each parse to its makers.
        "DO_NOT_TRACK": "true",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
    }


@contextmanager
def _store(place: Path) -> Iterator[str]:
    from airloom.local.postgres import Postgres
    from airloom.store.migrate import migrate

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(home=place, identity=place.name, port=port, password=uuid.uuid4().hex)
    server.start()
    try:
        migrate(server.address("postgres"))
        yield server.address("postgres")
    finally:
        server.stop()


# Preparation: the files of each way, with `count` pipelines


def prepare(place: Path, count: int) -> dict[str, Any]:
    """Write what each way reads, publish to the store, and return how each is parsed."""
    _sales.write_data(place, 100)
    given = _sales.document("pipeline", str(place), grouping="none")
    single, plan = plan_of(given, place)
    grouped, grouped_plan = plan_of(_sales.document("pipeline", str(place)), place)
    names = [f"pipeline_{number:04}" for number in range(count)]
    middle = names[count // 2]
    dags = place / f"dags-{count}"
    (dags / "bare").mkdir(parents=True)
    (dags / "bare" / f"{middle}.py").write_text(_sales.bare_file(middle, given))
    for name, document, made in (("airloom", single, plan), ("grouped", grouped, grouped_plan)):
        (dags / name).mkdir()
        from airloom.dags.files import pipeline_text

        (dags / name / f"{middle}.py").write_text(pipeline_text({**document, "id": middle}, {**made, "version": 1}))
    revision = _publish(names, single, plan)
    ways: dict[str, Any] = {}
    for moment in ("parse", "again", "task"):
        ways[f"{moment}: bare"] = _way(moment, "airflow", dags / "bare" / f"{middle}.py", middle)
        if importlib.util.find_spec("dagfactory") is not None:
            apart, together = _dag_factory(dags / "dag_factory", names, given, middle)
            ways[f"{moment}: dag-factory, a file each"] = _way(moment, "airflow", apart, middle)
            ways[f"{moment}: dag-factory, one file for all"] = {
                **_way(moment, "airflow", together, middle),
                "pipelines": 1 if moment == "task" else count,
            }
        ways[f"{moment}: Airloom"] = {
            **_way(moment, "airloom", dags / "airloom" / f"{middle}.py", middle),
            "revision": revision,
        }
    ways["parse: Airloom, grouped to one task"] = _way("parse", "airloom", dags / "grouped" / f"{middle}.py", middle)
    ways["task: Airloom, any executor"] = {**ways["task: Airloom"], "surroundings": "airflow"}
    return ways


def _way(moment: str, surroundings: str, file: Path, pipeline: str) -> dict[str, Any]:
    return {"moment": moment, "surroundings": surroundings, "file": str(file), "pipeline": pipeline, "pipelines": 1}


def _dag_factory(dags: Path, names: list[str], given: dict[str, Any], middle: str) -> tuple[Path, Path]:
    """Write the YAML of all, a Python file for the one in the middle, and one for all; return both Python files."""
    import yaml

    (dags / "yaml").mkdir(parents=True, exist_ok=True)
    (dags / "work.py").write_text(_sales.CALLABLE)
    upstream: dict[str, list[str]] = {node["id"]: [] for node in given["nodes"]}
    for edge in given["edges"]:
        upstream[edge["to"].partition(".")[0]].append(edge["from"])
    operator = "airflow.providers.standard.operators.python.PythonOperator"
    tasks = [
        {
            "task_id": task,
            "operator": operator,
            "python_callable_name": "work",
            "python_callable_file": str(dags / "work.py"),
            "dependencies": before,
        }
        for task, before in upstream.items()
    ]
    for name in names:
        (dags / "yaml" / f"{name}.yml").write_text(
            yaml.safe_dump({name: {"schedule": None, "tasks": tasks}}, sort_keys=False)
        )
    load = "\n".join([
        "# Airflow reads no file that does not hold its name and the word dag.",
        "from dagfactory import load_yaml_dags",
        "",
        "load_yaml_dags(globals_dict=globals(), {})",
        "",
    ])  # fmt: skip
    (dags / f"{middle}.py").write_text(load.format(f"config_filepath={str(dags / 'yaml' / (middle + '.yml'))!r}"))
    (dags / "all.py").write_text(load.format(f"dags_folder={str(dags / 'yaml')!r}"))
    return dags / f"{middle}.py", dags / "all.py"


def _publish(names: list[str], document: dict[str, Any], plan: dict[str, Any]) -> int:
    from airloom.store.store import Store

    store = Store(os.environ["AIRLOOM_DATABASE_URL"])
    for name in names:
        store.publish({**document, "id": name}, plan, author="bench", source="api")
    revision = store.revision()
    store.close()
    return revision


# One way, in a process of its own: children of it parse


def parse(way: dict[str, Any]) -> float:
    """Return the median milliseconds of processor that a child takes for this way."""
    work = _starting(way) if way["moment"] == "task" else _parsing(way)
    # The processes that Airflow forks from have run for long: a child does not clear away what their imports left.
    gc.collect()
    times = 1 if way["pipelines"] > 100 or "all.py" in way["file"] else 7
    return statistics.median(_in_child(work) for _ in range(times)) * 1000


def _in_child(work: Callable[[], int]) -> float:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("the parse failed")
    return usage.ru_utime + usage.ru_stime


def _parsing(way: dict[str, Any]) -> Callable[[], int]:
    import structlog
    from airflow.dag_processing import manager  # noqa: F401 (what the processor has imported)
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file, _pre_import_airflow_modules

    file = Path(way["file"])
    log = structlog.get_logger()
    if way["surroundings"] == "airloom":
        from airloom.dags.bundle import _prepare_manager

        _prepare_manager()
    _pre_import_airflow_modules(str(file), log)

    def work() -> int:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
        found = _parse_file(DagFileParseRequest(file=str(file), bundle_path=file.parent, bundle_name="bench"), log)
        if found is None or found.import_errors or len(found.serialized_dags) != way["pipelines"]:
            print(found, file=sys.stderr, flush=True)
            return 1
        return 0

    if way["moment"] == "again":
        work()
    return work


def _starting(way: dict[str, Any]) -> Callable[[], int]:
    # What a LocalExecutor's process has imported, for the scheduler has.
    import airflow.executors.local_executor
    import airflow.jobs.scheduler_job_runner
    import airflow.sdk.execution_time.supervisor  # noqa: F401

    if way["surroundings"] == "airloom":
        from airloom.dags.executor import IMPORTED_BY_TASKS

        for module in IMPORTED_BY_TASKS:
            importlib.import_module(module)

    def work() -> int:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag
        from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager
        from airflow.sdk.execution_time import task_runner  # noqa: F401

        file, path = Path(way["file"]), Path(way["file"]).parent
        with _airflow_parsing_context_manager(dag_id=way["pipeline"], task_id="paid"):
            if "revision" in way:
                bundle = DagBundlesManager().get_bundle("airloom", version=str(way["revision"]))
                bundle.initialize()
                path = bundle.path
                file = path / f"{way['pipeline']}.py"
            bag = BundleDagBag(
                dag_folder=str(file), bundle_path=path, bundle_name="airloom", safe_mode=False, load_op_links=False
            )
            found = "paid" in bag.dags[way["pipeline"]].task_dict
            if "revision" in way:
                file.unlink()
        return 0 if found else 1

    return work


if __name__ == "__main__":
    if sys.argv[1:2] == ["--prepare"]:
        print(json.dumps(prepare(Path(sys.argv[2]), int(sys.argv[3]))))
    elif sys.argv[1:2] == ["--parse"]:
        print(json.dumps({"milliseconds": parse(json.loads(sys.argv[2]))}))
    else:
        main()
