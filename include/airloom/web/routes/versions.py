"""Routes of versions: what was published, how two differ, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from airloom.dags import parsing
from airloom.dags.publishing import rollback
from airloom.plan.changes import plan_changes
from airloom.spec.difference import differences
from airloom.store.records import NotFound, StoredVersion
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.checking import facts_for
from airloom.web.error import ApiError, refused
from airloom.web.models.pipelines import Change, Difference, Readiness, RollbackTo, VersionDetail, VersionSummary
from airloom.web.paging import Cursor, Limit, Page, page_of, read_cursor
from airloom.web.person import Person
from airloom.web.rule import PUBLISHES, READS

router = APIRouter(tags=["versions"])
Number = Annotated[int, Path(ge=1, le=2**31, description="The number of a version")]
Side = Annotated[
    str, Query(pattern=r"^(\d{1,9}|draft|current)$", description="A number, `current` or `draft`", examples=["1"])
]


@router.get("/pipelines/{pipeline}/versions", dependencies=[READS])
def list_versions(pipeline: str, store: StoreOf, limit: Limit = 50, cursor: Cursor = None) -> Page[VersionSummary]:
    """List the versions of a pipeline, the newest first."""
    before = read_cursor(cursor, int)
    rows = store.version_page(pipeline, before=before[0] if before else None, limit=limit + 1)
    shown, following = page_of(rows, limit, lambda row: [row.number])
    return Page(items=[VersionSummary.model_validate(row) for row in shown], next_cursor=following)


@router.get("/pipelines/{pipeline}/versions/{number}", dependencies=[READS])
def get_version(
    pipeline: str,
    number: Number,
    store: StoreOf,
    plan: Annotated[bool, Query(description="With how it runs")] = False,
) -> VersionDetail:
    """Return a version with its document."""
    version = store.version(pipeline, number)
    functions = {name: file.text for name, file in store.functions(version).items()}
    detail = VersionDetail.model_validate(version).model_copy(update={"functions": functions})
    return detail if plan else detail.model_copy(update={"plan": None})


@router.get("/pipelines/{pipeline}/versions/{number}/readiness", dependencies=[READS])
def get_readiness(pipeline: str, number: Number, store: StoreOf) -> Readiness:
    """Say whether Airflow would run a version now, or a later one; it reads each a few seconds after publishing."""
    store.version(pipeline, number)
    ready = parsing.has_read(pipeline, number)
    return Readiness(ready=ready, error=None if ready else parsing.import_error(pipeline))


@router.get("/pipelines/{pipeline}/diff", dependencies=[READS])
def compare_versions(
    pipeline: str,
    person: PersonOf,
    store: StoreOf,
    before: Annotated[Side, Query(alias="from")],
    after: Annotated[Side, Query(alias="to")] = "current",
) -> Difference:
    """Say how two versions of a pipeline differ, or a version and the draft: nodes, edges and settings."""
    documents = [document_of(store, person, pipeline, side) for side in (before, after)]
    changes = [Change(**change.to_json()) for change in differences(*documents)]
    planned = None
    if "draft" not in (before, after):
        planned = plan_changes(*(_version(store, pipeline, side).plan for side in (before, after)))
    return Difference(pipeline=pipeline, before=before, after=after, changes=changes, plan=planned)


@router.post("/pipelines/{pipeline}/rollback", dependencies=[PUBLISHES], status_code=201)
def roll_back(pipeline: str, wanted: RollbackTo, person: PersonOf, store: StoreOf) -> VersionSummary:
    """Publish an earlier version again, as a new one."""
    published = rollback(store, pipeline, wanted.version, actor=person.actor, facts=facts_for(store, person))
    if published.version is None:
        raise refused(published.problems)
    audit.record(person, "rollback", pipeline=pipeline, to=wanted.version, version=published.version.number)
    return VersionSummary.model_validate(published.version)


def _version(store: Store, pipeline: str, side: str) -> StoredVersion:
    return store.version(pipeline, None if side == "current" else int(side))


def document_of(store: Store, person: Person, pipeline: str, side: str) -> dict[str, object]:
    """Return the document of a version by its number, the current one, or the draft, for which a right is needed."""
    if side != "draft":
        return _version(store, pipeline, side).document
    if not person.may("edit", pipeline):
        raise ApiError(403, f"you may not see the draft of {pipeline!r}")
    draft = store.drafts.get(pipeline)
    if draft is None:
        raise NotFound(f"pipeline {pipeline!r} has no draft")
    return {"id": pipeline, **draft.document}
