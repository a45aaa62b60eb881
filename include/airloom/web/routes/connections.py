"""Routes of Connections. A worker opens them, not this process; what is secret goes in, and never comes out."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from airloom.dags.connections import (
    ConnectionExists,
    change_connection,
    connection_types,
    delete_connection,
    describe_types,
    save_connection,
)
from airloom.spec.connection import how_to_make
from airloom.store.records import NotFound
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.error import ApiError
from airloom.web.models.connections import (
    ConnectionFields,
    ConnectionMade,
    ConnectionSummary,
    ConnectionTest,
    ConnectionToMake,
    ConnectionTried,
    ConnectionType,
)
from airloom.web.models.pipelines import Use
from airloom.web.rule import ADMINISTRATOR, READER, USES
from airloom.worker import connections

router = APIRouter(tags=["connections"])
Name = Annotated[str, Path(min_length=1, max_length=250, description="The name of a Connection")]


@router.get("/connections/types", dependencies=[READER])
def list_connection_types() -> list[ConnectionType]:
    """List the types of Connection that can be made here, each with its fields."""
    return [ConnectionType.model_validate(described) for described in describe_types()]


@router.get("/connections", dependencies=[READER])
def list_connections(person: PersonOf, store: StoreOf) -> list[ConnectionSummary]:
    """List the Connections that you may use, without what is secret in them."""
    usable = [one for one in connections.list_connections(store) if person.may_use(one.name)]
    return [ConnectionSummary.model_validate(one) for one in usable]


@router.post("/connections", dependencies=[ADMINISTRATOR], status_code=201)
def make_connection(
    wanted: ConnectionToMake,
    person: PersonOf,
    replace_if_exists: Annotated[bool, Query(description="Put it in place of one that has the name")] = False,
) -> ConnectionMade:
    """Keep a Connection in Airflow, encrypted; who may use it is granted apart.

    409 where there is one of its name, and `replace_if_exists` is not set.
    """
    try:
        saved = save_connection(wanted.name, wanted.as_airflow(), replace=replace_if_exists)
    except ConnectionExists as error:
        hint = {"hint": "set replace_if_exists"}
        raise ApiError(409, error.message, code="ALREADY_EXISTS", details=hint) from None
    audit.record(person, "make_connection", connection=saved.name, type=saved.type)
    return ConnectionMade.model_validate(saved)


@router.get("/connections/{name}", dependencies=[USES])
def get_connection(name: Name, store: StoreOf) -> ConnectionSummary:
    """Return a Connection, without what is secret in it."""
    named = [one for one in connections.list_connections(store) if one.name == name]
    if not named:
        raise _unknown(name)
    return ConnectionSummary.model_validate(next((one for one in named if one.source == "environment"), named[0]))


@router.patch("/connections/{name}", dependencies=[ADMINISTRATOR], status_code=204)
def edit_connection(name: Name, wanted: ConnectionFields, person: PersonOf) -> None:
    """Change some fields of a Connection; runs that begin later use them."""
    _require(name)
    fields = wanted.as_airflow()
    change_connection(name, fields)
    audit.record(person, "edit_connection", connection=name, fields=sorted(fields))


@router.delete("/connections/{name}", dependencies=[ADMINISTRATOR], status_code=204)
def remove_connection(name: Name, person: PersonOf) -> None:
    """Remove a Connection; runs of the pipelines that use it fail from then on."""
    _require(name)
    delete_connection(name)
    audit.record(person, "delete_connection", connection=name)


@router.post("/connections/{name}/test", dependencies=[USES])
def try_connection(name: Name, wanted: ConnectionTest, store: StoreOf) -> ConnectionTried:
    """Let a worker connect once, as a node would."""
    _require(name)
    works, message = connections.probe(store, name, wanted.timeout)
    return ConnectionTried(name=name, works=works, message=message)


@router.get("/connections/{name}/users", dependencies=[USES])
def list_users_of_connection(name: Name, person: PersonOf, store: StoreOf) -> list[Use]:
    """List the nodes that use a Connection, in the pipelines that you may read."""
    readable = person.readable
    return [
        Use(pipeline=pipeline, node=node, kind="connection", name=name)
        for pipeline, node in store.uses.who("connection", name)
        if readable is None or pipeline in readable
    ]


def _require(name: str) -> None:
    """Raise NotFound where there is no such Connection; a secrets backend alone knows what it holds."""
    known = connection_types()
    if known is not None and name not in known:
        raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no Connection {name!r}", hint=how_to_make(name))
