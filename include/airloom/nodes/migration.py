"""From one version of a node type to the next: what an upgrade makes of a config."""

from __future__ import annotations

import copy
from typing import Any

from airloom.nodes.catalog import UnknownNodeType, catalog


def newest_version(node_type: str) -> int | None:
    """Return the newest version of a node type, or None where there is no such type here."""
    try:
        return catalog().get(node_type).declaration.version
    except UnknownNodeType:
        return None


def migrated_config(node_type: str, config: dict[str, Any], since: int) -> dict[str, Any]:
    """Return a config of version `since` as the newest version takes it, by way of every version in between.

    Raises UnknownNodeType where the type, or a version on the way, is not there.
    """
    found = copy.deepcopy(config)
    for version in range(since + 1, catalog().get(node_type).declaration.version + 1):
        found = catalog().get(node_type, version).migrate(found)
    return found
