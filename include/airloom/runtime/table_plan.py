"""What the table nodes of a step come to: a query for each of their outputs, made once and run as often as needed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.checks.blame import Blame
from airloom.engine.reading import select_all, select_files, select_nothing, with_tables
from airloom.engine.reference import TableReference
from airloom.engine.relation import Columns, Relation
from airloom.engine.scan import Scan
from airloom.engine.shapes import Shapes, scan_columns
from airloom.engine.storage import Files
from airloom.engine.types import spelled
from airloom.nodes.calling import queries_of
from airloom.spec.document import Counts, EngineName
from airloom.spec.error import AirloomError, ConfigurationError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class TableNode:
    """One node of the work: its rendered config, the live sources of each input, and the plan's SQL where it holds."""

    id: str
    type: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, list[str]]
    many: frozenset[str]
    outputs: tuple[str, ...]
    sql: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    file: str = ""

    @property
    def sources(self) -> list[str]:
        """Return the `node.port` of every table that it reads, in the order of its inputs."""
        return [source for sources in self.inputs.values() for source in sources]


@dataclass(frozen=True)
class TableWork:
    """What a child is given: nodes in topological order, tables that other steps left, places for what leaves.

    What leaves may be of several nodes. With `sample_rows`, a scan gives no more rows than that. `counts` says whether
    the rows of what does not leave are counted.
    """

    nodes: tuple[TableNode, ...]
    sources: Mapping[str, TableReference]
    targets: Mapping[str, str]
    files: Files
    memory_limit: int
    threads: int
    engine: EngineName = "duckdb"
    spark_master: str | None = None
    scratch: str = ""
    sample_rows: int | None = None
    counts: Counts = "small"


class CompiledTables:
    """Hold a query for each `node.port` of a work, over the names of what it reads, and the columns of all.

    It holds for all sources of the columns that it was made for. Where a node asked for values of its sources, to name
    columns by them, it holds for these sources alone.
    """

    def __init__(self, sources: Mapping[str, TableReference], connection: DuckDBPyConnection) -> None:
        self.sources = dict(sources)
        self.tables: dict[str, str] = {}
        self.values_asked = False
        self._connection = connection
        self._columns: dict[str, Columns] = {}
        self._empty: dict[str, str] = {}
        for name, reference in sources.items():
            self.keep(name, reference.columns)

    def keep(self, name: str, columns: Columns) -> None:
        """Keep the columns of a source or a scan: for queries over it, an empty table stands in its place."""
        self._columns[name] = columns
        self._empty[name] = select_nothing(columns)

    def add(self, name: str, text: str, columns: Columns | None = None) -> None:
        """Keep a query, and its columns where they are known."""
        self.tables[name] = text
        if columns is not None:
            self._columns[name] = columns

    def columns(self, name: str) -> Columns:
        """Return the columns of a source or an output."""
        if name not in self._columns:
            # Over empty tables: DuckDB would look at the files each time.
            queries = {table: text for table, text in self.tables.items() if table not in self._empty}
            tables = {**self._empty, **queries}
            rows = self._connection.execute("DESCRIBE " + with_tables(tables, select_all(name))).fetchall()
            self._columns[name] = {row[0]: spelled(row[1]) for row in rows}
        return self._columns[name]

    def holds_for(self, sources: Mapping[str, TableReference]) -> bool:
        """Tell whether the queries are right for these sources, too."""
        if self.values_asked:
            return self.sources == sources
        return _shapes_of(self.sources) == _shapes_of(sources)


def _shapes_of(sources: Mapping[str, TableReference]) -> dict[str, list[tuple[str, str]]]:
    return {name: list(reference.columns.items()) for name, reference in sources.items()}


Values = Callable[[CompiledTables, str, str, int], list[Any]]
"""What answers a node that asks for the values of a column: queries so far, source, column, how many at most."""


def compile_tables(
    work: TableWork,
    sources: Mapping[str, TableReference],
    made: Mapping[str, Any],
    scans: Mapping[str, tuple[Scan, list[str]]],
    connection: DuckDBPyConnection,
    values: Values,
) -> CompiledTables:
    """Return the queries of a work's nodes, which are in `made`; `scans` are its file sources with their local files.

    No row is read but for the `values` that a node asks for. Raises AirloomError that names the node.
    """
    compiled = CompiledTables(sources, connection)
    with contextlib.ExitStack() as stack:
        compiler = _Compiler(work, compiled, connection, values, stack)
        for node in work.nodes:
            with blamed(node.id):
                if node.id in scans:
                    compiler.add_scan(node, *scans[node.id])
                elif made[node.id].method == "query":
                    compiler.add_queries(node, made[node.id])
    return compiled


