"""The work of a table step, in a child process that can be killed: its nodes' queries by DuckDB, as few as may be."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from airloom.engine.faults import Sieve, first_fault
from airloom.engine.prepare import ready_files
from airloom.engine.quoting import quoted
from airloom.engine.reading import copy_to, select_all, select_distinct, with_tables
from airloom.engine.reference import TableReference
from airloom.engine.relation import Columns
from airloom.engine.scan import Copy, Scan
from airloom.engine.shapes import plain_message
from airloom.engine.storage import disk_fault, part_folder, put_file
from airloom.engine.tables import local_paths, select_reference, write_rejects
from airloom.nodes.catalog import catalog
from airloom.runtime.rendering import make_node
from airloom.runtime.table_plan import (
    CompiledTables,
    TableNode,
    TableWork,
    blamed,
    compile_tables,
    limited,
    shared_tables,
)
from airloom.spec.document import EngineName
from airloom.spec.error import AirloomError, ConfigurationError, DataError

log = logging.getLogger(__name__)
SMALL_ROWS = 1_000_000
SMALL_BYTES = 50_000_000
MOST_FILES = 100
"""So many files of a source are kept with how its node ended."""


@dataclass
class TableDone:
    """What a child gives back: a reference for each output that leaves, what sinks wrote, rows of what stays inside.

    `read` are the files that each source read, as they were, where they are few.
    """

    outputs: dict[str, TableReference] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    read: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seconds: float = 0.0


_left_open: list[Any] = []


def run_table_work(work: TableWork) -> TableDone:
    """Run the nodes as one query; raise AirloomError that names the node where that can be told.

    To be run in a process of its own, which ends with its database open: to close it has crashed forked processes now
    and then, where a thread of DuckDB ends (SIGSEGV in the thread's clean-up by Arrow's jemalloc), and took the result
    with them. What sets it off is not known: with either memory pool of Arrow, hundreds of closings went well.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        session = session_class(work.engine)(work, stack, close=False)
        _left_open.append(session.connection)
        done = session.execute(session.compile(work.sources), work.sources, work.targets)
    done.seconds = time.monotonic() - started
    return done


@dataclass
class _Standing:
    """A session that stays open for works that differ in their sources and targets alone, and what it compiled."""

    session: Session
    compiled: CompiledTables


_standing: dict[str, _Standing] = {}


def run_alike(work: TableWork, key: str, folder: str, lasting: Mapping[str, TableReference]) -> TableDone:
    """Run a work as `run_table_work` does, in the session of an earlier one of the same key, where there is one.

    Works of a key read no files but their sources, and differ in these and in their targets alone: `lasting` are the
    sources that all have, the others lie in `folder` or are brought here for each work. To be run in a process of its
    own that ends some time.
    """
    started = time.monotonic()
    standing = _standing.pop(key, None)
    if standing is None:
        stack = contextlib.ExitStack()
        folders = [place for place in (folder, tempfile.gettempdir()) if place]
        session = Session(replace(work, sources=lasting, targets={}), stack, folders, close=False)
        _left_open.append((session, stack))
        standing = _Standing(session, session.compile(work.sources))
    elif not standing.compiled.holds_for(work.sources):
        standing.compiled = standing.session.compile(work.sources)
    done = standing.session.execute(standing.compiled, work.sources, work.targets)
    # What failed begins anew.
    _standing[key] = standing
    done.seconds = time.monotonic() - started
    return done


def session_class(engine: EngineName) -> type[Session]:
    """Return the session of an engine."""
    if engine == "duckdb":
        return Session
    from airloom.runtime.spark_work import SparkSession

    return SparkSession


