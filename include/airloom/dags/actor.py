"""Who acts on pipelines, and what that person may put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airloom.checks.uses import Use
from airloom.spec.problem import Problem
from airloom.spec.scope import visits

CODE_HINT = "ask somebody with the right to code to publish it, or do it with nodes that need no code"
UPLOAD_HINT = "upload the file yourself"
PIPELINE_HINT = "ask whoever publishes it to share it with you"
CONNECTION_HINT = "ask an administrator to grant you its use"


@dataclass(frozen=True)
class Actor:
    """Say who acts and what that person may put into a pipeline.

    `code` allows nodes that run code or another system's SQL. `connections` are those whose use is granted, None for
    every one; so are `uploads`, the ids of those that are the actor's. `runs` tells whether the actor may run a
    pipeline, None where that is every one.
    """

    name: str
    code: bool = False
    connections: frozenset[str] | None = frozenset()
    uploads: frozenset[str] | None = frozenset()
    runs: Callable[[str], bool] | None = lambda pipeline: False


def administrator(name: str) -> Actor:
    """Return an actor who may do everything: whoever has the store's address, and Airloom itself."""
    return Actor(name, code=True, connections=None, uploads=None, runs=None)


def missing_rights(
    actor: Actor, document: Mapping[str, Any], uses: Iterable[Use], before: Mapping[str, Any] | None
) -> list[Problem]:
    """Return a problem for each thing that a new version of a document uses and the actor may not.

    Only the nodes are asked about that `before`, the document of the current version, has not in the same form: what
    somebody with the right has published stays, whoever changes the nodes beside it.
    """
    known = {} if before is None else {visit.entry["id"]: _works(visit.entry) for visit in visits(before)}
    changed = {
        visit.entry["id"]: visit.at for visit in visits(document) if known.get(visit.entry["id"]) != _works(visit.entry)
    }
    return [
        Problem(code, message, node=use.node, pointer=f"{changed[use.node]}/config{use.at}", hint=hint)
        for use in uses
        if use.node in changed
        for code, message, hint in _missing(actor, use)
    ]


def missing_right_after_failure(
    actor: Actor, document: Mapping[str, Any], before: Mapping[str, Any] | None
) -> list[Problem]:
    """Return a problem where a new version names a pipeline to run after a failure that the actor may not run."""
    named, known = ((side or {}).get("settings", {}).get("on_failure") for side in (document, before))
    if named is None or named == known or actor.runs is None or actor.runs(named):
        return []
    message = f"{actor.name} may not run the pipeline {named!r}"
    return [Problem("right.pipeline", message, pointer="/settings/on_failure", hint=PIPELINE_HINT)]


def _missing(actor: Actor, use: Use) -> Iterable[tuple[str, str, str]]:
    if use.kind == "code" and not actor.code:
        yield "right.code", f"{actor.name} has no right to publish code ({use.name})", CODE_HINT
    if use.kind == "upload" and actor.uploads is not None and use.name not in actor.uploads:
        yield "right.upload", f"{actor.name} has no upload {use.name!r}", UPLOAD_HINT
    if use.kind == "pipeline" and actor.runs is not None and (use.name is None or not actor.runs(use.name)):
        yield "right.pipeline", f"{actor.name} may not run the pipeline {use.name!r}", PIPELINE_HINT
    if use.kind == "connection" and actor.connections is not None and use.name not in actor.connections:
        if use.name is None:
            message = f"{actor.name} may use some Connections only, and which one this is only a run knows"
            yield "right.connection", message, "write the id of the Connection"
        else:
            yield "right.connection", f"{actor.name} may not use the Connection {use.name!r}", CONNECTION_HINT


def _works(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("type"), entry.get("version"), entry.get("config") or {}
