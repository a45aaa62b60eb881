"""Routes of pipelines: lists, making, copying, archiving, pausing, export and import."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from airloom.dags import parsing
from airloom.dags.publishing import archive, pinned, plan_document, publish, publish_planned, unarchive
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.problem import errors
from airloom.spec.template import template
from airloom.spec.text import read_text, write_text
from airloom.store.records import NotFound, StoredPipeline
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.checking import ExampleDocument, facts_for, problems_of, refuse_unheld
from airloom.web.error import ApiError, refused
from airloom.web.models.pipelines import (
    EXAMPLE,
    Archived,
    Batch,
    BrokenFile,
    Done,
    Imported,
    ListedPipeline,
    PipelineDetail,
    PipelineSummary,
    PipelineToCopy,
    PipelineToMake,
    Problems,
    RecentRun,
    Usage,
    Use,
)
from airloom.web.models.runs import RunSummary
from airloom.web.paging import Cursor, Limit, Page, page_of, read_cursor
from airloom.web.person import EVERY_ACT, Person
from airloom.web.rule import CREATOR, PUBLISHES, READER, READS, RUNS, OnPipeline

router = APIRouter(tags=["pipelines"])
Format = Literal["json", "yaml"]
MEDIA_TYPES = {"json": "application/json", "yaml": "application/yaml"}
DOCUMENT_AS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_TYPES["json"]: {"schema": {"type": "object"}, "example": EXAMPLE},
            MEDIA_TYPES["yaml"]: {"schema": {"type": "string"}, "example": write_text(EXAMPLE, "yaml")},
        },
    }
}
"""A body that is read as it is, for it may be YAML."""


@router.get("/pipelines", dependencies=[READER])
def list_pipelines(
    person: PersonOf,
    store: StoreOf,
    search: Annotated[str | None, Query(max_length=200, description="Text in id or name")] = None,
    tag: Annotated[str | None, Query(max_length=200, description="A tag that it has")] = None,
    archived: Annotated[bool, Query(description="List those that are archived")] = False,
    paused: Annotated[bool | None, Query(description="List those that are paused, or that are not")] = None,
    runs: Annotated[int, Query(ge=0, le=50, description="How many of the newest runs to return with each")] = 0,
    details: Annotated[bool, Query(description="With schedule and newest run of each")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ListedPipeline]:
    """List the pipelines that you may read, by id."""
    after = read_cursor(cursor, str)
    rows = store.pipeline_page(
        ids=person.readable,
        search=search,
        tag=tag,
        archived=archived,
        paused=paused,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    shown, following = page_of(rows, limit, lambda row: [row.id])
    items = [ListedPipeline.model_validate(row) for row in shown]
    identifiers = [row.id for row in shown]
    broken = store.problems.count([row.path for row in shown if row.path is not None])
    for item in items:
        item.problems = broken.get(item.path or "", 0)
    if runs:
        recent = store.runs.recent(identifiers, runs)
        for item in items:
            item.recent_runs = [RecentRun.model_validate(run) for run in recent.get(item.id, [])]
    if details:
        schedules, newest = store.schedules(identifiers), store.runs.newest(identifiers)
        for item in items:
            item.schedule = schedules.get(item.id)
            item.last_run = RunSummary.model_validate(newest[item.id]) if item.id in newest else None
    return Page(items=items, next_cursor=following)


@router.get("/problems", dependencies=[CREATOR])
def list_broken_files(person: PersonOf, store: StoreOf, limit: Limit = 50, cursor: Cursor = None) -> Page[BrokenFile]:
    """List the files of the drop folder that cannot be published, by path.

    That is those of pipelines that you may read, and those that are of no pipeline yet.
    """
    after = read_cursor(cursor, str)
    rows = store.problems.page(ids=person.readable, after=after[0] if after else None, limit=limit + 1)
    shown, following = page_of(rows, limit, lambda row: [row.path])
    return Page(items=[BrokenFile.model_validate(row) for row in shown], next_cursor=following)


@router.post("/pipelines", dependencies=[CREATOR], status_code=201)
def make_pipeline(wanted: PipelineToMake, person: PersonOf, store: StoreOf, response: Response) -> PipelineDetail:
    """Make a pipeline, of which nothing is published yet; you are its publisher."""
    document, name = wanted.document, wanted.name
    if wanted.template is not None:
        if document is not None:
            raise ApiError(422, "a document or a template, not both", details=[{"field": "body/template"}])
        begun = template(wanted.template, store.templates.all(person.readable))
        document = begun.begin(wanted.id, name)
        name = document.get("name", "")
    return _make(store, person, wanted.id, name, document, response)


@router.post("/pipelines/check", dependencies=[READER])
def check_document(document: ExampleDocument, person: PersonOf, store: StoreOf) -> Problems:
    """Return what is wrong with a document; nothing is kept."""
    return problems_of(store, person, document)


@router.post("/pipelines/import", dependencies=[CREATOR], openapi_extra=DOCUMENT_AS_BODY)
async def import_pipeline(
    request: Request,
    person: PersonOf,
    store: StoreOf,
    dry_run: Annotated[bool, Query(description="Only say what would be done")] = False,
    replace_if_exists: Annotated[bool, Query(description="Publish a new version where there is the pipeline")] = False,
    message: Annotated[str, Query(max_length=10_000)] = "imported",
) -> Imported:
    """Publish the document of the body, as JSON or YAML.

    409 where there is a pipeline of its id, and `replace_if_exists` is not set.
    """
    from fastapi.concurrency import run_in_threadpool

    text = (await request.body()).decode("utf-8", "replace")
    is_json = "json" in request.headers.get("content-type", "json")
    data, problems = read_text(text, "document.json" if is_json else "document.yaml")
    if errors(problems):
        raise refused(problems)
    return await run_in_threadpool(_import, store, person, data, dry_run, replace_if_exists, message)


@router.post("/pipelines/batch", dependencies=[READER])
def do_with_several(wanted: Batch, person: PersonOf, store: StoreOf) -> list[Done]:
    """Pause, unpause, archive, restore or tag several pipelines, and say of each what became of it.

    A tag stands in the document, so tagging publishes a new version.
    """
    if (wanted.tag is None) == (wanted.action in ("tag", "untag")):
        raise ApiError(422, "a tag is for tag and untag, and needed there", details=[{"field": "body/tag"}])
    answers = []
    for pipeline in dict.fromkeys(wanted.pipelines):
        try:
            _do(store, person, pipeline, wanted)
            answers.append(Done(pipeline=pipeline, done=True))
        except (ApiError, AirloomError) as error:
            answers.append(Done(pipeline=pipeline, done=False, error=error.message))
    return answers


@router.get("/pipelines/{pipeline}", dependencies=[READS])
def get_pipeline(pipeline: str, person: PersonOf, store: StoreOf) -> PipelineDetail:
    """Return a pipeline with the document of its current version."""
    return _detail(store, person, store.pipeline(pipeline))


@router.post("/pipelines/{pipeline}/copy", dependencies=[READS, CREATOR], status_code=201)
def copy_pipeline(
    pipeline: str, wanted: PipelineToCopy, person: PersonOf, store: StoreOf, response: Response
) -> PipelineDetail:
    """Make a pipeline whose first draft is the current document of this one."""
    document = {**store.version(pipeline).document, "id": wanted.id}
    if wanted.name:
        document["name"] = wanted.name
    return _make(store, person, wanted.id, wanted.name, document, response)


@router.post("/pipelines/{pipeline}/archive", dependencies=[PUBLISHES])
def archive_pipeline(
    pipeline: str,
    person: PersonOf,
    store: StoreOf,
    force: Annotated[bool, Query(description="Let active runs stop where they are")] = False,
) -> Archived:
    """Take a pipeline out of Airflow; its versions and runs stay."""
    active = archive(store, pipeline, author=person.name, force=force)
    audit.record(person, "archive", pipeline=pipeline, force=force)
    return Archived(ending_runs=[] if force else active, stopped_runs=active if force else [])


@router.post("/pipelines/{pipeline}/restore", dependencies=[PUBLISHES])
def restore_pipeline(pipeline: str, person: PersonOf, store: StoreOf) -> PipelineSummary:
    """Put an archived pipeline back, in the version that it had."""
    unarchive(store, pipeline, author=person.name)
    audit.record(person, "restore", pipeline=pipeline)
    return PipelineSummary.model_validate(store.pipeline(pipeline))


@router.post("/pipelines/{pipeline}/pause", dependencies=[RUNS], status_code=204)
def pause_pipeline(pipeline: str, person: PersonOf, store: StoreOf) -> None:
    """Let Airflow start no run of a pipeline, nor begin one that waits."""
    _set_paused(store, person, pipeline, True)


@router.post("/pipelines/{pipeline}/unpause", dependencies=[RUNS], status_code=204)
def unpause_pipeline(pipeline: str, person: PersonOf, store: StoreOf) -> None:
    """Let Airflow start runs of a pipeline again."""
    _set_paused(store, person, pipeline, False)


@router.get("/pipelines/{pipeline}/export", dependencies=[READS], response_class=Response)
def export_pipeline(
    pipeline: str,
    store: StoreOf,
    version: Annotated[int | None, Query(ge=1, description="Of this version; the current one otherwise")] = None,
    form: Annotated[Format, Query(alias="format")] = "json",
) -> Response:
    """Return the document of a pipeline as it can be imported elsewhere."""
    text = write_text(store.version(pipeline, version).document, form)
    disposition = {"Content-Disposition": f'attachment; filename="{pipeline}.{form}"'}
    return Response(text, media_type=MEDIA_TYPES[form], headers=disposition)


@router.get("/pipelines/{pipeline}/usage", dependencies=[READS])
def get_usage(pipeline: str, person: PersonOf, store: StoreOf) -> Usage:
    """Say what a pipeline uses, and which of the pipelines that you may read use it."""
    readable = person.readable
    users = store.uses.who("pipeline", pipeline)
    return Usage(
        uses=[Use(node=use.node, kind=use.kind, name=use.name) for use in store.uses.of(pipeline)],
        used_by=[
            Use(pipeline=name, node=node, kind="pipeline", name=pipeline)
            for name, node in users
            if readable is None or name in readable
        ],
    )


@router.post("/pipelines/{pipeline}/detach", dependencies=[PUBLISHES])
def detach_pipeline(pipeline: str, person: PersonOf, store: StoreOf) -> PipelineSummary:
    """Let a pipeline that comes from a file be changed here from now on; the file is left alone."""
    path = store.pipeline(pipeline).path
    if path is None:
        raise ConfigurationError(f"pipeline {pipeline!r} comes from no file")
    detached = store.detach(path, person.name)
    audit.record(person, "detach", pipeline=pipeline, path=path)
    return PipelineSummary.model_validate(detached)


def _do(store: Store, person: Person, pipeline: str, wanted: Batch) -> None:
    """Do with one pipeline what its own route does; raise ApiError or AirloomError where it is not done."""
    OnPipeline("run" if wanted.action in ("pause", "unpause") else "publish").require(person, pipeline)
    if wanted.action in ("pause", "unpause"):
        _set_paused(store, person, pipeline, wanted.action == "pause")
    elif wanted.action == "archive":
        archive_pipeline(pipeline, person, store)
    elif wanted.action == "restore":
        restore_pipeline(pipeline, person, store)
    else:
        _tag(store, person, pipeline, str(wanted.tag), wanted.action == "tag")


def _tag(store: Store, person: Person, pipeline: str, tag: str, wanted: bool) -> None:
    current = store.version(pipeline)
    tags = [other for other in current.document.get("tags", []) if other != tag]
    document = {**pinned(current), "tags": [*tags, tag] if wanted else tags}
    message = f"{'tagged' if wanted else 'no longer tagged'} {tag}"
    facts = facts_for(store, person)
    published = publish(store, document, actor=person.actor, message=message, base_version=current.number, facts=facts)
    if published.version is None:
        raise refused(published.problems)
    audit.record(person, "publish", pipeline=pipeline, version=published.version.number)


def _make(
    store: Store, person: Person, identifier: str, name: str, document: dict[str, Any] | None, response: Response
) -> PipelineDetail:
    refuse_unheld(document)
    if parsing.foreign_dag(identifier) is not None:
        raise ApiError(409, f"Airflow has a DAG {identifier!r} already; choose another id", code="ALREADY_EXISTS")
    try:
        stored = store.create(identifier, by=person.name, name=name)
    except ConfigurationError as error:
        raise ApiError(409, error.message, code="ALREADY_EXISTS", details={"hint": error.hint}) from None
    if document is not None:
        store.drafts.save(identifier, document, etag=None, author=person.name)
    audit.record(person, "make", pipeline=identifier)
    response.headers["Location"] = f"pipelines/{identifier}"
    fresh = Person(person.identity, store)  # what one has made is granted since
    return _detail(store, fresh, stored)


def _detail(store: Store, person: Person, stored: StoredPipeline) -> PipelineDetail:
    try:
        document = store.version(stored.id).document
    except NotFound:
        document = None
    summary = PipelineSummary.model_validate(stored)
    draft = store.drafts.get(stored.id) if person.may("edit", stored.id) else None
    return PipelineDetail(
        **summary.model_dump(),
        document=document,
        draft_etag=draft.etag if draft else None,
        may=[act for act in EVERY_ACT if person.may(act, stored.id)],
    )


def _set_paused(store: Store, person: Person, pipeline: str, paused: bool) -> None:
    store.version(pipeline)
    parsing.set_paused(pipeline, paused)
    audit.record(person, "pause" if paused else "unpause", pipeline=pipeline)


def _import(store: Store, person: Person, data: Any, dry_run: bool, replace_if_exists: bool, message: str) -> Imported:
    planned = plan_document(data, facts_for(store, person))
    if planned.plan is None:
        raise refused(planned.problems)
    identifier = planned.document["id"]
    try:
        current = store.pipeline(identifier)
    except NotFound:
        current = None
    if current is not None and not person.may("read", identifier):
        raise ApiError(409, f"the id {identifier!r} is taken; choose another", code="ALREADY_EXISTS")
    if current is not None and not replace_if_exists:
        message = f"there is a pipeline {identifier!r}"
        raise ApiError(409, message, code="ALREADY_EXISTS", details={"hint": "set replace_if_exists"})
    if current is not None and not person.may("publish", identifier):
        raise ApiError(403, f"you may not publish the pipeline {identifier!r}")
    # Whoever makes the pipeline, or publishes it, in between is not written over.
    base = 0 if current is None else current.version
    published = publish_planned(store, planned, actor=person.actor, message=message, base_version=base, dry_run=dry_run)
    if errors(published.problems):
        raise refused(published.problems)
    if published.version is not None:
        audit.record(person, "import", pipeline=identifier, version=published.version.number)
    return Imported(
        pipeline=identifier,
        created=current is None,
        version=published.version.number if published.version else None,
        problems=[problem.to_json() for problem in planned.problems],
    )