class Session:
    """Hold a database in which the nodes of a work are compiled once, and executed as often as there are sources.

    The database reaches the files of the work, the sources and targets that the work names, and `folders`: there lie
    those of further executions.
    """

    def __init__(
        self, work: TableWork, stack: contextlib.ExitStack, folders: Sequence[str] = (), *, close: bool = True
    ) -> None:
        from airloom.engine import duck

        self.work = work
        self.stack = stack
        self.made: dict[str, Any] = {}
        self.scans: dict[str, tuple[Scan, list[str]]] = {}
        self.copies: dict[str, tuple[Copy, str, str]] = {}
        self.parts: dict[str, str] = {}
        self.temporary: list[str] = []
        self._begun: Execution | None = None
        self._paths = {name: stack.enter_context(local_paths(ref)) for name, ref in work.sources.items()}
        readable = [path for paths in self._paths.values() for path in paths]
        for node in work.nodes:
            with blamed(node.id):
                self.made[node.id] = make_node(catalog().get(node.type, node.version, node.file), node.config)
                if self.made[node.id].method == "scan":
                    readable += self._prepare_scan(node)
        for uri in work.targets.values():
            self.prepare_target(uri, stack)
        for node in work.nodes:
            if self.made[node.id].method == "copy_to":
                self._prepare_copy(node)
        copied = [folder for _, folder, _ in self.copies.values()]
        self.connection = duck.connect(
            memory_limit=f"{work.memory_limit}B",
            threads=work.threads,
            temp_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="airloom-spill-")),
            read=readable,
            write=[*self.parts.values(), *copied, *folders, *self._folders()],
        )
        if close:
            stack.callback(self.connection.close)

    def _folders(self) -> list[str]:
        """Return the folders that the database may write beside those of its results."""
        return []

    def _prepare_scan(self, node: TableNode) -> list[str]:
        scan = self.made[node.id].scan(self.work.files)
        local = ready_files(scan, self.stack)
        self.scans[node.id] = (scan, local)
        return local

    def prepare_target(self, uri: str, stack: contextlib.ExitStack) -> None:
        """Make a folder to write a target in, which goes with `stack`; where there is one, do nothing."""
        if uri not in self.parts:
            self.parts[uri] = part_folder(uri)
            stack.callback(shutil.rmtree, self.parts[uri], ignore_errors=True)
            stack.callback(self.parts.pop, uri)

    def _prepare_copy(self, node: TableNode) -> None:
        with blamed(node.id):
            copy = self.made[node.id].copy_to()
            target = self.work.files.resolve(copy.path)
            if os.path.isdir(target):
                raise ConfigurationError(f"{copy.path!r} is a folder", field="path", hint="name a file in it")
            folder = part_folder(target)
        self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.copies[node.id] = (copy, folder, target)

    def paths_of(self, name: str, reference: TableReference, stack: contextlib.ExitStack) -> list[str]:
        """Return the local files of a source."""
        own = self.work.sources.get(name) == reference
        return self._paths[name] if own else stack.enter_context(local_paths(reference))

    def compile(self, sources: Mapping[str, TableReference]) -> CompiledTables:
        """Return the queries of the nodes over sources of these columns; raise AirloomError that names the node."""

        def values(compiled: CompiledTables, source: str, column: str, limit: int) -> list[Any]:
            if self._begun is None or self._begun.compiled is not compiled:
                self._begun = self._execution(compiled, sources, self.stack)
            return self._begun.values(source, column, limit)

        return compile_tables(self.work, sources, self.made, self.scans, self.connection, values)

    def execute(
        self, compiled: CompiledTables, sources: Mapping[str, TableReference], targets: Mapping[str, str]
    ) -> TableDone:
        """Write what leaves to its targets, and what sinks write; raise AirloomError that names the node.

        Where the sources are not of the columns that `compiled` was made for, the nodes are compiled anew.
        """
        if not compiled.holds_for(sources):
            compiled = self.compile(sources)
        begun, self._begun = self._begun, None
        with contextlib.ExitStack() as stack:
            if begun is None or begun.compiled is not compiled or begun.sources != sources:
                begun = self._execution(compiled, sources, stack)
            for uri in targets.values():
                self.prepare_target(uri, stack)
            return begun.run(targets)

    def _execution(
        self, compiled: CompiledTables, sources: Mapping[str, TableReference], stack: contextlib.ExitStack
    ) -> Execution:
        while self.temporary:
            self.connection.execute(f"DROP TABLE {quoted(self.temporary.pop())}")
        return Execution(self, compiled, sources, stack)


