"""The columns of nodes that read through Connections: each is asked in a process that can be killed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from airloom.checks.columns import NoAnswer, described
from airloom.checks.config import ConfigCheck
from airloom.checks.facts import Describe, Description, Facts, Question
from airloom.engine.child import QueryTimeout, run_in_child, safe_start
from airloom.engine.storage import Files
from airloom.nodes.catalog import catalog
from airloom.nodes.context import PlainContext, RunFacts
from airloom.runtime.redactor import Redactor
from airloom.spec.configuration import configuration
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.reader import read_document
from airloom.spec.scope import visits

ANSWER_SECONDS = 5.0
"""How long another system may take for the columns of one node."""


def describer(connection: Callable[[str], Any]) -> Describe:
    """Return what answers questions by the Connections that `connection` gives by name.

    A Connection that does not answer is asked once, whatever number of nodes read through it. One that is not there
    leaves the columns unknown: the check of the config says so.
    """
    return partial(_answers, connection)


def _answers(connection: Callable[[str], Any], questions: Sequence[Question]) -> dict[str, Description]:
    descriptions: dict[str, Description] = {}
    silent: set[str] = set()
    for question in questions:
        if known := silent.intersection(question.connections):
            descriptions[question.node] = Description(error=_no_answer(sorted(known)))
            continue
        try:
            connections = {name: connection(name) for name in question.connections}
        except ConfigurationError:
            continue
        try:
            descriptions[question.node] = _asked(question, connections)
        except QueryTimeout:
            silent.update(question.connections)
            descriptions[question.node] = Description(error=_no_answer(question.connections))
        except AirloomError as error:
            descriptions[question.node] = Description(error=error)
    return descriptions


def _asked(question: Question, connections: Mapping[str, Any]) -> Description:
    libraries = catalog().get(question.type, question.version).libraries
    return run_in_child(
        _describe,
        question,
        connections,
        timeout=ANSWER_SECONDS,
        start=safe_start(),
        prepare=[partial(import_module, name) for name in libraries],
    )


def _no_answer(connections: Sequence[str]) -> NoAnswer:
    names = ", ".join(repr(name) for name in connections)
    return NoAnswer(
        f"the Connection {names} does not answer within {ANSWER_SECONDS:g} s",
        hint="the columns are not checked; is its server up, are host and port right, does a firewall stand between?",
    )


# From here on: in the process of one question


def _describe(question: Question, connections: Mapping[str, Any]) -> Description:
    redactor = Redactor()
    for connection in connections.values():
        redactor.learn(connection)
    context = PlainContext(
        RunFacts("check", "check"),
        {},
        Files.of(configuration()),
        connections.__getitem__,
        logging.getLogger("airloom.check"),
    )
    with redactor.watching():
        description = described(_node_of(question), context)
    if description.error is not None:
        description.error.message = redactor.text(description.error.message)
        description.error.hint = description.error.hint and redactor.text(description.error.hint)
    return description


def _node_of(question: Question) -> Any:
    entry: dict[str, Any] = {"id": question.node, "type": question.type, "config": question.config}
    if question.version is not None:
        entry["version"] = question.version
    document, _ = read_document({"id": "described", "params": question.params, "nodes": [entry], "edges": []})
    if document is not None:
        checker = ConfigCheck(document, Facts())
        for visit in visits(document):
            checked = checker.check(visit.entry, visit.at, visit.scope)
            if checked is not None and checked.node is not None:
                return checked.node
    raise ConfigurationError("the node is not the same where its Connection is asked")
