"""How long `airloom try` takes on a small file, from the shell and back: `python bench/trial.py`.

The eight nodes of `_sales.py` over 1,000 rows of CSV, each node's rows counted and shown; the file that the last node
would write is left out unless asked for, as always in a try.
"""

from __future__ import annotations

import json
import os
import sys

import _sales
from _harness import Report, arguments, folder, in_turn, median, run_command, spread


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=7, quick=3)
    report = Report("`airloom try`, cold")
    with folder("trial") as place:
        _sales.write_data(place, 1000, suffix="csv")
        for name, nodes in (("one", 2), ("eight", 8)):
            given = _sales.document(name, ".", suffix="csv")
            given["nodes"] = [node for node in given["nodes"][:nodes] if nodes == 8 or node["id"] != "products"]
            known = {node["id"] for node in given["nodes"]}
            given["edges"] = [e for e in given["edges"] if {e["from"], e["to"].partition(".")[0]} <= known]
            (place / f"{name}.json").write_text(json.dumps(given))
        environment = {**os.environ, "AIRLOOM_ROOT": str(place), "AIRLOOM_PATHS": json.dumps([str(place)])}
        airloom = [sys.executable, "-c", "from airloom.cli import main; main()"]

        def trial(name: str) -> object:
            return run_command([*airloom, "try", str(place / f"{name}.json"), "--write"], env=environment)

        variants = {
            "python and duckdb alone": lambda: run_command([sys.executable, "-c", "import duckdb"]),
            "airloom --help": lambda: run_command([*airloom, "--help"], env=environment),
            "try, one node": lambda: trial("one"),
            "try, eight nodes": lambda: trial("eight"),
        }
        found = in_turn(variants, asked.rounds)
    rows = [(name, spread([s.wall for s in runs]), spread([s.cpu for s in runs])) for name, runs in found.items()]
    report.table(("command", "seconds", "of processor"), rows)
    report.goal("try of eight nodes", median([spent.wall for spent in found["try, eight nodes"]]), "<", 2, "s")
    report.end()


if __name__ == "__main__":
    main()