class Execution:
    """Run the queries of a work over its sources once; what another engine does otherwise is a method of its own."""

    def __init__(
        self,
        session: Session,
        compiled: CompiledTables,
        sources: Mapping[str, TableReference],
        stack: contextlib.ExitStack,
    ) -> None:
        self.session = session
        self.work = session.work
        self.scans = session.scans
        self.connection = session.connection
        self.compiled = compiled
        self.sources = sources
        self.paths = {name: session.paths_of(name, reference, stack) for name, reference in sources.items()}
        self.tables = {name: select_reference(reference, self.paths[name]) for name, reference in sources.items()}

    def values(self, source: str, column: str, limit: int) -> list[Any]:
        """Return the values of a column, but null, in order."""
        self._take_up()
        return self._distinct(source, column, limit)

    def run(self, targets: Mapping[str, str]) -> TableDone:
        """Write what leaves, and what sinks write."""
        done = TableDone()
        self._take_up()
        for node in self.work.nodes:
            if node.id in self.scans:
                files = self.scans[node.id][0].files
                if len(files) <= MOST_FILES:
                    done.read[node.id] = [asdict(file) for file in files]
                with blamed(node.id):
                    self._hand_on(node, targets, done)
        left = [name for name in targets if name not in done.outputs]
        for name in shared_tables(self.work.nodes, {*left, *self.session.copies}, self._shareable()):
            with blamed(name.partition(".")[0]):
                self._share(name)
        for name in left:
            with blamed(name.partition(".")[0]):
                done.outputs[name] = self._write(name, targets[name])
        for sink in self.session.copies:
            with blamed(sink):
                done.written[sink] = self._copy(sink)
        done.counts = self._count_inner([name for name in self.compiled.tables if name not in done.outputs])
        return done

    def _count_inner(self, names: Sequence[str]) -> dict[str, int]:
        """Return the rows of tables that do not leave, in one query for all, where that is cheap or wanted."""
        import duckdb

        if not names or self.work.counts == "none" or (self.work.counts == "small" and not self._is_small()):
            return {}
        counts = ", ".join(f"(SELECT count(*) FROM {quoted(name)})" for name in names)  # noqa: S608 quoted
        try:
            row = self.connection.execute(with_tables(self.tables, f"SELECT {counts}")).fetchone()
        except duckdb.Error as error:
            # The result is written: what nobody reads of its way there must not fail it.
            log.info("the rows inside of this step are not counted: %s", plain_message(error))
            return {}
        return dict(zip(names, row or (), strict=False))

    def _is_small(self) -> bool:
        scanned = sum(scan.size for scan, _ in self.scans.values())
        rows = [reference.rows for reference in self.sources.values()]
        read = sum(reference.bytes or 0 for reference in self.sources.values() if reference.rows is None)
        return sum(count or 0 for count in rows) < SMALL_ROWS and scanned + read < SMALL_BYTES

    def _take_up(self) -> None:
        """Let every query that is compiled by now stand for its table."""
        for node in self.work.nodes:
            with blamed(node.id):
                for name in (f"{node.id}.{port}" for port in node.outputs):
                    if name in self.compiled.tables and name not in self.tables:
                        self.tables[name] = self.compiled.tables[name]
                        if node.id not in self.scans:
                            self._add(name, node)

    def _add(self, name: str, node: TableNode) -> None:
        """Make ready what another engine needs of a query."""

    def _hand_on(self, node: TableNode, targets: Mapping[str, str], done: TableDone) -> None:
        """Let Parquet files that leave be read in place; sort the rows of text files that are to be sorted."""
        scan = self.scans[node.id][0]
        name = f"{node.id}.{node.outputs[0]}"
        if len(node.outputs) > 1:
            self._sift(node, targets, done)
        elif self.work.sample_rows is None and name in targets and scan.format == "parquet":
            done.outputs[name] = TableReference(self._columns(name), scan=scan, bytes=scan.size)

    def _sift(self, node: TableNode, targets: Mapping[str, str], done: TableDone) -> None:
        """Write the rows of text files that fit, and a table of what does not."""
        rows, rejects = (f"{node.id}.{port}" for port in node.outputs)
        sieve = Sieve(self.connection, *self.scans[node.id], self._columns(rows))
        self.tables[rows] = limited(sieve.good, self.work.sample_rows)
        done.outputs[rows] = self._write(rows, targets[rows])
        done.outputs[rejects] = write_rejects(sieve.faults(), targets[rejects])

    def _columns(self, name: str) -> Columns:
        return self.compiled.columns(name)

    def _distinct(self, source: str, column: str, limit: int) -> list[Any]:
        query = with_tables(self.tables, select_distinct(source, column, limit))
        with _plain_errors():
            # Through Arrow: DuckDB's own rows of times with a zone need a package more.
            values: list[Any] = self.connection.sql(query).to_arrow_table().column(0).to_pylist()
        return values

    def _shareable(self) -> list[str]:
        # Of Parquet, each query reads its own columns in place, which is quicker than a copy of the whole.
        parquet = {node for node, (scan, _) in self.scans.items() if scan.format == "parquet"}
        return [name for name in self.compiled.tables if name.partition(".")[0] not in parquet]

    def _share(self, name: str) -> None:
        """Compute a table once that several queries need."""
        table = f"shared {name}"
        self._execute(f"CREATE TEMP TABLE {quoted(table)} AS " + with_tables(self.tables, select_all(name)))
        self.session.temporary.append(table)
        self.tables[name] = select_all(table)

    def _write(self, name: str, uri: str) -> TableReference:
        path = os.path.join(self.session.parts[uri], "rows.parquet")
        query = with_tables(self.tables, select_all(name))
        rows = self._execute(copy_to(query, path, "parquet", {"compression": "snappy"}))
        size = os.path.getsize(path)
        columns = self._columns(name)
        put_file(path, uri)
        return TableReference(columns, uri=uri, rows=rows, bytes=size)

    def _copy(self, sink: str) -> dict[str, Any]:
        copy, folder, target = self.session.copies[sink]
        path = os.path.join(folder, Path(target).name)
        query = with_tables(self.tables, select_all(self._read_by(sink)))
        rows = self._execute(copy_to(query, path, copy.format, copy.options))
        put_file(path, target)
        return {"rows": rows, "target": target}

    def _read_by(self, sink: str) -> str:
        return next(node.sources[0] for node in self.work.nodes if node.id == sink)

    def _execute(self, text: str) -> int:
        with _plain_errors(self._fault):
            row = self.connection.execute(text).fetchone()
        return int(row[0]) if row else 0

    def _fault(self) -> AirloomError | None:
        """Return what is wrong in a file that the query reads, if that made it fail."""
        for node, (scan, paths) in self.scans.items():
            fault = first_fault(self.connection, scan, paths, self._columns(f"{node}.rows"))
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
