"""Routes that tell what a pipeline does: its columns, its SQL, a preview of a node, and who depends on it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter

from airloom.checks.check import check
from airloom.dags.publishing import plan_document, rights_missing
from airloom.plan.plan import nodes_of
from airloom.spec.problem import errors
from airloom.store.store import Store
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.checking import ExampleDocument, facts_for, refuse_unheld
from airloom.web.error import ApiError, refused
from airloom.web.models.insights import ColumnsOfDocument, Impact, NodeToPreview, Preview, Reader, SqlOfPort
from airloom.web.routes.drafts import stored_draft
from airloom.web.routes.versions import Side, document_of
from airloom.web.rule import EDITS, READER, READS
from airloom.worker.previews import run_preview

router = APIRouter(tags=["insights"])


@router.post("/pipelines/columns", dependencies=[READER])
def get_all_columns(document: ExampleDocument, person: PersonOf, store: StoreOf) -> ColumnsOfDocument:
    """Return the columns of the tables at all ports of a document, with what is wrong with it."""
    report = check(document, facts_for(store, person))
    ports = {port: [list(column) for column in columns.items()] for port, columns in report.columns.items()}
    return ColumnsOfDocument(ports=ports, problems=[problem.to_json() for problem in report.problems])


@router.get("/pipelines/{pipeline}/sql", dependencies=[READS])
def get_sql(pipeline: str, person: PersonOf, store: StoreOf, of: Side = "current") -> list[SqlOfPort]:
    """Return the SQL of the table nodes of a version, or of the draft, in the order in which they run."""
    if of == "draft":
        planned = plan_document(document_of(store, person, pipeline, of), facts_for(store, person))
        if planned.plan is None:
            raise refused(planned.problems)
        plan = planned.plan
    else:
        plan = store.version(pipeline, None if of == "current" else int(of)).plan
    return [
        SqlOfPort(step=node.get("step"), node=name, port=port["name"], sql=node.get("sql", {}).get(port["name"]))
        for name, node in nodes_of(plan).items()
        if node.get("method") == "query"
        for port in node["outputs"]
    ]


@router.post("/pipelines/{pipeline}/preview", dependencies=[EDITS])
def preview_node(pipeline: str, wanted: NodeToPreview, person: PersonOf, store: StoreOf) -> Preview:
    """Run a node of the draft and what leads to it, on some rows of each source; nodes that write are not run.

    You need the rights that publishing it asks for: those to what new and changed nodes use.
    """
    document = wanted.document
    if document is None:
        document = stored_draft(store, pipeline).document
    document = {**document, "id": pipeline}
    refuse_unheld([document, wanted.params, wanted.pins])
    planned = plan_document(document, facts_for(store, person))
    if planned.plan is None:
        return Preview(nodes={}, problems=[problem.to_json() for problem in planned.problems], held_back=[])
    if missing := errors(rights_missing(store, planned, person.actor)):
        raise ApiError(403, missing[0].message, details=[problem.to_json() for problem in missing])
    params = {name: _as_text(value) for name, value in wanted.params.items()}
    preview = run_preview(
        store, document, wanted.node, params=params, rows=wanted.rows, sample=wanted.sample, pins=wanted.pins
    )
    return Preview(**preview)


@router.get("/pipelines/{pipeline}/impact", dependencies=[READS])
def get_impact(pipeline: str, person: PersonOf, store: StoreOf) -> Impact:
    """Say which pipelines that you may read read a table or a file that this one writes, or run it as a part.

    What is named by an expression, or by a pattern of file names, only a run knows.
    """
    readable = person.readable
    readers = [one for one in _readers(store, pipeline) if readable is None or one.pipeline in readable]
    return Impact(readers=readers)


def _readers(store: Store, pipeline: str) -> Iterator[Reader]:
    own = nodes_of(store.version(pipeline).plan)
    plans: dict[str, Mapping[str, Any]] = {}
    for use in store.uses.of(pipeline):
        if use.kind not in ("table", "path") or use.name is None or own[use.node]["effect"] != "write":
            continue
        for other, node in store.uses.who(use.kind, use.name):
            if other == pipeline:
                continue
            if other not in plans:
                plans[other] = nodes_of(store.version(other).plan)
            if plans[other][node]["effect"] != "write":
                yield Reader(pipeline=other, node=node, kind=use.kind, name=use.name, writer=use.node)
    for other, node in store.uses.who("pipeline", pipeline):
        yield Reader(pipeline=other, node=node, kind="pipeline", name=pipeline, writer=None)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
