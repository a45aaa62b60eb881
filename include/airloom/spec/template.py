"""Templates: documents to begin a pipeline from. Some come with the package, others are published pipelines."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

FOLDER = Path(__file__).parent / "templates"
TAG = "template"
"""The tag that makes a published pipeline a template."""
PREFIX = "pipeline:"
"""What the id of a template begins with that is a pipeline: those of the package have none."""
OF_PIPELINES = "pipelines"
"""The category of templates that are pipelines."""


@dataclass(frozen=True)
class Template:
    """Hold a document to begin from, which has no id yet; `category` says what it is about.

    `owner` is whose it is, None where it comes with the package.
    """

    id: str
    category: str
    document: dict[str, Any]
    owner: str | None = None

    @classmethod
    def of_pipeline(cls, document: Mapping[str, Any], owner: str) -> Template:
        """Return a published pipeline as a template: without id and tag, and without saying whether it is paused."""
        kept = copy.deepcopy(dict(document))
        identifier = PREFIX + kept.pop("id")
        tags = [tag for tag in kept.pop("tags", []) if tag != TAG]
        settings = {name: value for name, value in kept.pop("settings", {}).items() if name != "enabled"}
        kept |= {name: value for name, value in (("tags", tags), ("settings", settings)) if value}
        return cls(identifier, OF_PIPELINES, kept, owner)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return str(self.document.get("name") or self.id.removeprefix(PREFIX))

    @property
    def description(self) -> str:
        """Return what it does, and what to change to make it one's own."""
        return str(self.document.get("description", ""))

    @property
    def params(self) -> dict[str, Any]:
        """Return the params of the document."""
        return dict(self.document.get("params", {}))

    def begin(self, identifier: str, name: str = "") -> dict[str, Any]:
        """Return the document of a new pipeline."""
        document = {"id": identifier, **copy.deepcopy(self.document)}
        return {**document, "name": name} if name else document


@functools.cache
def templates() -> dict[str, Template]:
    """Return the templates of the package by id, in the order of category and name."""
    found = []
    for path in FOLDER.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.append(Template(path.stem, content["category"], content["document"]))
    return {template.id: template for template in sorted(found, key=lambda one: (one.category, one.name))}


def template(identifier: str, known: Mapping[str, Template]) -> Template:
    """Return one of the templates that somebody knows; raise ConfigurationError where there is none of that id."""
    if identifier not in known:
        hint = suggestion(identifier, known) or f"there are {', '.join(known)}"
        raise ConfigurationError(f"there is no template {identifier!r}", hint=hint)
    return known[identifier]
