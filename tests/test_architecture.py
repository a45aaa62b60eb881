"""ARCHITECTURE.md is true: packages and modules, the plan, the places of additions, the pipeline that is followed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.test_imports import ORDER, PACKAGE

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.dags.outcome import outcome_of
from airloom.engine.storage import Files
from airloom.nodes.context import RunFacts
from airloom.plan.build import build_plan
from airloom.plan.plan import FORMAT, Plan, PlanNode, PlanStep
from airloom.runtime.pipeline import LocalSurroundings
from airloom.runtime.step import run_step
from airloom.runtime.trial import no_connections
from airloom.spec.configuration import Configuration
from airloom.store.tables import VERSION_TABLE, Base

ROOT = PACKAGE.parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PARENTHESES = re.compile(r"\([^()]*\)")
PLACE = re.compile(r"`([\w.]+)` in `([\w/]+\.py)`")
CODE = re.compile(r"`([^`]+)`")
TABLES = ("KINDS", "OPERATORS", "READERS", "DIALECTS", "ICONS", "FUNCTIONS", "PARTS")
"""Tables of the package that an addition is a line of."""
FIRST_TO_COME = ("include/nodes", "include/code", "nodes/dialects")
"""Folders that the first addition to them makes."""


def section(heading: str) -> str:
    """Return the text below a heading."""
    found = re.search(rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table below its head; the text holds one table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def block(text: str, language: str) -> list[str]:
    """Return the blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


MODULES = {package: names for package, _, names in rows(section("The packages and the import rule"))}
ADDITIONS = {added: f"{file} | {line}" for added, file, line in rows(section("To add something"))}


def modules_of(package: Path) -> set[str]:
    """Return the modules of a package, and its folders with a slash."""
    files = {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    return files | {f"{path.name}/" for path in package.iterdir() if path.is_dir() and any(path.glob("*.py"))}


def test_the_order_of_the_packages_is_the_one_that_is_kept() -> None:
    (line,) = block(section("The packages and the import rule"), "")
    assert tuple(line.strip().split(" < ")) == ORDER
    assert tuple(MODULES) == ORDER


@pytest.mark.parametrize("package", ORDER)
def test_every_module_is_named_and_is_there(package: str) -> None:
    listed = re.sub(r"\band\b", ",", PARENTHESES.sub("", MODULES[package]))
    named = [name.strip() for name in listed.split(",") if name.strip()]
    assert len(named) == len(set(named))
    assert set(named) == modules_of(PACKAGE / package)


def test_the_plan_that_is_shown_is_one_of_this_format() -> None:
    shown = json.loads(block(section("The plan"), "json")[0])
    assert shown["format"] == FORMAT
    assert shown == Plan.from_json(shown).to_json()
    assert shown.keys() == Plan({}, (), (), ()).to_json().keys()
    for node in shown["nodes"].values():
        assert node.keys() == {field.name for field in fields(PlanNode)} - {"id"}
    for step in shown["steps"]:
        assert step.keys() == {field.name for field in fields(PlanStep)}
    assert {len(shown[part]) for part in ("nodes", "steps", "gates", "labels")} == {1}


def test_every_format_that_is_named_is_that_of_today() -> None:
    assert set(re.findall(r'"format": (\d+)', TEXT)) == {str(FORMAT)}
    assert f"## The plan (JSON, format {FORMAT})" in TEXT


def stands(path: str) -> bool:
    """Tell whether a path is there; of a new file's, which has <…> in it, the folder."""
    folder = ROOT if "/" not in path or path.startswith(("include/", "docs/", "tests/", "ui/")) else PACKAGE
    known = path.partition("<")[0].rpartition("/")[0] if "<" in path else path
    return known in FIRST_TO_COME or (folder / known).exists()


@pytest.mark.parametrize("added", ADDITIONS)
def test_what_an_addition_touches_is_there(added: str) -> None:
    text = ADDITIONS[added]
    for name, path in PLACE.findall(text):
        found: Any = importlib.import_module(
            f"airloom.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        )
        for part in name.split("."):
            assert hasattr(found, part), f"{name} is not in {path}"
            found = getattr(found, part)
    for code in CODE.findall(text):
        if re.fullmatch(r"[\w/.<>-]+", code) and ("/" in code or code.endswith((".py", ".md", ".toml"))):
            assert stands(code), code
        if code.startswith("python -m "):
            assert importlib.util.find_spec(code.split()[2]), code


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_additions_has_its_row(table: str) -> None:
    assert any(f"`{table}`" in text for text in ADDITIONS.values())


def test_every_table_of_the_store_is_told_of() -> None:
    named = [name for cells in rows(section("What the store keeps")) for name in CODE.findall(cells[0])]
    assert sorted(named) == sorted(set(Base.metadata.tables) - {VERSION_TABLE})


FOLLOWED = section("One pipeline, followed all the way")


@pytest.fixture(scope="module")
def followed() -> tuple[dict[str, Any], Plan]:
    """Return the document that the page follows, and its plan."""
    document = yaml.safe_load(block(FOLLOWED, "yaml")[0])
    report = check(document, Facts(files=Files.of(Configuration(root=ROOT))))
    assert report.problems == []
    assert report.resolved is not None
    return document, replace(build_plan(report.resolved), version=1)


def test_the_plan_of_the_followed_pipeline_is_what_is_shown_of_it(followed: tuple[dict[str, Any], Plan]) -> None:
    assert_part(json.loads(block(FOLLOWED, "json")[0]), followed[1].to_json(), "plan")


def test_its_first_step_leaves_what_is_shown(followed: tuple[dict[str, Any], Plan], tmp_path: Path) -> None:
    document, plan = followed
    facts = RunFacts("heavy_penguins", "manual__2026-11-21T02:12:00+00:00")
    around = LocalSurroundings(facts, {"grams": 4000}, no_connections)
    done = run_step(plan, plan.steps[0].id, document, around, Configuration(root=ROOT, data=str(tmp_path / "data")))
    left = outcome_of(plan.steps[0], done.nodes).values
    shown = json.loads(block(FOLLOWED, "json")[1])
    assert shown["by_island.statistics"].pop("seconds") > 0
    assert left["by_island.statistics"].pop("seconds") > 0
    assert left["by_island.rows"].pop("uri").endswith(shown["by_island.rows"].pop("uri").removeprefix("…"))
    expected, file = (found["penguins-by_island.inner"]["penguins"]["statistics"]["read"][0] for found in (shown, left))
    assert file["uri"].endswith(expected.pop("uri").removeprefix("…"))
    assert [expected.pop("etag"), file.pop("uri"), file.pop("etag")]
    assert shown == left


def assert_part(shown: Any, whole: Any, at: str) -> None:
    """Assert that what is shown stands in the whole: objects may lack fields there, lists may not lack items."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in whole, f"{at} has no {key}"
            assert_part(value, whole[key], f"{at}.{key}")
    elif isinstance(shown, list):
        assert len(shown) == len(whole), at
        for index, value in enumerate(shown):
            assert_part(value, whole[index], f"{at}[{index}]")
    else:
        assert shown == whole, at
