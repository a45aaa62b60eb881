"""What the catalog costs in a fresh process, in time of the processor: `python bench/catalog.py`.

A list of the built-in types and of those of a folder with 240 files of one's own; and what a task does, which looks
one type of a known version up, beside the import of that type's module alone. The look-up does not count the import of
the catalog itself, with Pydantic, nor reading the settings: a task does both for other reasons.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import Report, arguments, in_turn, median, run_command, spread

TYPES = ("filter", "window", "csv_read", "postgres_write")
OWN = '''"""Give columns other names."""

from pydantic import Field

from airloom.nodes.sdk import Column, Example, Query, Relation, Table, name_as


class RenameRows{number}(Table, order="keeps"):
    """Give columns other names, in manner {number}."""

    columns: dict[Column, str] = Field(min_length=1, description="New names by the old ones")

    examples = (Example("One", {{"columns": {{"a": "b"}}}}, {{"rows": [{{"a": 1}}]}}, {{"rows": [{{"b": 1}}]}}),)

    def query(self, rows: Relation) -> Query:
        names = {{rows[name].name: new for name, new in self.columns.items()}}
        return rows.select(*(name_as(rows[name], names.get(name, name)) for name in rows.columns))
'''


def main() -> None:
    """Measure both in turn and print the figures."""
    asked = arguments(__doc__ or "", rounds=21, quick=5, own=240)
    report = Report(f"Catalog: lists, and the look-up of one type beside {asked.own} files of one's own")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.own):
            Path(folder, f"rename_rows_{number}.py").write_text(OWN.format(number=number), encoding="utf-8")

        def fresh(*arguments: str) -> dict[str, float]:
            command = [sys.executable, __file__, *arguments]
            found: dict[str, float] = run_command(command, env=os.environ | {"AIRLOOM_NODES": folder}).answer
            return found

        fresh("--list")
        ways: dict[str, Any] = {"list": lambda: fresh("--list")}
        for name in TYPES:
            ways[name] = lambda name=name: fresh("--get", name)
            ways[f"import {name}"] = lambda name=name: fresh("--import", name)
        found = in_turn(ways, asked.rounds)
    took = {name: [one["milliseconds"] for one in runs] for name, runs in found.items()}
    report.note(f"List of all types: {spread(took['list'], 0)} ms, the import of the catalog with it.")
    rows = []
    for name in TYPES:
        whole, alone = took[name], took[f"import {name}"]
        rows.append((f"`{name}`", spread(whole), spread(alone)))
        report.goal(f"look-up of `{name}` beyond its import", median(whole) - median(alone), "≤", 5, "ms")
    report.table(("type, ms", "look-up", "import of its module alone"), rows)
    report.goal("list", median(took["list"]), "≤", 500, "ms")
    report.end()


def listed() -> dict[str, float]:
    """List all types, with the import of the catalog, in this fresh process."""
    started = time.process_time()
    from airloom.nodes.catalog import catalog

    count = len(catalog().declarations())
    return {"milliseconds": (time.process_time() - started) * 1000, "types": count}


def looked_up(name: str, *, alone: bool) -> dict[str, float]:
    """Look one type up in this fresh process; `alone`, only import the module of its class."""
    from airloom.nodes.catalog import catalog
    from airloom.nodes.manifest import manifest
    from airloom.spec.configuration import configuration

    configuration()  # a task has read its settings
    module = next(home.module for home in manifest() if home.declaration.type == name) if alone else ""
    manifest.cache_clear()
    started = time.process_time()
    if alone:
        importlib.import_module(module)
    else:
        catalog().get(name, 1)
    return {"milliseconds": (time.process_time() - started) * 1000}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        print(json.dumps(listed()))
    elif sys.argv[1:2] in (["--get"], ["--import"]):
        print(json.dumps(looked_up(sys.argv[2], alone=sys.argv[1] == "--import")))
    else:
        main()
