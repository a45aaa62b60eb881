"""The import rule: a package imports only those to its left; Airflow internals stay in two packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "include" / "airloom"
ORDER = (
    "spec", "engine", "nodes", "checks", "plan", "runtime", "store", "dags", "doctor", "worker", "web", "local", "cli",
)  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> list[str]:
    """Return every module that a file imports, wherever in the file that stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def package_of(path: Path) -> str:
    """Return which of our packages a file belongs to."""
    return path.relative_to(PACKAGE).parts[0]


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) in ORDER], ids=str)
def test_a_package_imports_only_those_to_its_left(path: Path) -> None:
    own = package_of(path)
    allowed = {"__version__", *ORDER[: ORDER.index(own) + 1]}
    for module in imported(path):
        parts = module.split(".")
        if parts[0] == "airloom" and len(parts) > 1:
            assert parts[1] in allowed, f"{own} must not import {module}"


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) in ORDER], ids=str)
def test_airflow_stays_where_it_belongs(path: Path) -> None:
    own = package_of(path)
    for module in imported(path):
        if not module.startswith("airflow") or own in ("dags", "web"):
            continue
        if own == "nodes":
            assert module.startswith("airflow.providers."), f"nodes must not import {module}"
            assert ".hooks" in module, f"nodes must not import {module}"
        else:
            assert module in ("airflow.sdk", "airflow.sdk.Connection"), f"{own} must not import {module}"


def test_every_package_of_the_rule_is_there() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ORDER)
