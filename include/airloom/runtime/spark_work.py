"""The work of a table step on Spark: its nodes' queries there; files, and the order of rows, by DuckDB.

Columns and types come from DuckDB's binding as always. Text files become Parquet first, a sink's file is written from
Spark's; a node that needs its rows sorted runs in DuckDB, which reads files in their order.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airloom.engine.address import is_url
from airloom.engine.reading import copy_to, select_all, select_cast, select_files, with_tables
from airloom.engine.reference import TableReference
from airloom.engine.scan import Scan
from airloom.engine.spark import session
from airloom.engine.spark.query import check_columns, to_spark
from airloom.engine.storage import part_folder, parts, put_file
from airloom.engine.types import spelled
from airloom.runtime.table_plan import CompiledTables, TableNode, TableWork
from airloom.runtime.table_work import Execution, Session
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class SparkSession(Session):
    """Compile the nodes of a step as ever, and execute their queries on Spark."""

    def __init__(
        self, work: TableWork, stack: contextlib.ExitStack, folders: Sequence[str] = (), *, close: bool = True
    ) -> None:
        self._check_places(work)
        self.folder = part_folder(work.scratch)
        self.numbers = itertools.count()
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        super().__init__(work, stack, folders, close=close)

    @staticmethod
    def _check_places(work: TableWork) -> None:
        far = work.spark_master is not None and not work.spark_master.startswith("local")
        if far and is_url(work.scratch):
            raise ConfigurationError(
                "Spark's workers and this process pass tables through a folder that all of them see",
                hint="let AIRLOOM_DATA be a shared folder, or leave AIRLOOM_SPARK_MASTER out",
            )

    def _folders(self) -> list[str]:
        return [self.folder]

    def _execution(
        self, compiled: CompiledTables, sources: Mapping[str, TableReference], stack: contextlib.ExitStack
    ) -> Execution:
        # What an execution before this one has left there, in Spark's memory too, is of no use any more.
        for entry in os.scandir(self.folder):
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
        if "spark" in self.__dict__:
            self.spark.catalog.clearCache()
        return SparkExecution(self, compiled, sources, stack)

    @functools.cached_property
    def spark(self) -> Any:
        """Return the Spark session, which takes seconds to start: not every step needs it."""
        work = self.work
        spill = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="airloom-spill-"))
        return self.stack.enter_context(
            session.session(work.spark_master, memory=work.memory_limit, threads=work.threads, folder=spill)
        )

    def path(self) -> str:
        """Return a place of its own below the folder that Spark and DuckDB share."""
        return os.path.join(self.folder, str(next(self.numbers)))


class SparkExecution(Execution):
    """Run the queries of a work on Spark."""

    session: SparkSession

    def __init__(
        self,
        session: Session,
        compiled: CompiledTables,
        sources: Mapping[str, TableReference],
        stack: contextlib.ExitStack,
    ) -> None:
        super().__init__(session, compiled, sources, stack)
        self.frames: dict[str, DataFrame] = {}
        self.views: dict[str, str] = {}
        self.files: dict[str, list[str]] = {}
        self.queried: set[str] = set()

    # Tables as Spark sees them

    def _frame(self, name: str) -> DataFrame:
        if name not in self.frames:
            check_columns(self._columns(name))
            with session.plain_errors():
                self._keep(name, session.read(self.session.spark, self._parquet(name)))
        return self.frames[name]

    def _keep(self, name: str, frame: DataFrame) -> None:
        self.frames[name] = session.cast(frame, self._columns(name))
        self.views.setdefault(name, f"airloom_{len(self.views)}")
        self.frames[name].createOrReplaceTempView(self.views[name])

    def _parquet(self, name: str) -> list[str]:
        """Return Parquet files with the rows of a table that Spark has not made."""
        if name in self.files:
            return self.files[name]
        reference = self.sources.get(name)
        if reference is not None and reference.uri is not None:
            return self.paths[name]
        scan: Scan | None
        if reference is None:
            scan, paths = self.scans[name.partition(".")[0]]
        else:
            scan, paths = reference.scan, self.paths[name]
        if scan is not None and self._as_spark_reads(name, scan, paths):
            return paths
        self.files[name] = [self._copied(name, self.tables)]
        return self.files[name]

    def _as_spark_reads(self, name: str, scan: Scan, paths: list[str]) -> bool:
        """Tell whether Spark can read files in place: plain Parquet, of types that DuckDB takes as they are."""
        plain = scan.format == "parquet" and set(scan.options) <= {"union_by_name"}
        if not plain or any(is_url(file.uri) for file in scan.files):
            return False
        bound = self.connection.sql(select_files("parquet", paths, scan.options))
        return [spelled(str(kind)) for kind in bound.types] == list(self._columns(name).values())

    def _copied(self, name: str, tables: dict[str, str]) -> str:
        path = f"{self.session.path()}.parquet"
        columns = self._columns(name)
        # Types that DuckDB takes for others, such as times in nanoseconds, would be in the file as they were.
        query = with_tables(tables, select_cast(select_all(name), columns, columns))
        self._execute(copy_to(query, path, "parquet", {"compression": "snappy"}))
        return path

    def _add(self, name: str, node: TableNode) -> None:
        if self.session.made[node.id].declaration.order == "uses":
            self._add_in_order(name, node.sources)
            return
        for source in node.sources:
            self._frame(source)
        views = {source: self.views[source] for source in node.sources}
        said = to_spark(self.tables[name], {source: self._columns(source) for source in node.sources}, views)
        with session.plain_errors():
            self._keep(name, self.session.spark.sql(said))
        self.queried.add(name)

    def _add_in_order(self, name: str, sources: list[str]) -> None:
        for source in self.queried.intersection(sources):
            self.tables[source] = select_files("parquet", self._written(source), {})
        self.files[name] = [self._copied(name, self.tables)]
        self.tables[name] = select_files("parquet", self.files[name], {})

    def _written(self, name: str) -> list[str]:
        if name not in self.files:
            folder = self.session.path()
            with session.plain_errors():
                session.write(self.frames[name], folder)
            self.files[name] = parts(folder)
        return self.files[name]

    # What DuckDB does otherwise

    def _distinct(self, source: str, column: str, limit: int) -> list[Any]:
        if source not in self.queried:
            return super()._distinct(source, column, limit)
        with session.plain_errors():
            values = self.frames[source].select(f"`{column.replace('`', '``')}`").distinct().dropna()
            distinct: list[Any] = values.orderBy(values.columns[0]).limit(limit).toArrow().column(0).to_pylist()
        return distinct

    def _share(self, name: str) -> None:
        if name in self.queried:
            self.frames[name].persist()

    def _write(self, name: str, uri: str) -> TableReference:
        if name not in self.queried:
            return super()._write(name, uri)
        paths = self._written(name)
        done = TableReference(self._columns(name), uri, rows=self._count(paths), bytes=sum(map(os.path.getsize, paths)))
        put_file(paths[0] if len(paths) == 1 else os.path.dirname(paths[0]), uri)
        return done

    def _count_inner(self, names: Sequence[str]) -> dict[str, int]:
        # Spark would compute each of them again.
        return {}

    def _count(self, paths: list[str]) -> int:
        query = f"SELECT count(*) FROM ({select_files('parquet', paths, {})})"  # noqa: S608 our own query
        row = self.connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def _copy(self, sink: str) -> dict[str, Any]:
        source = self._read_by(sink)
        if source in self.queried:
            self.tables[source] = select_files("parquet", self._written(source), {})
        return super()._copy(sink)
