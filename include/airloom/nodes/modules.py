"""Where a module is installed, without importing anything; and how to get one that is not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec

PACKAGE = "airloom"
INTERNAL = ("bench", "test")
"""Extras of whoever works on this package itself."""


@dataclass(frozen=True)
class MissingModule:
    """Name a module that is not installed, and say how to get it."""

    name: str
    hint: str


def missing_module(requires: str) -> MissingModule | None:
    """Return the module of an `extra` or `extra:module` that is not installed, or None where nothing is missing."""
    extra, _, module = requires.partition(":")
    module = module or extra
    if module_spec(module):
        return None
    if extra in extras():
        return MissingModule(module, f"airloom add {extra}")
    package = module.partition(".")[0]
    return MissingModule(module, f"install the package that brings {package}; docs/packages.md says how")


def extras() -> list[str]:
    """Return the extras that `airloom add` installs."""
    provided = importlib.metadata.metadata(PACKAGE).get_all("Provides-Extra") or ()
    return sorted(set(provided) - set(INTERNAL))


def module_spec(name: str) -> ModuleSpec | None:
    """Return what Python would import a module from, or None where it is not installed.

    `importlib.util.find_spec("a.b")` imports `a`, which takes seconds for some packages; here its folders are searched.
    """
    package, _, _ = name.partition(".")
    spec = importlib.util.find_spec(package)
    at = len(package)
    while spec is not None and at < len(name):
        imported = sys.modules.get(name[:at])
        folders = getattr(imported, "__path__", None) or list(spec.submodule_search_locations or ())
        if imported is None and at == len(package):
            # Airflow's package takes in what other folders of the search path hold of it.
            folders = pkgutil.extend_path(folders, package)
        end = name.find(".", at + 1)
        at = end if end > 0 else len(name)
        spec = _spec_in(folders, name[:at])
    return spec


def _spec_in(folders: Iterable[str], name: str) -> ModuleSpec | None:
    # Python's own search over several folders (PathFinder) wants the parents of a package without `__init__` imported.
    portions: list[str] = []
    for folder in folders:
        finder = pkgutil.get_importer(folder)
        spec = finder.find_spec(name) if finder is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or ()) if spec is not None else ()
    if not portions:
        return None
    found = ModuleSpec(name, None, is_package=True)
    found.submodule_search_locations = portions
    return found
