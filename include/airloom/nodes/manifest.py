"""The manifest of the package's own node types: lists and look-ups read it, and import no node module.

`python -m airloom.nodes.manifest` writes it anew from the classes; one line for each class.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path

from airloom.nodes.homes import WITHOUT_PORTS, Home, homes_in_module
from airloom.nodes.sdk import Declaration, Preset
from airloom.spec.error import SystemFault

FOLDER = Path(__file__).parent
PATH = FOLDER / "manifest.json"
COMMAND = "python -m airloom.nodes.manifest"


@functools.cache
def manifest() -> tuple[Home, ...]:
    """Return the homes of the package's node types, by type and version, as the manifest has them."""
    rows = json.loads(PATH.read_text(encoding="utf-8"))
    try:
        return tuple(_home(**row) for row in rows)
    except TypeError as error:
        raise SystemFault(f"the manifest of the node types is old: {error}", hint=f"run {COMMAND}") from error


def _home(module: str, name: str, presets: list[dict[str, object]], **declared: object) -> Home:
    made = tuple(Preset(**preset) for preset in presets)  # type: ignore[arg-type]
    return Home(module, name, Declaration(**declared, presets=made, **WITHOUT_PORTS))  # type: ignore[arg-type]


def text() -> str:
    """Return the manifest as it is to be; this imports every node module of the package."""
    homes = (home for module in _modules() for home in homes_in_module(module))
    ordered = sorted(homes, key=lambda home: (home.declaration.type, home.declaration.version))
    lines = ",\n".join(json.dumps(_row(home), ensure_ascii=False) for home in ordered)
    return f"[\n{lines}\n]\n"


def _row(home: Home) -> dict[str, object]:
    declared = dataclasses.asdict(home.declaration)
    row = {"type": declared.pop("type"), "version": declared.pop("version"), "module": home.module, "name": home.name}
    return row | {name: value for name, value in declared.items() if name not in WITHOUT_PORTS}


def _modules() -> Iterator[str]:
    for path in sorted(FOLDER.glob("*/*.py")):
        if not path.stem.startswith("_") and path.parent.name != "dialects":
            yield f"{FOLDER.parent.name}.{FOLDER.name}.{path.parent.name}.{path.stem}"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
