"""Templates: documents to begin a pipeline from, which come with the package."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Template:
    """Hold a document to begin from, which has no id yet; `category` says what it is about."""

    id: str
    category: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Return what people call it."""
        return str(self.document["name"])

    @property
    def description(self) -> str:
        """Return what it does, and what to change to make it one's own."""
        return str(self.document["description"])

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
    """Return the templates by id, in the order of category and name."""
    found = []
    for path in FOLDER.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.append(Template(path.stem, content["category"], content["document"]))
    return {template.id: template for template in sorted(found, key=lambda one: (one.category, one.name))}


def template(identifier: str) -> Template:
    """Return a template; raise ConfigurationError where there is none of that id."""
    known = templates()
    if identifier not in known:
        hint = suggestion(identifier, known) or f"there are {', '.join(known)}"
        raise ConfigurationError(f"there is no template {identifier!r}", field="template", hint=hint)
    return known[identifier]
