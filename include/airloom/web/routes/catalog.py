"""Routes of the catalog: which node types there are, and what one takes and gives."""

import inspect
from typing import Any

from fastapi import APIRouter

from airloom.checks.ports import columns_at
from airloom.nodes.catalog import UnknownNodeType, catalog
from airloom.nodes.describing import describe_node
from airloom.nodes.schema import document_schema
from airloom.nodes.sdk import Node, ports_of
from airloom.spec.configuration import configuration
from airloom.store.store import Store
from airloom.web import audit
from airloom.web.authentication import PersonOf, StoreOf
from airloom.web.checking import facts_for
from airloom.web.error import ApiError
from airloom.web.models.catalog import (
    Catalog,
    ColumnsOfPort,
    ConfigToTry,
    NodeTypeDetail,
    NodeTypeSummary,
    PortOfConfig,
    PortsOfConfig,
    PortToAsk,
)
from airloom.web.models.pipelines import Use
from airloom.web.rule import ADMINISTRATOR, READER

router = APIRouter(tags=["catalog"])


@router.get("/catalog", dependencies=[READER])
def get_catalog(store: StoreOf) -> Catalog:
    """List the node types, and what is wrong with files of your own ones."""
    types = [NodeTypeSummary.model_validate(declaration) for declaration in catalog().declarations()]
    categories = list(dict.fromkeys(entry.category for entry in types))
    problems = [problem.to_json() for problem in catalog().problems]
    return Catalog(categories=categories, types=types, problems=problems, disabled=_switched_off(store))


@router.get("/catalog/schema", dependencies=[READER])
def get_document_schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole document, for editors."""
    return document_schema(catalog().all())


@router.get("/catalog/types/{type}", dependencies=[READER])
def get_node_type(type: str, store: StoreOf) -> NodeTypeDetail:
    """Return a node type: the JSON Schema of its config, its ports, documentation and examples."""
    node_class = _node_class(type)
    documentation = inspect.cleandoc(node_class.__doc__ or "")
    switched_off = type in store.switches.off()
    return NodeTypeDetail(**describe_node(node_class), documentation=documentation, switched_off=switched_off)


@router.post("/catalog/types/{type}/disable", dependencies=[ADMINISTRATOR], status_code=204)
def switch_type_off(type: str, person: PersonOf, store: StoreOf) -> None:
    """Let no new version use a node type; versions that were published with it go on running."""
    _node_class(type)
    store.switches.switch_off(type, by=person.name)
    audit.record(person, "disable_type", type=type)


@router.post("/catalog/types/{type}/enable", dependencies=[ADMINISTRATOR], status_code=204)
def switch_type_on(type: str, person: PersonOf, store: StoreOf) -> None:
    """Let new versions use a node type again; `AIRLOOM_DISABLED_NODES` is not changed by it."""
    store.switches.switch_on(type)
    audit.record(person, "enable_type", type=type)


@router.post("/catalog/types/{type}/ports", dependencies=[READER])
def get_ports(type: str, wanted: ConfigToTry) -> PortsOfConfig:
    """Return the ports that a node of a type has with a config, which may be unfinished."""
    ports = ports_of(_node_class(type, wanted.version), wanted.config)
    return PortsOfConfig(
        inputs=[PortOfConfig.model_validate(port) for port in ports.inputs],
        outputs=[PortOfConfig.model_validate(port) for port in ports.outputs],
    )


@router.get("/catalog/types/{type}/users", dependencies=[READER])
def list_users_of_type(type: str, person: PersonOf, store: StoreOf) -> list[Use]:
    """List the nodes of a type in the pipelines that you may read."""
    readable = person.readable
    return [
        Use(pipeline=pipeline, node=node, kind="type", name=type)
        for pipeline, node in store.uses.who("type", type)
        if readable is None or pipeline in readable
    ]


@router.post("/catalog/columns", dependencies=[READER])
def get_columns(wanted: PortToAsk, person: PersonOf, store: StoreOf) -> ColumnsOfPort:
    """Return the columns of the table at a port of a document, which may be unfinished."""
    columns = columns_at(wanted.document, wanted.node, wanted.port, facts_for(store, person), side=wanted.side)
    return ColumnsOfPort(columns=None if columns is None else [list(column) for column in columns.items()])


def _switched_off(store: Store) -> list[str]:
    return sorted({*configuration().disabled_nodes, *store.switches.off()})


def _node_class(name: str, version: int | None = None) -> type[Node]:
    try:
        return catalog().get(name, version)
    except UnknownNodeType as error:
        raise ApiError(404, error.message, details={"hint": error.hint}) from None
