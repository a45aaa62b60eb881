"""Checking documents for the API, whose process opens no Connection."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Body

from airloom.checks.facts import Facts
from airloom.dags.publishing import gather_facts, plan_document
from airloom.engine.storage import Files
from airloom.spec.configuration import configuration
from airloom.spec.problem import errors
from airloom.spec.text import faults
from airloom.store.store import Store
from airloom.web.error import refused
from airloom.web.models.pipelines import EXAMPLE, Problems
from airloom.web.person import Person
from airloom.worker.descriptions import worker_describer

ExampleDocument = Annotated[dict[str, Any], Body(description="A document, finished or not", examples=[EXAMPLE])]


def refuse_unheld(document: Any) -> None:
    """Raise ApiError for what no draft can hold: texts that are not Unicode, numbers that JSON lacks, endless depth."""
    if unheld := list(faults(document)):
        raise refused(unheld)


def facts_for(store: Store, person: Person) -> Facts:
    """Return what a check needs to know; a worker tells the columns behind Connections that the person may use.

    Of uploads there are the person's own, and those of the pipelines that the person may read.
    """
    granted = person.actor.connections
    facts = gather_facts(store, worker_describer(store, lambda name: granted is None or name in granted))
    if person.uploads is None:
        return facts
    # What others named in a pipeline that one may read stays, whoever changes the nodes beside it.
    readable = person.uploads | store.uses.names("upload", person.readable)
    return replace(facts, files=Files.of(configuration(), readable=readable))


def problems_of(store: Store, person: Person, document: Any) -> Problems:
    """Return what is wrong with a document."""
    planned = plan_document(document, facts_for(store, person))
    return Problems(correct=not errors(planned.problems), problems=[problem.to_json() for problem in planned.problems])
