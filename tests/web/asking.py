"""Asking every operation of the API whatever its OpenAPI document allows, and what it does not, of a seeded store."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, strategies
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from tests.web.airflow_dags import let_airflow_read, set_tasks
from tests.web.answering import answering
from tests.web.conftest import Web

from airloom.checks.facts import Facts
from airloom.dags.connections import connection_types, delete_connection, save_connection
from airloom.dags.publishing import Planned, plan_document
from airloom.engine.data_folder import DataFolder
from airloom.engine.reference import TableReference
from airloom.engine.tables import write_shown
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.problem import Problem
from airloom.store.records import NodeRun, StoredRun
from airloom.web import download
from airloom.web.rate import Rates

Json = dict[str, Any]

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
LONGEST_ADDRESS = 60_000
"""What the client of the tests can ask for."""
METHODS = ("get", "put", "post", "patch", "delete")
RUN = "run_1"
NOWHERE = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "a", "password": "s3cret"}
DOCUMENT: Json = {
    "params": {"day": {"type": "string", "default": "monday"}},
    "nodes": [
        {"id": "load", "type": "csv_read", "config": {"path": "include/data/penguins/penguins.csv"}},
        {"id": "orders", "type": "limit", "config": {"rows": 3}},
    ],
    "edges": [{"from": "load", "to": "orders"}],
    "schedule": {"cron": "0 0 29 2 *"},
    "settings": {"grouping": "none"},
}


def operations(schema: Json) -> list[str]:
    """Return the operations of an OpenAPI document, such as `GET /api/v1/me`."""
    return [
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method in METHODS
        if method in methods
    ]


@contextlib.contextmanager
def ready(web: Web, folder: Path) -> Iterator[None]:
    """Let the API have no limits, a folder for data, and a worker that answers; what is watched ends at once."""
    web.application.state.rates = Rates(Configuration(api_rate="none", sign_in_rate="none"))
    web.application.state.tail.stopping.set()
    with pytest.MonkeyPatch.context() as patch, answering(web.store):
        patch.setenv("AIRLOOM_DATA", str(folder))
        patch.setenv("AIRLOOM_PATHS", f"include/data:{folder}")
        configuration.cache_clear()
        yield
        if "warehouse" in (connection_types() or ()):
            delete_connection("warehouse")


@functools.cache
def planned_document() -> Planned:
    """Return the plan of the seeded document, which is the same for every id."""
    return plan_document({**DOCUMENT, "id": "any"}, Facts())


@functools.cache
def kept_table(folder: Path) -> TableReference:
    """Return a table that lies in a folder, which all runs share."""
    place = DataFolder(str(folder)).run_folder("any", RUN)
    rows = [{"number": number} for number in range(5)]
    return write_shown({"number": "INTEGER"}, rows, f"{place}/load/-/rows-1.parquet")


class Seeded:
    """Keep a pipeline with all that there is of one in the store, and know the names by the parameters of routes."""

    def __init__(self, web: Web, folder: Path, pipeline: str) -> None:
        self.web, self.pipeline = web, pipeline
        self.document = {**DOCUMENT, "id": pipeline}
        store = web.store
        planned = planned_document()
        store.publish(self.document, planned.plan or {}, author="ada", source="api", uses=planned.uses)
        self.etag = store.drafts.save(pipeline, self.document, etag=None, author="ada").etag
        self.keep_run(RUN)
        table = kept_table(folder)
        (folder / "report.txt").write_text("a report")
        file = {"kind": "file", "value": {"uri": str(folder / "report.txt"), "bytes": 8, "media_type": "text/plain"}}
        nodes = [
            NodeRun(pipeline, RUN, "load", "success", outputs={"rows": table.to_json(), "file": file}),
            NodeRun(pipeline, RUN, "orders", "failed", error={"message": "no"}),
        ]
        store.node_runs.record(pipeline, RUN, nodes)
        owner = web.get("/me", "ada")["id"]
        token, _ = store.tokens.make("seeded", user_id=owner, user_name="ada", scopes=["read"])
        store.grants.give("pipeline", pipeline, "user", "bob", "reader", by="ada")
        store.grants.give("connection", "warehouse", "user", "bob", "use", by="ada")
        store.grants.give("code", "", "user", "bob", "use", by="ada")
        save_connection("warehouse", NOWHERE, replace=True)
        upload = web.ask("POST", "/uploads?name=orders.csv", "ada", content="day,amount\n2026-11-30,3\n").json()["id"]
        store.problems.set(f"{pipeline}.yaml", [Problem("text.syntax", "it ends too early", line=1)], pipeline)
        self.known: Json = {
            "pipeline": pipeline,
            "run_id": RUN,
            "node": "load",
            "number": 1,
            # None that the document has: it is switched off and on.
            "type": "join",
            "identifier": token.id,
            "subject_kind": "user",
            "subject": "bob",
            "name": "warehouse",
            "port": "file",
            "upload": upload,
            "template": "clean_file",
            "token": download.sign([pipeline, RUN, "load", "", "file"]),
        }

    def keep_run(self, run_id: str) -> None:
        """Keep a run that has failed."""
        queued, params = datetime.now(UTC), {"day": "tuesday"}
        run = StoredRun(self.pipeline, run_id, "failed", queued, version=1, params=params, actor="ada")
        self.web.store.runs.observe(run)

    def read(self) -> None:
        """Let Airflow have read the pipeline."""
        let_airflow_read(self.web.store.version(self.pipeline))

    def start(self) -> None:
        """Let Airflow have a run of the pipeline."""
        self.read()
        answer = self.web.ask("POST", f"/pipelines/{self.pipeline}/runs", "ada", json={})
        assert answer.status_code == 201, answer.text
        self.known["run_id"] = answer.json()["run_id"]

    def fail(self) -> None:
        """Let Airflow have a run of the pipeline that has failed."""
        self.start()
        set_tasks(self.pipeline, self.known["run_id"], "failed", load="success", orders="failed")
        self.keep_run(self.known["run_id"])

    def archive(self) -> None:
        """Archive the pipeline."""
        self.web.store.archive(self.pipeline, "ada", closing=False)

    def come_from_a_file(self) -> None:
        """Name another pipeline, which comes from a file."""
        self.known["pipeline"] = pipeline = f"{self.pipeline}_filed"
        path = f"{pipeline}.yaml"
        self.web.store.publish({"id": pipeline}, {"nodes": {}}, author="ada", source="file", path=path)

    def fail_an_event(self) -> None:
        """Name an event."""
        self.known["identifier"] = 1


PREPARATIONS: dict[str, Callable[[Seeded], None]] = {
    "/pause": Seeded.read,
    "/unpause": Seeded.read,
    "/runs": Seeded.read,
    "/backfill": Seeded.read,
    "/rerun": Seeded.read,
    "/runs/{run_id}": Seeded.fail,
    "/attempts": Seeded.fail,
    "/logs": Seeded.fail,
    "/cancel": Seeded.start,
    "/retry": Seeded.fail,
    "/restore": Seeded.archive,
    "/detach": Seeded.come_from_a_file,
    "/operations/events/{identifier}/retry": Seeded.fail_an_event,
}
"""What an operation needs beside what is seeded for all, by the end of its path; the longest that fits counts."""


def ask_operation(seeded: Seeded, schema: Json, name: str, cases: int, seed: int = 1) -> Counter[int]:
    """Ask one operation with its examples, with `cases` requests that fit its schema and as many that do not.

    Most of them name what is seeded. Return how often each status came; raise where a check of `CHECKS` fails.
    """
    method, _, path = name.partition(" ")
    if ends := [end for end in PREPARATIONS if path.endswith(end)]:
        PREPARATIONS[max(ends, key=len)](seeded)
    operation = schemathesis.openapi.from_dict(schema)[path][method]
    statuses: Counter[int] = Counter()

    def ask(case: Case, names_seeded: bool) -> None:
        if names_seeded:
            _name_seeded(case, seeded)
        wanted = case.as_transport_kwargs(base_url="http://testserver")
        taken = {key: wanted.get(key) for key in ("method", "url", "params", "headers", "json", "data", "files")}
        request = requests.Request(**taken).prepare()
        hypothesis.assume(len(str(request.url)) < LONGEST_ADDRESS)
        headers = {**request.headers, "Authorization": f"Bearer {seeded.web.tokens['ada']}"}
        headers.pop("X-API-Key", None)
        answer = seeded.web.client.request(
            request.method, request.url, headers=headers, content=request.body, follow_redirects=False
        )
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    modes = [(mode, operation.as_strategy(generation_mode=mode)) for mode in GenerationMode]
    known = strategies.just(True)
    examples = operation.get_strategies_from_examples() or [modes[0][1]]
    for strategy in examples:
        _each(strategies.tuples(strategy, known), ask, 1, seed)
    for _, strategy in modes:
        _each(strategies.tuples(strategy, strategies.sampled_from([True, True, True, False])), ask, cases, seed)
    return statuses


def _name_seeded(case: Case, seeded: Seeded) -> None:
    for parameter in case.path_parameters or {}:
        if parameter in seeded.known:
            case.path_parameters[parameter] = seeded.known[parameter]
    if "draft" in case.path and case.method != "GET":
        case.headers = {**(case.headers or {}), "If-Match": f'"{seeded.etag}"'}
        case.headers.pop("If-None-Match", None)


def _each(strategy: Any, ask: Callable[[Case, bool], None], cases: int, seed: int) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def work(drawn: tuple[Case, bool]) -> None:
        ask(*drawn)

    work()