class _Compiler:
    def __init__(
        self,
        work: TableWork,
        compiled: CompiledTables,
        connection: DuckDBPyConnection,
        values: Values,
        stack: contextlib.ExitStack,
    ) -> None:
        self.work = work
        self.compiled = compiled
        self.connection = connection
        self.values = values
        self.stack = stack

    def add_scan(self, node: TableNode, scan: Scan, paths: list[str]) -> None:
        columns = scan_columns(scan, self.connection, paths, whole=True)
        name = f"{node.id}.{node.outputs[0]}"
        self.compiled.keep(name, columns)
        text = select_files(scan.format, paths, scan.options, columns, [file.uri for file in scan.files])
        self.compiled.add(name, limited(text, self.work.sample_rows))

    def add_queries(self, node: TableNode, made: Any) -> None:
        if node.sql and all(self._as_planned(node, source) for source in node.sources):
            for port, text in node.sql.items():
                self.compiled.add(f"{node.id}.{port}", text)
            return
        relations: dict[str, Relation | list[Relation] | None] = {}
        for port, sources in node.inputs.items():
            known = [self._relation(source) for source in sources]
            relations[port] = known if port in node.many else (known[0] if known else None)
        for source in node.sources:
            if source not in self._shapes.columns:
                self._shapes.add(source, self.compiled.columns(source))
        queries = queries_of(made, relations)
        for at, fault in Blame(made, node.config, relations, self._shapes).sure_faults(queries):
            fault.field = fault.field or at.lstrip("/")
            raise fault
        for port, query in queries.items():
            self.compiled.add(f"{node.id}.{port}", *self._shapes.describe(query))

    def _relation(self, source: str) -> Relation:
        columns = self.compiled.columns(source)
        return Relation(source, columns, distinct=functools.partial(self._distinct, source), engine=self.work.engine)

    def _distinct(self, source: str, column: str, limit: int) -> list[Any]:
        self.compiled.values_asked = True
        return self.values(self.compiled, source, column, limit)

    def _as_planned(self, node: TableNode, source: str) -> bool:
        return node.columns.get(source) == tuple(self.compiled.columns(source).items())

    @functools.cached_property
    def _shapes(self) -> Shapes:
        # Making one takes longer than most queries take to be bound.
        return self.stack.enter_context(Shapes())


def limited(text: str, rows: int | None) -> str:
    """Return a query that gives no more rows than that."""
    return text if rows is None else f"FROM ({text}) LIMIT {rows}"


def shared_tables(nodes: tuple[TableNode, ...], executed: Collection[str], candidates: Collection[str]) -> list[str]:
    """Return which tables to compute once, in the order in which they are to be: those that several queries need.

    `executed` are the outputs that are written, and the nodes that write what they read. Each is a query of its own, as
    is each table that is computed once; any other table is part of every query that reads it.
    """
    readers: dict[str, list[str]] = {}
    for node in nodes:
        names = [f"{node.id}.{port}" for port in node.outputs] if node.id not in executed else [node.id]
        for source in dict.fromkeys(node.sources):
            readers.setdefault(source, []).extend(names)
    outputs = [f"{node.id}.{port}" for node in nodes for port in node.outputs]
    order = [*(source for source in readers if source not in outputs), *outputs]
    needed_by: dict[str, set[str]] = {}
    shared: list[str] = []
    for name in reversed(order):
        queries = {name} if name in executed else set()
        for reader in readers.get(name, ()):
            queries |= {reader} if reader in executed or reader in shared else needed_by.get(reader, set())
        if len(queries) > 1 and name in candidates:
            shared.insert(0, name)
        needed_by[name] = queries
    return shared


@contextlib.contextmanager
def blamed(node: str) -> Iterator[None]:
    """Let an error name this node, if it names none."""
    try:
        yield
    except AirloomError as error:
        if error.node is None:
            error.node = node
        raise
    except OSError as error:
        raise ConfigurationError(
            f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), node=node
        ) from error
