"""Routes of templates: documents to begin a pipeline from."""

from fastapi import APIRouter

from airloom.spec.template import templates
from airloom.store.records import NotFound
from airloom.web.models.templates import TemplateDetail, TemplateSummary
from airloom.web.rule import READER

router = APIRouter(tags=["templates"])


@router.get("/templates", dependencies=[READER])
def list_templates() -> list[TemplateSummary]:
    """List the templates, by category and name."""
    return [TemplateSummary.model_validate(found) for found in templates().values()]


@router.get("/templates/{template}", dependencies=[READER])
def get_template(template: str) -> TemplateDetail:
    """Return a template with its document; `POST /pipelines` begins a pipeline from it."""
    found = templates().get(template)
    if found is None:
        raise NotFound(f"there is no template {template!r}", hint=f"there are {', '.join(templates())}")
    return TemplateDetail.model_validate(found)
