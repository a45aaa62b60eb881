"""Draw documents, and say how their nodes end, by a model that knows nothing of plan and runtime.

`python tests/conformance/generate.py` writes them anew; a seed gives the same document each time. All tables have the
columns id, n and word, so that any of them can meet any other, and the model follows the ids alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "documents" / "drawn"
WORDS = "tests/conformance/data/words.csv"
SEEDS = range(1, 17)
N = {identifier: (identifier * 7 - 7) % 10 for identifier in range(1, 11)}
"""The column n of words.csv, by id."""

CONDITIONS: dict[str, Callable[[int], bool]] = {
    "n % 2 = 0": lambda identifier: N[identifier] % 2 == 0,
    "n > 3": lambda identifier: N[identifier] > 3,
    "id <= 6": lambda identifier: identifier <= 6,
    "n < 0": lambda identifier: False,
}
WRITERS = {"csv_write": "csv", "jsonl_write": "jsonl", "parquet_write": "parquet"}
Node = dict[str, Any]


@dataclass
class End:
    """How a node ends; `tables` are the ids in the tables that fired, `rows` what a sink wrote."""

    state: str
    fired: list[str] = field(default_factory=list)
    tables: dict[str, list[int]] = field(default_factory=dict)
    rows: int | None = None
    handled: bool = False


@dataclass
class Drawing:
    """A document on its way, and how the nodes that it has so far end."""

    random: random.Random
    nodes: list[Node] = field(default_factory=list)
    edges: list[dict[str, str]] = field(default_factory=list)
    ends: dict[str, End] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    """The `node.port`s that carry tables where they fire."""
    objects: list[str] = field(default_factory=list)
    handled: set[str] = field(default_factory=set)
    """The nodes with an edge from their error port: decided when they are drawn."""

    def add(self, kind: str, sources: dict[str, list[str]], config: dict[str, Any] | None = None, **more: Any) -> str:
        """Add a node that reads `sources` (input port → `node.port`s), and return its id."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append({"id": name, "type": kind, **({"config": config} if config else {}), **more})
        for port, found in sources.items():
            for source in found:
                self.edges.append({"from": source, "to": f"{name}.{port}"})
        return name

    def fate(self, sources: dict[str, list[str]]) -> str:
        """Say what the rule says before a node runs: not_run, skipped or run."""
        found = [source.split(".") for sources_of_port in sources.values() for source in sources_of_port]
        for node, _ in found:
            end = self.ends[node]
            if end.state == "not_run" or (end.state == "failed" and not end.handled):
                return "not_run"
        live = [port for port, of_port in sources.items() if any(self.live(source) for source in of_port)]
        return "run" if len(live) == len(sources) else "skipped"

    def live(self, source: str) -> bool:
        """Tell whether an edge from this port carries something."""
        node, port = source.split(".")
        return port in self.ends[node].fired

    def ids(self, source: str) -> list[int]:
        """Return the ids in the table of a port."""
        node, port = source.split(".")
        return self.ends[node].tables[port]

    # One method for each sort of node

    def read(self) -> None:
        """A file, now and then one that is not there."""
        lost = self.random.random() < 0.12
        name = self.add("csv_read", {}, {"path": WORDS.replace("words", "lost") if lost else WORDS})
        self.end(name, {}, ["rows"], lambda: {"rows": list(N)}, fails=lost)

    def one(self) -> None:
        """A table node of one input; a condition over what no run has fails, whatever the rows are."""
        sources = {"rows": [self.random.choice(self.tables)]}
        kind = self.random.choice(["filter", "filter", "filter", "derive", "sort"])
        fails = kind == "filter" and self.random.random() < 0.2
        where = self.random.choice(list(CONDITIONS))
        config: dict[str, dict[str, Any]] = {
            "filter": {"where": "n > {{ trigger.missing }}" if fails else where},
            "derive": {"columns": {"word": "upper(word)"}},
            "sort": {"by": [{"column": "n", "descending": True}]},
        }
        goes_on = {"on_error": "continue"} if fails and self.random.random() < 0.5 else {}
        name = self.add(kind, sources, config[kind], **goes_on)

        def rows() -> dict[str, list[int]]:
            ids = self.ids(sources["rows"][0])
            return {"rows": [found for found in ids if kind != "filter" or CONDITIONS[where](found)]}

        self.end(name, sources, ["rows"], rows, fails=fails, goes_on=bool(goes_on))

    def concat(self) -> None:
        """Up to three tables under each other."""
        sources = {"tables": self.random.sample(self.tables, min(len(self.tables), self.random.randint(1, 3)))}
        name = self.add("concat", sources)
        live = [source for source in sources["tables"] if self.live(source)]
        self.end(name, sources, ["rows"], lambda: {"rows": [found for source in live for found in self.ids(source)]})

    def join(self) -> None:
        """The rows of one table that another has, or has not."""
        left, right = self.random.choice(self.tables), self.random.choice(self.tables)
        how = self.random.choice(["semi", "anti"])
        sources = {"left": [left], "right": [right]}
        name = self.add("join", sources, {"on": ["id"], "how": how})
        self.end(
            name, sources, ["rows"],
            lambda: {"rows": [i for i in self.ids(left) if (i in self.ids(right)) == (how == "semi")]},
        )  # fmt: skip

    def split(self) -> None:
        """Rows to three ports, all of which fire."""
        sources = {"rows": [self.random.choice(self.tables)]}
        conditions = [{"name": "low", "where": "n < 4"}, {"name": "high", "where": "n > 6"}]
        name = self.add("split_rows", sources, {"conditions": conditions})

        def rows() -> dict[str, list[int]]:
            ids = self.ids(sources["rows"][0])
            low, high = [i for i in ids if N[i] < 4], [i for i in ids if N[i] > 6]
            return {"low": low, "high": high, "other": [i for i in ids if 4 <= N[i] <= 6]}

        self.end(name, sources, ["low", "high", "other"], rows)

    def switch(self) -> None:
        """One way of two or three, by how many rows there are."""
        sources = {"value": [self.random.choice(self.tables)]}
        limit, fallback = self.random.choice([1, 4, 8]), self.random.random() < 0.7
        rules = [
            {"id": "few", "field": "rows", "operator": "lt", "value": limit},
            {"id": "many", "field": "rows", "operator": "gte", "value": 10},
        ]
        name = self.add("switch", sources, {"rules": rules, "fallback": fallback})

        def rows() -> dict[str, list[int]]:
            ids = self.ids(sources["value"][0])
            port = "few" if len(ids) < limit else "many" if len(ids) >= 10 else "fallback" if fallback else None
            return {port: ids} if port else {}

        self.end(name, sources, ["few", "many", *(["fallback"] if fallback else [])], rows)

    def write(self) -> None:
        """A file, and sometimes one whose path is that of a folder."""
        sources = {"rows": [self.random.choice(self.tables)]}
        kind = self.random.choice(list(WRITERS))
        fails = self.random.random() < 0.15
        path = "tests/conformance/data/days" if fails else f"{{{{ params.out }}}}/{len(self.nodes)}.{WRITERS[kind]}"
        goes_on = {"on_error": "continue"} if fails and self.random.random() < 0.5 else {}
        name = self.add(kind, sources, {"path": path}, **goes_on)
        self.end(name, sources, [], dict, fails=fails, goes_on=bool(goes_on))
        self.objects.append(f"{name}.done")
        end = self.ends[name]
        if end.state == "success":
            end.fired, end.rows = ["done"], len(self.ids(sources["rows"][0]))
        elif end.state == "failed" and goes_on and not end.fired:
            end.fired = ["done"]

    def meet(self) -> None:
        """What sinks and handlers gave, in one list."""
        if self.objects:
            sources = {"values": self.random.sample(self.objects, min(len(self.objects), 2))}
            name = self.add("merge", sources)
            self.end(name, sources, [], dict)
            self.ends[name].fired = ["merged"] if self.ends[name].state == "success" else []

    def end(
        self, name: str, sources: dict[str, list[str]], ports: list[str], rows: Callable[[], dict[str, list[int]]],
        *, fails: bool = False, goes_on: bool = False,
    ) -> None:  # fmt: skip
        """Settle how a node ends, and give it a handler of its error where it is drawn to have one."""
        fate = self.fate(sources)
        if fate != "run":
            self.ends[name] = End(fate)
        elif fails:
            self.ends[name] = End("failed", handled=goes_on)
        else:
            tables = rows()
            self.ends[name] = End("success", list(tables), tables)
        self.tables += [f"{name}.{port}" for port in ports]
        if self.random.random() > (0.6 if fails else 0.05):
            return
        if self.ends[name].state == "failed":
            self.ends[name].fired, self.ends[name].handled = ["error"], True
        self.handle(name)

    def handle(self, name: str) -> None:
        """Let a node read the error of another; it may fail itself."""
        fails = self.random.random() < 0.2
        field_read = "nothing" if fails else "code"
        sources = {"value": [f"{name}.error"]}
        handler = self.add("set", sources, {"value": f"{{{{ nodes.{name}.error.{field_read} }}}}"})
        fate = self.fate(sources)
        self.ends[handler] = End("failed") if fate == "run" and fails else End("success" if fate == "run" else fate)
        if self.ends[handler].state == "success":
            self.ends[handler].fired = ["value"]
        self.objects.append(f"{handler}.value")


