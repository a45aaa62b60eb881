"""Table nodes compiled once and executed many times; what several queries of a step need is computed once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.engine.batches import Batches
from airloom.engine.child import run_in_child
from airloom.engine.reference import TableReference
from airloom.engine.storage import Files
from airloom.engine.tables import first_rows, write_batches
from airloom.runtime.table_plan import TableNode, TableWork, shared_tables
from airloom.runtime.table_work import Session, TableDone, run_table_work
from airloom.spec.error import DataError

Rows = list[dict[str, Any]]


def table_node(identifier: str, kind: str, *sources: str, ports: str = "rows", **config: Any) -> TableNode:
    """Return a node whose one input has these sources, one alone unless it is a concat."""
    many = frozenset({"tables"}) if kind == "concat" else frozenset[str]()
    inputs = {"tables" if many else "rows": list(sources)} if sources else {}
    return TableNode(identifier, kind, 1, config, inputs, many, tuple(ports.split()))


class Desk:
    """A folder with tables, and works over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def table(self, name: str, rows: Rows) -> TableReference:
        """Write a table."""
        found = pyarrow.Table.from_pylist(rows)
        return write_batches(Batches(found.schema, found.to_batches()), str(self.folder / f"{name}.parquet"))

    def target(self, name: str) -> str:
        """Return a place for a table."""
        return str(self.folder / "results" / f"{name}.parquet")

    def work(self, *nodes: TableNode, sources: Mapping[str, TableReference], leaving: str) -> TableWork:
        """Return a work of which these outputs leave."""
        targets = {name: self.target(name) for name in leaving.split()}
        return TableWork(nodes, sources, targets, Files(self.folder, (str(self.folder),)), 500_000_000, 1)

    @contextlib.contextmanager
    def session(self, work: TableWork) -> Iterator[Session]:
        """Open a session that reaches the whole folder."""
        with contextlib.ExitStack() as stack:
            yield Session(work, stack, [str(self.folder)])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return an empty desk."""
    return Desk(tmp_path)


def rows(done: TableDone, name: str) -> Rows:
    return first_rows(done.outputs[name], 100)


LARGE = (
    table_node("large", "filter", "in.rows", where="n > 1"),
    table_node("count", "aggregate", "large.rows", by=["name"], measures={"rows": {"op": "count"}}),
)
FIRST = [{"name": "a", "n": 1}, {"name": "b", "n": 2}, {"name": "b", "n": 3}]
SECOND = [{"name": "c", "n": 5}, {"name": "d", "n": 0}]


def test_a_work_is_compiled_once_and_executed_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    work = desk.work(*LARGE, sources={"in.rows": desk.table("first", FIRST)}, leaving="large.rows count.rows")
    with desk.session(work) as session:
        compiled = session.compile(work.sources)
        assert list(desk.folder.glob("results/*.parquet")) == []
        monkeypatch.delattr(Session, "compile")
        first = session.execute(compiled, work.sources, work.targets)
        sources = {"in.rows": desk.table("second", SECOND)}
        targets = {name: desk.target(f"second.{name}") for name in work.targets}
        second = session.execute(compiled, sources, targets)
        again = session.execute(compiled, work.sources, {"count.rows": desk.target("again")})
    assert rows(first, "large.rows") == FIRST[1:]
    assert rows(first, "count.rows") == rows(again, "count.rows") == [{"name": "b", "rows": 2}]
    assert rows(second, "large.rows") == SECOND[:1]
    assert rows(second, "count.rows") == [{"name": "c", "rows": 1}]
    assert [second.outputs[name].uri for name in targets] == list(targets.values())
    # Nothing is left beside the tables.
    assert {path.suffix for path in desk.folder.rglob("*") if path.is_file()} == {".parquet"}
    assert len(list((desk.folder / "results").iterdir())) == 5


def test_sources_of_other_columns_are_compiled_anew(desk: Desk) -> None:
    work = desk.work(LARGE[0], sources={"in.rows": desk.table("first", FIRST)}, leaving="large.rows")
    with desk.session(work) as session:
        compiled = session.compile(work.sources)
        other = {"in.rows": desk.table("other", [{"n": 1.5, "day": "x"}])}
        assert not compiled.holds_for(other)
        done = session.execute(compiled, other, {"large.rows": desk.target("other")})
        assert rows(done, "large.rows") == [{"n": 1.5, "day": "x"}]
        assert done.outputs["large.rows"].columns == {"n": "DOUBLE", "day": "VARCHAR"}
        assert rows(session.execute(compiled, work.sources, work.targets), "large.rows") == FIRST[1:]


def test_what_names_columns_by_values_holds_for_its_own_sources_alone(desk: Desk) -> None:
    wide = table_node("wide", "pivot", "in.rows", column="name", value="n")
    work = desk.work(wide, sources={"in.rows": desk.table("first", FIRST)}, leaving="wide.rows")
    with desk.session(work) as session:
        compiled = session.compile(work.sources)
        assert compiled.holds_for(work.sources)
        second = {"in.rows": desk.table("second", SECOND)}
        assert not compiled.holds_for(second)
        first = session.execute(compiled, work.sources, work.targets)
        done = session.execute(compiled, second, {"wide.rows": desk.target("second")})
    assert sorted(first.outputs["wide.rows"].columns) == ["a", "b"]
    assert sorted(done.outputs["wide.rows"].columns) == ["c", "d"]


def test_a_fault_of_one_execution_leaves_the_next_one_alone(desk: Desk) -> None:
    typed = table_node("typed", "cast", "in.rows", columns={"name": "INTEGER"})
    last = table_node("last", "limit", "typed.rows", rows=9)
    work = desk.work(typed, last, sources={"in.rows": desk.table("first", FIRST)}, leaving="typed.rows last.rows")
    with desk.session(work) as session:
        compiled = session.compile(work.sources)
        with pytest.raises(DataError) as error:
            session.execute(compiled, work.sources, work.targets)
        assert error.value.node == "typed"
        good = {"in.rows": desk.table("good", [{"name": "7", "n": 1}])}
        for _ in range(2):
            done = session.execute(compiled, good, work.targets)
            assert rows(done, "last.rows") == rows(done, "typed.rows") == [{"name": 7, "n": 1}]


def test_outputs_of_several_nodes_leave_one_step(desk: Desk) -> None:
    (desk.folder / "in.csv").write_text("name,n\na,1\nb,2\nb,3\n")
    read = table_node("read", "csv_read", path="in.csv")
    large = replace(LARGE[0], inputs={"rows": ["read.rows"]})
    write = table_node("write", "csv_write", "large.rows", ports="done", path="out.csv")
    # A process of its own: it leaves its database open.
    done = run_in_child(
        run_table_work,
        desk.work(read, large, LARGE[1], write, sources={}, leaving="read.rows large.rows count.rows"),
        timeout=60,
    )
    assert rows(done, "read.rows") == FIRST
    assert rows(done, "large.rows") == FIRST[1:]
    assert rows(done, "count.rows") == [{"name": "b", "rows": 2}]
    assert done.written["write"]["rows"] == 2
    assert (desk.folder / "out.csv").read_text() == "name,n\nb,2\nb,3\n"


# What is computed once


def shared(leaving: str, *nodes: TableNode) -> list[str]:
    candidates = [f"{node.id}.{port}" for node in nodes for port in node.outputs]
    return shared_tables(nodes, leaving.split(), candidates)


def test_what_several_queries_need_is_computed_once() -> None:
    a = table_node("a", "filter", "in.rows")
    b = table_node("b", "filter", "a.rows")
    c = table_node("c", "filter", "b.rows")
    d = table_node("d", "filter", "b.rows")
    split = table_node("split", "split_rows", "b.rows", ports="yes no")
    sink = table_node("sink", "csv_write", "b.rows", ports="done")
    both = table_node("both", "concat", "c.rows", "d.rows")
    assert shared("c.rows", a, b, c) == []
    assert shared("b.rows c.rows", a, b, c) == ["b.rows"]
    assert shared("a.rows c.rows", a, b, c) == ["a.rows"]
    assert shared("c.rows d.rows", a, b, c, d) == ["b.rows"]
    assert shared("split.yes split.no", a, b, split) == ["b.rows"]
    assert shared("b.rows sink", a, b, sink) == ["b.rows"]
    # Within one query, DuckDB sees to it.
    assert shared("both.rows", a, b, c, d, both) == []
    assert shared("a.rows both.rows c.rows", a, b, c, d, both) == ["a.rows", "b.rows", "c.rows"]


@st.composite
def works(draw: st.DrawFn) -> tuple[list[TableNode], list[str]]:
    nodes: list[TableNode] = []
    names = ["in.rows"]
    for index in range(draw(st.integers(1, 8))):
        sources = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        nodes.append(table_node(f"n{index}", "concat", *sources, ports=draw(st.sampled_from(["rows", "yes no"]))))
        names += [f"n{index}.{port}" for port in nodes[-1].outputs]
    return nodes, draw(st.lists(st.sampled_from(names[1:]), min_size=1, unique=True))


@given(works())
def test_no_table_is_part_of_two_queries(work: tuple[list[TableNode], list[str]]) -> None:
    nodes, leaving = work
    once = shared(" ".join(leaving), *nodes)
    assert once == sorted(once, key=[f"{node.id}.{port}" for node in nodes for port in node.outputs].index)
    sources = {f"{node.id}.{port}": node.sources for node in nodes for port in node.outputs}
    needed: dict[str, set[str]] = {name: set() for name in sources}
    parts: dict[str, set[str]] = {name: set() for name in sources}
    for query in {*once, *leaving}:
        waiting = [query]
        while waiting:
            name = waiting.pop()
            parts[name].add(query)
            for source in sources[name]:
                if source in once:
                    needed[source].add(query)
                elif source in sources:
                    waiting.append(source)
    assert all(len(queries) <= 1 for queries in parts.values())
    assert all(len(needed[name]) + (name in leaving) > 1 for name in once)
