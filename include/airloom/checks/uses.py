"""What a pipeline uses of the world around it: node types, Connections, files, tables, other pipelines."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.nodes.fields import marks_of
from airloom.spec.expression import has_expression
from airloom.spec.upload import is_upload, uploads_named

if TYPE_CHECKING:
    from airloom.checks.resolved import Resolved, ResolvedNode

CONFIG_KINDS = ("connection", "path", "pipeline")
"""The kinds that a field of a node's config is marked with; the others are `type`, `table`, `upload` and `code`."""


@dataclass(frozen=True)
class Use:
    """Say that a node uses something; `name` is None where only the run knows it.

    `kind` is `type` (of the node), `connection`, `table` (`<connection>/<table>`, as written), `path` (as written, but
    without `./` and `..` where it is not a URL), `pipeline`, `upload` (its id), or `code` (its language) that an author
    wrote for a box or for another system. `at` is the JSON Pointer of the field below the node's config.
    """

    node: str
    kind: str
    name: str | None
    at: str = field(default="", compare=False)


def uses_of(resolved: Resolved) -> list[Use]:
    """Return what the nodes of a document use, each once: by node in the order of the document, by place in its config.

    What the config leaves to the default of its field counts too.
    """
    return list(dict.fromkeys(use for name, node in resolved.every_node.items() for use in _uses(name, node)))


def _uses(name: str, node: ResolvedNode) -> Iterator[Use]:
    schema = node.node_class.config_schema()
    defaults = {key: field["default"] for key, field in schema.get("properties", {}).items() if "default" in field}
    config = {**defaults, **node.entry.config}
    yield Use(name, "type", node.entry.type)
    for at, mark, text in marks_of(schema, config):
        kind = mark["is"]
        if language := _language(mark):
            yield Use(name, "code", language, at)
        if kind not in CONFIG_KINDS or (kind == "path" and is_upload(text)):
            continue
        yield Use(name, kind, _known(_plain_path(text) if kind == "path" else text), at)
        if kind == "connection":
            table = _object_at(config, at.rpartition("/")[0]).get("table")
            if isinstance(table, str):
                yield Use(name, "table", _known(f"{text}/{table}"))
    # In whatever text: an expression of another node may hand it on to one that reads.
    yield from (Use(name, "upload", identifier, at) for at, identifier in uploads_named(config))


def _language(mark: Mapping[str, Any]) -> str | None:
    """Return the language of a field that holds code; SQL over a node's own inputs reaches nothing else and is none."""
    if mark["is"] in ("raw", "function"):
        return mark.get("language")
    return "sql" if mark["is"] == "sql" and mark.get("form") == "foreign" else None


def _known(text: str) -> str | None:
    return None if has_expression(text) else text


def _plain_path(path: str) -> str:
    return path if "://" in path else posixpath.normpath(path)


def _object_at(config: Any, at: str) -> dict[str, Any]:
    for part in at.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        config = config[int(key)] if isinstance(config, list) else config[key]
    return config if isinstance(config, dict) else {}
