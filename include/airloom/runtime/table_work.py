"""The work of a table step, in a child process that can be killed: one DuckDB query over its nodes."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.engine.faults import Sieve, first_fault
from airloom.engine.prepare import ready_files
from airloom.engine.reading import (
    copy_to,
    quoted,
    select_all,
    select_distinct,
    select_files,
    select_nothing,
    with_tables,
)
from airloom.engine.reference import TableReference
from airloom.engine.relation import Columns, Relation
from airloom.engine.scan import Copy, Scan
from airloom.engine.shapes import Shapes, plain_message, scan_columns
from airloom.engine.storage import Files, disk_fault, part_folder, put_file
from airloom.engine.tables import local_paths, select_reference, write_rejects
from airloom.nodes.calling import queries_of
from airloom.nodes.catalog import catalog
from airloom.runtime.rendering import make_node
from airloom.spec.document import EngineName
from airloom.spec.error import AirloomError, ConfigurationError, DataError


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


@dataclass(frozen=True)
class TableWork:
    """What a child is given: nodes in topological order, tables that other steps left, places for what leaves.

    With `sample_rows`, a scan gives no more rows than that.
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


@dataclass
class TableDone:
    """What a child gives back: a reference for each output that leaves, and what sinks wrote."""

    outputs: dict[str, TableReference] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0


