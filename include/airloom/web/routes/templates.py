"""Routes of templates: documents to begin a pipeline from."""

from fastapi import APIRouter

from airloom.spec.error import ConfigurationError
from airloom.spec.template import template as find
from airloom.store.records import NotFound
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.models.templates import TemplateDetail, TemplateSummary
from airloom.web.rule import READER

router = APIRouter(tags=["templates"])


@router.get("/templates", dependencies=[READER])
def list_templates(person: PersonOf, store: StoreOf) -> list[TemplateSummary]:
    """List the templates: those of the package by category and name, then pipelines with the tag `template` by id.

    Of these there are the published ones that you may read.
    """
    return [TemplateSummary.model_validate(template) for template in store.templates.all(person.readable).values()]


@router.get("/templates/{template}", dependencies=[READER])
def get_template(template: str, person: PersonOf, store: StoreOf) -> TemplateDetail:
    """Return a template with its document; `POST /pipelines` begins a pipeline from it."""
    try:
        chosen = find(template, store.templates.all(person.readable))
    except ConfigurationError as error:
        raise NotFound(error.message, hint=error.hint) from None
    return TemplateDetail.model_validate(chosen)
