"""Documents with faults: the examples, changed at random from a seed, as the files that somebody might drop."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.conformance.suite import ROOT, cases

from airloom.nodes.catalog import catalog
from airloom.spec.text import read_text

Json = dict[str, Any]
Random = random.Random
SEED = 20_261

TEXTS = (
    *("", " ", "\n", "x", "é", "Ä b", "a.b", "a/b~c", "'", '"', "''", "\\", "'''",
      "\"\"\"", "--", "/*", ";", "%s", "\0"),
    *("\u202eabc", "e\u0301\u0327", "\u200b", "\ufeff", "\x85", "\u2028", "\ud800",
      "\U0001f469\u200d\U0001f680", "ſ", "İ"),
    *("null", "true", "no", "0x1f", "1e999", "-0", "NaN", "Infinity", "2026-01-31", "1:30", "012", "1_000"),
    *("{{", "}}", "{% if %}", "{# c #}", "{{ }}", "{{ nodes }}", "{{ params.out }}", "{{ params }}", "{{ 1/0 }}"),
    *("{{ nodes.orders.rows }}", "{{ run.id }}", "{{ 'a' * 9999999 }}", "{{ range(9**9) | list }}",
      "{{ ''.__class__ }}"),
    *("{% for i in range(9) %}{{ i }}{% endfor %}", "{% raw %}{{ x }}{% endraw %}",
      "{{ [[[[[1]]]]][0] }}", "{{ x | upper }}"),
    *("select 1", "1; drop table x", "(select 1)", "amount", "id > 1", "read_csv('/etc/passwd')", "now()", "sum(id)"),
    *("id::date", "case when 1 then 2 end", "((((((((((1))))))))))", "[1, 2][1]", "{'a': 1}", "interval 1 day", "1 +"),
    *("../../etc/passwd", "/etc/passwd", "output/x.csv", "include/data/**", "http://x/y.csv", "s3://b/k",
      "file:///x", "[", "*"),
    *("orders", "orders.rows", "rows", ".rows", "orders.", "error", "self", "done", "warehouse",
      "default_pool", "fired"),
    *("30s", "1h", "-5s", "1e9d", "0s", "999999999999d", "soon", "* * * * *", "@daily", "0 0 31 2 *",
      "Europe/Berlin", "UTC+1"),
    *("VARCHAR", "DECIMAL(99,2)", "STRUCT(a INT)", "INT[]", "duckdb", "spark", "auto", "none", "continue", "python"),
    *("x" * 101, "a" * 5_000, "é" * 20_000, "(" * 500, "[" * 3_000, "a," * 2_000, "not " * 400, "1+" * 3_000 + "1"),
)  # fmt: skip
NUMBERS = (
    *(0, 1, -1, 2, 3.5, -0.0, 1e-300, 1e300, 5e-324, 1.7976931348623157e308),
    *(2**31, 2**31 - 1, -(2**31), 2**53 + 1, 2**63, 2**63 - 1, -(2**63) - 1, 2**64, 10**30, 10**400),
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": 0},
    {"id": "x"},
    ["a", 1],
    [{"a": 1}, {"b": 2}],
)
KEYS = (
    "id",
    "type",
    "config",
    "where",
    "",
    "x",
    "é",
    "a/b~c",
    "rows",
    "from",
    "to",
    "$ref",
    "default",
    "version",
    "\ud800",
)


@cache
def examples() -> list[Json]:
    """Return the documents that mutants are made of: the examples, and the documents of the suite."""
    shown = [read_text(path.read_text(), path.name)[0] for path in sorted((ROOT / "include/pipelines").iterdir())]
    return [*shown, *(case.document for case in cases())]


@cache
def configs() -> list[tuple[str, Json]]:
    """Return type and config of every example of the catalog."""
    return [
        (node.declaration.type, json.loads(json.dumps(example.config, default=str)))
        for node in catalog().all()
        for example in node.examples
    ]


def mutant(number: int) -> tuple[str, bytes]:
    """Return the name and the content of a file: for the same number always the same."""
    dice = Random(f"{SEED}-{number}")
    document = copy.deepcopy(dice.choice(examples()))
    document["id"] = f"{document['id'][:40]}_{number}"
    holder: Json = {"document": document}
    for _ in range(dice.choice((1, 1, 1, 1, 2, 2, 3, 6))):
        dice.choice(HARMLESS if dice.random() < 0.4 else CHANGES)(dice, holder)
    data = holder["document"]
    if dice.random() < 0.3:
        name, content = f"m{number}.yaml", _as_yaml(dice, data)
    else:
        name, content = (
            f"m{number}.json",
            json.dumps(data, ensure_ascii=dice.random() < 0.5, indent=dice.choice((None, 1))),
        )
    if dice.random() < 0.12:
        content = dice.choice(YAML_CHANGES if name.endswith("yaml") else TEXT_CHANGES)(dice, content)
    return name, content.encode("utf-8", "surrogatepass")


def _as_yaml(dice: Random, data: Any) -> str:
    flow, odd, ordered = dice.random() < 0.4, dice.random() < 0.5, dice.random() < 0.5
    # JSON is YAML, too; PyYAML itself cannot write what is nested deeply.
    if flow or max(map(len, places(data))) > 90:
        return json.dumps(data)
    return str(yaml.safe_dump(data, allow_unicode=odd, sort_keys=ordered))


# Places of a document


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of a value and of all that it holds."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _somewhere(dice: Random, holder: Json) -> tuple[Any, Any]:
    """Return a place as its parent and its key, not too often the whole document or a part of its head."""
    found = [path for path in places(holder) if path]
    inside = [path for path in found if len(path) > 4]
    path = dice.choice(inside if inside and dice.random() < 0.8 else found)
    return _at(holder, path[:-1]), path[-1]


def _nodes(holder: Json, field: str = "nodes") -> list[Json]:
    document = holder["document"]
    found = document.get(field) if isinstance(document, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# Changes of the data


def _odd(dice: Random) -> Any:
    return copy.deepcopy(dice.choice(dice.choice((TEXTS, TEXTS, NUMBERS, OTHERS))))


def _replace(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    parent[key] = _odd(dice)


def _drop(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    if parent is not holder:
        del parent[key]


def _retype(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    value = parent[key]
    forms: list[Callable[[], Any]] = [
        lambda: [value],
        lambda: {"value": value},
        lambda: {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else str(value),
        lambda: list(value.values()) if isinstance(value, dict) else bool(value),
        lambda: json.dumps(value),
        lambda: len(value) if hasattr(value, "__len__") else None,
    ]
    parent[key] = dice.choice(forms)()


def _double(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    if isinstance(parent, list):
        parent.insert(dice.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
    elif parent is not holder:
        parent[dice.choice(KEYS)] = copy.deepcopy(parent[key])


def _swap(dice: Random, holder: Json) -> None:
    (parent, key), (other, name) = _somewhere(dice, holder), _somewhere(dice, holder)
    parent[key], other[name] = copy.deepcopy(other[name]), copy.deepcopy(parent[key])


def _rename(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    if isinstance(parent, dict) and parent is not holder:
        parent[dice.choice((*KEYS, f"{key}x", str(key).upper(), str(key)[1:]))] = parent.pop(key)


def _deepen(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    for _ in range(dice.choice((5, 30, 97, 150, 400))):
        parent[key] = [parent[key]] if dice.random() < 0.5 else {"a": parent[key]}


def _enlarge(dice: Random, holder: Json) -> None:
    parent, key = _somewhere(dice, holder)
    value = parent[key]
    match dice.randrange(5):
        case 0:
            parent[key] = "x" * dice.choice((1_000, 100_000, 1_500_000))
        case 1:
            parent[key] = [
                copy.deepcopy(value) if len(str(value)) < 200 else 1 for _ in range(dice.choice((50, 3_000)))
            ]
        case 2:
            parent[key] = {f"k{index}": 1 for index in range(dice.choice((50, 3_000)))}
        case 3:
            parent[key] = f"{value} " * 300
        case _:
            _many_nodes(dice, holder)


def _many_nodes(dice: Random, holder: Json) -> None:
    nodes, edges = _nodes(holder), _nodes(holder, "edges")
    if not nodes:
        return
    node = dice.choice(nodes)
    for index in range(dice.choice((10, 60))):
        holder["document"]["nodes"].append({**copy.deepcopy(node), "id": f"more_{index}"})
        if edges:
            edge = copy.deepcopy(dice.choice(edges))
            holder["document"]["edges"].append({**edge, dice.choice(("from", "to")): f"more_{index}"})


def _insert_text(dice: Random, holder: Json) -> None:
    found = [path for path in places(holder) if isinstance(_at(holder, path), str)]
    path = dice.choice(found) if found else ()
    if len(path) > 1:
        text = _at(holder, path)
        middle = dice.randrange(len(text) + 1)
        _at(holder, path[:-1])[path[-1]] = text[:middle] + dice.choice(TEXTS) + text[middle:]


def _swap_nodes(dice: Random, holder: Json) -> None:
    nodes = _nodes(holder)
    if len(nodes) > 1:
        one, two = dice.sample(nodes, 2)
        for field in dice.sample(("id", "type", "config", "name"), dice.choice((1, 1, 2))):
            one[field], two[field] = two.get(field), one.get(field)


def _graft(dice: Random, holder: Json) -> None:
    """Give a node the type of another, with a config that is right for it."""
    if nodes := _nodes(holder):
        node = dice.choice(nodes)
        node["type"], node["config"] = copy.deepcopy(dice.choice(configs()))


def _graft_odd(dice: Random, holder: Json) -> None:
    """Give a node the type of another, with one odd value in its config."""
    if nodes := _nodes(holder):
        node = dice.choice(nodes)
        node["type"], config = copy.deepcopy(dice.choice(configs()))
        inside = {"config": config}
        path = dice.choice([path for path in places(inside) if path])
        _at(inside, path[:-1])[path[-1]] = _odd(dice)
        node["config"] = inside["config"]


def _rewire(dice: Random, holder: Json) -> None:
    edges, nodes = _nodes(holder, "edges"), _nodes(holder)
    if not edges or not nodes:
        return
    edge = dice.choice(edges)
    ends = [str(node.get("id")) for node in nodes] + [str(edge.get(side)) for edge in edges for side in ("from", "to")]
    match dice.randrange(5):
        case 0:
            edge["from"], edge["to"] = edge.get("to"), edge.get("from")
        case 1:
            edge[dice.choice(("from", "to"))] = dice.choice(ends)
        case 2:
            edge["to"] = str(edge.get("from"))
        case 3:
            edge["from"] = (
                str(edge.get("from")).partition(".")[0] + "." + dice.choice(("error", "rows", "other", "done"))
            )
        case _:
            holder["document"]["edges"].append({"from": dice.choice(ends), "to": dice.choice(ends)})


def _set_field(dice: Random, holder: Json) -> None:
    """Set a field that the document or one of its nodes need not have."""
    fields = {
        "schedule": ({"cron": "0 2 * * *"}, {"every": "1d", "start": "2026-01-01"}, {"cron": "@daily", "every": "1h"},
                     {"every": "999999d"}, {"cron": "0 0 30 2 *", "timezone": "Asia/Kathmandu"},
                     {"cron": "* * * * *", "start": "9999-12-31T23:59:59+00:00"}, {"every": "1s", "end": "0001-01-01"}),
        "settings": ({"engine": "spark"}, {"retries": 100, "retry_delay": "99999d"}, {"timeout": "1s", "pool": "x"},
                     {"priority": 1000, "max_active_runs": 1000, "catchup": True}, {"grouping": "none"}),
        "params": ({"p": {"type": "string", "format": "date", "default": "2026-02-30"}}, {"p": {"$ref": "#"}},
                   {"p": {"$ref": "http://x/y"}},
                   {"p": {"type": "string", "pattern": "(a+)+$", "default": "a" * 60 + "b"}},
                   {"p": {"enum": []}}, {"p": {"type": "number", "multipleOf": 1e-300, "default": 1e300}},
                   {"p": {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a", "default": 1}}),
        "tags": (["a", "a"], ["x" * 100], ["\u202e"], [","]),
        "name": ("\u202e", "a\nb", "x" * 200), "owner": ("a,b", "\n"),
        "description": ("'''", "# ", "\\u0027", "{{ x }}"),
    }  # fmt: skip
    document = holder["document"]
    if isinstance(document, dict) and dice.random() < 0.7:
        field = dice.choice(sorted(fields))
        document[field] = copy.deepcopy(dice.choice(fields[field]))
    elif nodes := _nodes(holder):
        of_nodes = {"retries": (3, 101), "retry_delay": ("5s",), "timeout": ("1h", "0s"), "on_error": ("continue",),
                    "version": (1, 2), "pool": ("default_pool",), "ui": ({"x": 1e300},),
                    "name": ("é\u202e",)}  # fmt: skip
        field = dice.choice(sorted(of_nodes))
        dice.choice(nodes)[field] = copy.deepcopy(dice.choice(of_nodes[field]))


def _reorder(dice: Random, holder: Json) -> None:
    document = holder["document"]
    for field in ("nodes", "edges"):
        if isinstance(document, dict) and isinstance(document.get(field), list):
            dice.shuffle(document[field])


def _call_otherwise(dice: Random, holder: Json) -> None:
    """Give a node another id, wherever it is named."""
    if nodes := _nodes(holder):
        old, new = (
            str(dice.choice(nodes).get("id")),
            dice.choice(("n", "a" * 100, "self", "dag", "class_", "x__rows", "error")),
        )
        text = json.dumps(holder["document"]).replace(f'"{old}"', f'"{new}"').replace(f'"{old}.', f'"{new}.')
        holder["document"] = json.loads(text.replace(f"nodes.{old}.", f"nodes.{new}."))


def _prune(dice: Random, holder: Json) -> None:
    """Take a node away that nothing needs, with its edges."""
    edges, document = _nodes(holder, "edges"), holder["document"]
    needed = {str(edge.get("from")).partition(".")[0] for edge in edges}
    if leaves := [node for node in _nodes(holder) if node.get("id") not in needed]:
        leaf = dice.choice(leaves)
        document["nodes"] = [node for node in document["nodes"] if node is not leaf]
        gone = str(leaf.get("id"))
        document["edges"] = [edge for edge in edges if str(edge.get("to")).partition(".")[0] != gone]


def _grow(dice: Random, holder: Json) -> None:
    """Add nodes behind another one."""
    nodes, edges = _nodes(holder), _nodes(holder, "edges")
    ends = [str(edge.get("from")) for edge in edges]
    if not nodes or not ends or not isinstance(holder["document"].get("nodes"), list):
        return
    for index in range(dice.choice((1, 3, 40))):
        node, end = f"grown_{index}_{len(nodes)}", dice.choice(ends)
        config = {"rows": dice.choice((0, 1, 2**62))} if dice.random() < 0.7 else {}
        holder["document"]["nodes"].append({"id": node, "type": "limit" if config else "merge", "config": config})
        holder["document"]["edges"].append({"from": end, "to": node})
        ends.append(node)


def _describe(dice: Random, holder: Json) -> None:
    """Put odd texts where any text may stand."""
    document = holder["document"]
    if isinstance(document, dict):
        target = dice.choice([document, *_nodes(holder)])
        target[dice.choice(("name", "description"))] = dice.choice(TEXTS)[:200]


HARMLESS: tuple[Callable[[Random, Json], None], ...] = (
    *(_reorder, _call_otherwise, _prune, _grow, _grow, _describe, _describe, _set_field),
)
CHANGES: tuple[Callable[[Random, Json], None], ...] = (
    *(
        _replace,
        _replace,
        _replace,
        _drop,
        _retype,
        _double,
        _swap,
        _rename,
        _deepen,
        _enlarge,
        _insert_text,
        _insert_text,
    ),
    *(_swap_nodes, _graft, _graft, _graft_odd, _graft_odd, _rewire, _rewire, _set_field, _set_field),
)


# Changes of the text


def _cut(dice: Random, text: str) -> str:
    return text[: dice.randrange(len(text) + 1)]


def _hole(dice: Random, text: str) -> str:
    start = dice.randrange(len(text) + 1)
    return text[:start] + text[start + dice.randint(1, 20) :]


def _stuff(dice: Random, text: str) -> str:
    start = dice.randrange(len(text) + 1)
    return (
        text[:start]
        + dice.choice((*TEXTS, "\t", "NaN", "1e999", "9" * 5_000, "{", "]", ",", "//", "#", "\\ud800"))
        + text[start:]
    )


def _exchange(dice: Random, text: str) -> str:
    old, new = dice.sample(('"', "'", ":", ",", "{", "}", "[", "]", "\n", " ", "1", "true", "null", "id"), 2)
    return text.replace(old, new, dice.choice((1, 3, -1)))


TEXT_CHANGES: tuple[Callable[[Random, str], str], ...] = (
    *(_cut, _hole, _stuff, _stuff, _exchange),
    lambda dice, text: text.replace('"nodes"', '"nodes": [], "nodes"', 1),
    lambda dice, text: "\ufeff" + text.replace("\n", "\r\n"),
    lambda dice, text: text + text,
    lambda dice, text: "[" * dice.choice((50, 5_000)) + text,
)


def _bomb(dice: Random, text: str) -> str:
    levels = dice.randint(3, 30)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join([*lines, f"id: bomb\nname: *a{levels - 1}"])


YAML_MARKS = ("!!python/object/apply:os.system", "!!binary", "!x", "!!set", "!!int", "&b", "*b")
YAML_CHANGES: tuple[Callable[[Random, str], str], ...] = (
    *TEXT_CHANGES,
    *(_bomb, _bomb),
    lambda dice, text: f"%YAML {dice.choice(('1.1', '1.2', '9.9'))}\n---\n{text}\n...\n",
    lambda dice, text: f"{text}\n---\n{text}",
    lambda dice, text: f"&a {text}",
    lambda dice, text: f"{{x: &x {{y: *x}}, id: *x, nodes: {text}}}",
    lambda dice, text: text.replace(": ", f": {dice.choice(YAML_MARKS)} ", 1),
    lambda dice, text: text.replace("config:", "config: &c", 1).replace("config: {", "<<: *c\nconfig: {", 1),
    lambda dice, text: text.replace("- ", "? - ", 1),
    lambda dice, text: f"base: &base {{type: set}}\n<<: *base\n{text}",
    lambda dice, text: text.replace("  ", "\t", 1),
    lambda dice, text: f"id: |\n  {text[:50]}\nnodes: >-\n  x",
)  # fmt: skip


def files(numbers: range, folder: Path) -> dict[str, int]:
    """Write mutants into a folder; return their numbers by the names of their files."""
    written = {}
    for number in numbers:
        name, content = mutant(number)
        (folder / name).write_bytes(content)
        written[name] = number
    return written