def draw(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a document and how its nodes end."""
    drawing = Drawing(random.Random(seed))
    drawing.read()
    kinds = [drawing.one] * 4 + [drawing.concat] * 2 + [drawing.join, drawing.split, drawing.switch, drawing.switch]
    for _ in range(drawing.random.randint(5, 8)):
        drawing.random.choice([*kinds, drawing.read])()
    for _ in range(drawing.random.randint(1, 3)):
        drawing.write()
    drawing.meet()
    document = {
        "id": f"drawn_{seed:02}",
        "params": {"out": {"type": "string", "default": "output"}},
        "nodes": drawing.nodes,
        "edges": drawing.edges,
    }
    return document, {name: _expected(end) for name, end in drawing.ends.items()}


def _expected(end: End) -> dict[str, Any]:
    rows = {port: len(ids) for port, ids in end.tables.items()} | ({} if end.rows is None else {"done": end.rows})
    return {"state": end.state, "fired": end.fired, **({"rows": rows} if rows else {})}


def text_of(value: dict[str, Any]) -> str:
    """Return JSON for people: what a document holds several of, one a line."""

    def shown(item: Any) -> str:
        lines = [json.dumps(entry) for entry in item] if isinstance(item, list) else []
        return "[\n    " + ",\n    ".join(lines) + "\n  ]" if lines else json.dumps(item)

    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {shown(item)}" for key, item in value.items()) + "\n}\n"


def main() -> None:
    """Write all drawn documents and their expectations."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS:
        document, expected = draw(seed)
        (FOLDER / f"{document['id']}.json").write_text(text_of(document))
        (FOLDER / f"{document['id']}.expected.json").write_text(text_of(expected).replace('"fired": [\n', '"fired": ['))


if __name__ == "__main__":
    main()
