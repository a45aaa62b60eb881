"""How long it takes to check a document: `python bench/check.py`.

Generated documents of 30 and of 1,000 nodes: readings of a file, each with filter, derive, fill, select and aggregate
behind it, joined at the end. Every column's type is found out. Cold is a fresh process with all its imports; warm is a
process that has checked before, as the builder and the worker do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from _harness import Report, Spent, Stopwatch, arguments, folder, in_turn, median, run_command, spread

ROWS = "id,day,region,product,amount,price,quantity,note\n1,2024-01-01,EU,tea,10,2.5,4,x\n2,2024-01-02,US,,7,3.5,2,\n"


def document(nodes: int) -> dict[str, Any]:
    """Return a correct document of this many nodes."""
    made: list[dict[str, Any]] = []
    edges: list[dict[str, str]] = []

    def add(identifier: str, kind: str, config: dict[str, Any], *sources: str) -> str:
        made.append({"id": identifier, "type": kind, "config": config})
        ports = ("",) if len(sources) < 2 else (".left", ".right")
        edges.extend({"from": source, "to": identifier + port} for source, port in zip(sources, ports, strict=False))
        return identifier

    last = ""
    branch = 0
    while len(made) + 7 + bool(last) <= nodes - 1:
        name = f"b{branch}"
        at = add(f"{name}_read", "csv_read", {"path": "rows.csv"})
        at = add(f"{name}_filter", "filter", {"where": "amount > {{ params.least }} and region in ('EU', 'US')"}, at)
        at = add(f"{name}_fill", "fill_nulls", {"columns": ["product"], "strategy": "constant", "value": "-"}, at)
        columns = {f"revenue_{branch}": "price * quantity", "month": "date_trunc('month', day)"}
        at = add(f"{name}_derive", "derive", {"columns": columns}, at)
        at = add(f"{name}_select", "select", {"columns": ["region", "month", f"revenue_{branch}"]}, at)
        measures = {f"total_{branch}": {"op": "sum", "column": f"revenue_{branch}"}, f"n_{branch}": {"op": "count"}}
        at = add(f"{name}_sum", "aggregate", {"by": ["region", "month"], "measures": measures}, at)
        kept = ["region", "month", f"total_{branch}"]
        at = add(f"{name}_short", "select", {"columns": kept}, at)
        if last:
            joined = add(f"{name}_join", "join", {"on": ["region", "month"], "how": "left"}, last, at)
            at = joined
        last = at
        branch += 1
        # A table of hundreds of columns is no pipeline that anybody draws: each tenth branch begins a new result.
        if branch % 10 == 0:
            last = ""
    while len(made) < nodes - 1:
        last = add(f"x{len(made)}", "limit", {"rows": 1000 + len(made)}, last or made[-1]["id"])
    add("write", "csv_write", {"path": "out.csv"}, last or made[-1]["id"])
    params = {"least": {"type": "number", "default": 1}}
    return {"id": "generated", "params": params, "nodes": made, "edges": edges}


def check_once(nodes: int, place: Path) -> Spent:
    """Check a document of this many nodes."""
    from airloom.checks.check import check
    from airloom.checks.facts import Facts
    from airloom.engine.storage import Files

    given = document(nodes)
    with Stopwatch() as watch:
        report = check(given, Facts(files=Files(place, (str(place),))))
    if not report.correct:
        raise SystemExit("\n".join(str(problem) for problem in report.problems))
    return watch.spent


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__, rounds=7, quick=3)
    report = Report("Checking a document")
    rows = []
    with folder("check") as place:
        (place / "rows.csv").write_text(ROWS)
        command = [sys.executable, __file__, "--inside", str(place)]
        cold = in_turn({"30": lambda: run_command([*command, "30"]), "1000": lambda: run_command([*command, "1000"])},
                       min(asked.rounds, 3))  # fmt: skip
        warm: dict[str, list[Spent]] = {}
        for nodes in (30, 1000):
            check_once(nodes, place)
            warm[str(nodes)] = [check_once(nodes, place) for _ in range(asked.rounds)]
    for nodes in ("30", "1000"):
        walls, processors = [spent.wall for spent in warm[nodes]], [spent.cpu for spent in warm[nodes]]
        rows.append((nodes, spread(walls, 3), spread(processors, 3), spread([spent.wall for spent in cold[nodes]])))
    report.table(("nodes", "warm, s", "of that processor, s", "cold, with imports, s"), rows)
    report.goal("30 nodes, warm", 1000 * median([spent.wall for spent in warm["30"]]), "<", 100, "ms")
    report.goal("1,000 nodes, warm", median([spent.wall for spent in warm["1000"]]), "<", 3, "s")
    report.end()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        check_once(int(sys.argv[3]), Path(sys.argv[2]))
    else:
        main()