def run_table_work(work: TableWork) -> TableDone:
    """Run the nodes as one query; raise AirloomError that names the node where that can be told."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        done = _session_class(work.engine)(work, stack).run()
    done.seconds = time.monotonic() - started
    return done


def _session_class(engine: EngineName) -> type[Session]:
    if engine == "duckdb":
        return Session
    from airloom.runtime.spark_work import SparkSession

    return SparkSession


class Session:
    """Run the nodes of a step with DuckDB; what another engine does otherwise is a method of its own."""

    def __init__(self, work: TableWork, stack: contextlib.ExitStack) -> None:
        from airloom.engine import duck

        self.work = work
        self.scans: dict[str, tuple[Scan, list[str]]] = {}
        self.made: dict[str, Any] = {}
        self.tables: dict[str, str] = {}
        self.columns: dict[str, Columns] = {}
        self.empty: dict[str, str] = {}
        self.copies: dict[str, tuple[Copy, str, str]] = {}
        self.parts: dict[str, str] = {}
        self.shapes: Shapes | None = None
        self.stack = stack
        readable, self.paths = self._readable()
        for uri in work.targets.values():
            self._part(uri)
        for node in work.nodes:
            self._prepare_copy(node)
        writable = [*self.parts.values(), *(folder for _, folder, _ in self.copies.values()), *self._folders()]
        self.connection = stack.enter_context(
            contextlib.closing(
                duck.connect(
                    memory_limit=f"{work.memory_limit}B",
                    threads=work.threads,
                    temp_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="airloom-spill-")),
                    read=readable,
                    write=writable,
                )
            )
        )
        for name, reference in work.sources.items():
            self.tables[name] = select_reference(reference, self.paths[name])
            self._keep_columns(name, reference.columns)

    def _folders(self) -> list[str]:
        """Return the folders that DuckDB may write beside those of its results."""
        return []

    def _readable(self) -> tuple[list[str], dict[str, list[str]]]:
        paths = {name: self.stack.enter_context(local_paths(ref)) for name, ref in self.work.sources.items()}
        readable = [path for found in paths.values() for path in found]
        for node in self.work.nodes:
            made = self._node(node)
            if made.method == "scan":
                with _blamed(node.id):
                    scan = made.scan(self.work.files)
                    local = ready_files(scan, self.stack)
                self.scans[node.id] = (scan, local)
                readable.extend(local)
        return readable, paths

    def _part(self, uri: str) -> str:
        if uri not in self.parts:
            folder = part_folder(uri)
            self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self.parts[uri] = folder
        return self.parts[uri]

    def _prepare_copy(self, node: TableNode) -> None:
        made = self._node(node)
        if made.method != "copy_to":
            return
        with _blamed(node.id):
            copy = made.copy_to()
            target = self.work.files.resolve(copy.path)
            if os.path.isdir(target):
                raise ConfigurationError(f"{copy.path!r} is a folder", field="path", hint="name a file in it")
            folder = part_folder(target)
        self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.copies[node.id] = (copy, folder, target)

    def _node(self, node: TableNode) -> Any:
        if node.id not in self.made:
            with _blamed(node.id):
                self.made[node.id] = make_node(catalog().get(node.type, node.version), node.config)
        return self.made[node.id]

    def run(self) -> TableDone:
        done = TableDone()
        for node in self.work.nodes:
            with _blamed(node.id):
                if node.id in self.scans:
                    self._add_scan(node, done)
                elif node.id not in self.copies:
                    self._add_queries(node)
        self._share_inputs()
        for name, uri in self.work.targets.items():
            source = name.partition(".")[0]
            if name in done.outputs:
                continue
            with _blamed(source):
                done.outputs[name] = self._write(name, uri)
        for sink, (copy, folder, target) in self.copies.items():
            with _blamed(sink):
                done.written[sink] = self._copy(sink, copy, folder, target)
        return done

    def _add_scan(self, node: TableNode, done: TableDone) -> None:
        scan, paths = self.scans[node.id]
        name = f"{node.id}.{node.outputs[0]}"
        columns = scan_columns(scan, self.connection, paths, whole=True)
        self._keep_columns(name, columns)
        uris = [file.uri for file in scan.files]
        self.tables[name] = self._limited(select_files(scan.format, paths, scan.options, columns, uris))
        if len(node.outputs) > 1:
            self._sift(node, scan, paths, columns, done)
        elif self.work.sample_rows is None and name in self.work.targets and scan.format == "parquet":
            done.outputs[name] = TableReference(columns, scan=scan, bytes=scan.size)

    def _sift(self, node: TableNode, scan: Scan, paths: list[str], columns: Columns, done: TableDone) -> None:
        """Write the rows of text files that fit, and a table of what does not."""
        rows, rejects = (f"{node.id}.{port}" for port in node.outputs)
        sieve = Sieve(self.connection, scan, paths, columns)
        self.tables[rows] = self._limited(sieve.good)
        done.outputs[rows] = self._write(rows, self.work.targets[rows])
        done.outputs[rejects] = write_rejects(sieve.faults(), self.work.targets[rejects])

    def _limited(self, text: str) -> str:
        return text if self.work.sample_rows is None else f"FROM ({text}) LIMIT {self.work.sample_rows}"

    def _add_queries(self, node: TableNode) -> None:
        sources = [source for found in node.inputs.values() for source in found]
        if node.sql and all(self._as_planned(node, source) for source in sources):
            for port, text in node.sql.items():
                self._add(f"{node.id}.{port}", text, node)
            return
        relations: dict[str, Relation | list[Relation] | None] = {}
        for port, found in node.inputs.items():
            known = [
                Relation(
                    source,
                    self._known(source),
                    distinct=functools.partial(self._distinct, source),
                    engine=self.work.engine,
                )
                for source in found
            ]
            relations[port] = known if port in node.many else (known[0] if known else None)
        shapes = self._shapes()
        for source in sources:
            if source not in shapes.columns:
                shapes.add(source, self._known(source))
        for port, query in queries_of(self._node(node), relations).items():
            name = f"{node.id}.{port}"
            text, columns = shapes.describe(query)
            self.columns[name] = columns
            self._add(name, text, node)

    def _as_planned(self, node: TableNode, source: str) -> bool:
        return node.columns.get(source) == tuple(self._known(source).items())

    def _keep_columns(self, name: str, columns: Columns) -> None:
        self.columns[name] = columns
        self.empty[name] = select_nothing(columns)

    def _known(self, source: str) -> Columns:
        if source not in self.columns:
            # Over empty tables: DuckDB would look at the files each time.
            tables = {**self.tables, **self.empty}
            rows = self.connection.execute("DESCRIBE " + with_tables(tables, select_all(source))).fetchall()
            self.columns[source] = {row[0]: row[1] for row in rows}
        return self.columns[source]

    def _distinct(self, source: str, column: str, limit: int) -> list[Any]:
        query = with_tables(self.tables, select_distinct(source, column, limit))
        with _plain_errors():
            # Through Arrow: DuckDB's own rows of times with a zone need a package more.
            values: list[Any] = self.connection.sql(query).to_arrow_table().column(0).to_pylist()
        return values

    def _add(self, name: str, text: str, node: TableNode) -> None:
        """Take a node's query up; `node` is where it comes from."""
        self.tables[name] = text

    def _shapes(self) -> Shapes:
        if self.shapes is None:
            self.shapes = self.stack.enter_context(Shapes())
        return self.shapes

    def _share_inputs(self) -> None:
        # Several outputs leave the exit node: what they read is computed once.
        leaving = [name for name in self.work.targets if name.partition(".")[0] not in self.scans]
        if len(leaving) < 2:
            return
        exit_node = self.work.nodes[-1]
        for source in dict.fromkeys(name for found in exit_node.inputs.values() for name in found):
            with _blamed(source.partition(".")[0]):
                self._share(source)

    def _share(self, source: str) -> None:
        table = f"shared {source}"
        self._execute(f"CREATE TEMP TABLE {quoted(table)} AS " + with_tables(self.tables, select_all(source)))
        self.tables[source] = select_all(table)

    def _write(self, name: str, uri: str) -> TableReference:
        path = os.path.join(self.parts[uri], "rows.parquet")
        query = with_tables(self.tables, select_all(name))
        rows = self._execute(copy_to(query, path, "parquet", {"compression": "snappy"}))
        size = os.path.getsize(path)
        columns = self._known(name)
        put_file(path, uri)
        return TableReference(columns, uri=uri, rows=rows, bytes=size)

    def _copy(self, node_id: str, copy: Copy, folder: str, target: str) -> dict[str, Any]:
        node = next(node for node in self.work.nodes if node.id == node_id)
        source = next(iter(node.inputs.values()))[0]
        path = os.path.join(folder, Path(target).name)
        rows = self._execute(copy_to(with_tables(self.tables, select_all(source)), path, copy.format, copy.options))
        put_file(path, target)
        return {"rows": rows, "target": target}

    def _execute(self, text: str) -> int:
        with _plain_errors(self._fault):
            row = self.connection.execute(text).fetchone()
        return int(row[0]) if row else 0

    def _fault(self) -> AirloomError | None:
        """Return what is wrong in a file that the query reads, if that made it fail."""
        read = [(node, *found, self.columns[f"{node}.rows"]) for node, found in self.scans.items()]
        for node, scan, paths, columns in read:
            fault = first_fault(self.connection, scan, paths, columns)
            if fault is not None:
                error = fault.error()
                error.node = node
                return error
        return None


@contextlib.contextmanager
def _plain_errors(fault: Callable[[], AirloomError | None] = lambda: None) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise DataError(
            f"the step needs more than its memory: {plain_message(error)}",
            hint="raise AIRLOOM_MEMORY_LIMIT, or use settings.engine: spark",
        ) from None
    except duckdb.Error as error:
        raise disk_fault(error) or fault() or DataError(plain_message(error)) from None


@contextlib.contextmanager
def _blamed(node: str) -> Any:
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
