"""A table of PostgreSQL as a target: found or created, compared with the columns that come, and filled by COPY."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from psycopg import sql
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege, InvalidColumnReference

from airloom.engine.batches import Batches
from airloom.engine.relation import Relation
from airloom.engine.types import clashing_names
from airloom.nodes.context import RunFacts
from airloom.nodes.databases.postgres_session import Session, escaped, lock, names
from airloom.nodes.databases.postgres_types import copy_lines, postgres_type
from airloom.nodes.databases.writes import WRITES, Earlier
from airloom.spec.error import ConfigurationError, DataError
from airloom.spec.problem import suggestion

NAME = re.compile(r'(?:(?P<schema>"(?:[^"]|"")+"|[^".]+)\.)?(?P<table>"(?:[^"]|"")+"|[^".]+)')
LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps, unless it was built otherwise."""

SLICE_ROWS = 20_000
STAGING = sql.Identifier("pg_temp", "airloom_staging")
TIMES = ("date", "time without time zone", "time with time zone")
LOST = {"timestamp": TIMES, "timestamptz": (*TIMES, "timestamp without time zone")}
"""Types of columns that would drop a part of a value in silence, by the type that comes."""


@dataclass(frozen=True)
class TargetColumn:
    """Hold what a load has to know of a table's column."""

    kind: str
    array: bool
    needed: bool
    generated: bool


@dataclass(frozen=True)
class Table:
    """A table by its schema and name, with its columns where it exists."""

    schema: str
    name: str
    columns: Mapping[str, TargetColumn] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Tell whether the table is there."""
        return bool(self.columns)

    @property
    def identifier(self) -> sql.Identifier:
        """Return the quoted, qualified name."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def find_table(session: Session, text: str) -> Table:
    """Return the table that `schema.table` or `table` names; without columns where it is not there.

    Raises ConfigurationError for a missing schema, for what is not a table, and where a name differs by case alone.
    """
    match = NAME.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"{text!r} names no table",
            field="table",
            hint='write schema.table; a name that holds a dot or a quote stands in quotes: "a.b"',
        )
    schema, name = (part and _unquoted(part) for part in match.groups())
    refuse_long(filter(None, (schema, name)), "table")
    quoted = (sql.Identifier(schema, name) if schema else sql.Identifier(name)).as_string(session)
    found = session.execute(
        "SELECT c.oid, n.nspname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass(%s)",
        [quoted],
    ).fetchone()
    if found is None:
        return _missing(session, schema, name)
    identity, schema, relation_kind = found
    rows = session.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory = 'A', "
        "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attgenerated <> '' "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        [identity],
    )
    columns = {row[0]: TargetColumn(*row[1:]) for row in rows}
    if relation_kind not in "rpfvm" or not columns:
        raise ConfigurationError(f"{schema}.{name} is not a table with columns", field="table")
    return Table(schema, name, columns)


def refuse_long(names: Iterable[str], field: str | None = None) -> None:
    """Raise ConfigurationError for a name that PostgreSQL would cut: two of them could become one."""
    for name in names:
        if len(name.encode()) > LONGEST_NAME:
            raise ConfigurationError(
                f"the name {name!r} has {len(name.encode())} bytes; PostgreSQL keeps {LONGEST_NAME} of a name",
                field=field,
                hint="give it a shorter name, a column by a rename node",
            )


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _missing(session: Session, schema: str | None, name: str) -> Table:
    found = session.execute("SELECT coalesce(%s::text, current_schema())", [schema]).fetchone()
    place: str = found[0] if found else ""
    schemas = [row[0] for row in session.execute("SELECT nspname FROM pg_namespace")]
    if place not in schemas:
        statement = f"CREATE SCHEMA {sql.Identifier(place or 'public').as_string(session)}"
        hint = suggestion(place or "", schemas) or f"make it: {statement}"
        raise ConfigurationError(f"there is no schema {place!r}", field="table", hint=hint)
    return Table(place, name)


def no_table(session: Session, table: Table) -> ConfigurationError:
    """Return the error for a table that is not there."""
    near = suggestion(table.name, _table_names(session, table.schema))
    return ConfigurationError(f"there is no table {str(table)!r}", field="table", hint=near)


def _table_names(session: Session, schema: str) -> list[str]:
    rows = session.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'f', 'v', 'm')",
        [schema],
    )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class Load:
    """Bring rows into one table within one transaction.

    `run_column`, where named, is filled with `run_value` in every row.
    """

    session: Session
    rows: Batches
    run_column: str | None = None
    run_value: str = ""

    def keys(self, given: Sequence[str]) -> list[str]:
        """Return the input's columns that keys name; raise ConfigurationError where one is not there."""
        relation = Relation("rows", dict.fromkeys(self.rows.columns, ""))
        return [relation.resolve(key) for key in given]

    def create(self, table: Table, keys: Sequence[str] = ()) -> Table:
        """Create the table from the input's columns, unless another transaction did so meanwhile; return it."""
        lock(self.session, f"create {table}")
        quoted = sql.Identifier(table.schema, table.name).as_string(self.session)
        if (again := find_table(self.session, quoted)).exists:
            return again
        if table.name.lower() in [name.lower() for name in _table_names(self.session, table.schema)]:
            raise no_table(self.session, table)
        kinds = {item.name: postgres_type(item.type) for item in self.rows.schema}
        if self.run_column is not None:
            kinds[self.run_column] = "text"
        refuse_long(kinds)
        parts = [sql.SQL("{} ").format(sql.Identifier(name)) + sql.SQL(kind) for name, kind in kinds.items()]
        if keys:
            parts.append(sql.SQL("PRIMARY KEY ({})").format(names(keys)))
        self.session.execute(sql.SQL("CREATE TABLE {} ({})").format(table.identifier, sql.SQL(", ").join(parts)))
        return find_table(self.session, quoted)

    def match(self, table: Table) -> list[str]:
        """Return the table's column for each of the input's, the run column last; names match regardless of case.

        Raises ConfigurationError that names every column which does not fit.
        """
        given = [*self.rows.columns, *([self.run_column] if self.run_column is not None else [])]
        if clashes := clashing_names(given):
            raise ConfigurationError(f"column {clashes[0]!r} would be written twice", hint="rename one of them")
        by_lower = {name.lower(): name for name in table.columns}
        matched = [name if name in table.columns else by_lower.get(name.lower()) for name in given]
        problems = []
        for name, target in zip(given, matched, strict=True):
            if target is None:
                near = suggestion(name, table.columns)
                problems.append(f"{table} has no column {name!r}" + (f" ({near})" if near else ""))
            elif table.columns[target].generated:
                problems.append(f"{target!r} is generated by the database and cannot be written")
        needed = [name for name, column in table.columns.items() if column.needed and name not in matched]
        problems += [f"{name!r} must have a value, and the rows have no such column" for name in needed]
        found = [name for name in matched if name is not None]
        problems += self._lost_parts(table, found) if not problems else []
        if problems:
            hint = "select, rename or cast columns before, or alter the table"
            raise ConfigurationError("; ".join(problems), field="table", hint=hint)
        return found

    def _lost_parts(self, table: Table, targets: Sequence[str]) -> Iterator[str]:
        for item, target in zip(self.rows.schema, targets, strict=False):
            kind, column = postgres_type(item.type), table.columns[target]
            if re.sub(r"\(\d+\)", "", column.kind) in LOST.get(kind, ()):
                yield f"{item.name!r} is {kind}, of which {target!r} ({column.kind}) would drop a part"

    def copy(self, target: sql.Identifier, table: Table, columns: Sequence[str]) -> int:
        """Send the rows by COPY into `target`, which has the columns of `table`; return how many there were."""
        arrays = [table.columns[name].array for name in columns][: len(self.rows.columns)]
        constants = [self.run_value] if self.run_column is not None else []
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(target, names(columns))
        count = 0
        with self.session.cursor() as cursor, cursor.copy(statement) as copy:
            for batch in self._slices():
                copy.write(copy_lines(batch, arrays, constants, count + 1))
                count += batch.num_rows
        return count

    def _slices(self) -> Iterator[pa.RecordBatch]:
        for batch in self.rows:
            for start in range(0, batch.num_rows, SLICE_ROWS):
                yield batch.slice(start, SLICE_ROWS)

    def append(self, table: Table, *, anew: bool) -> int:
        """Add the rows, with `anew` in place of those that the run wrote before; return how many came."""
        columns = self.match(table)
        if anew:
            parts = [escaped(part, self.session) for part in (table.identifier, sql.Identifier(columns[-1]))]
            self.session.execute(sql.SQL("DELETE FROM {} WHERE {} = %s").format(*parts), [self.run_value])
        return self.copy(table.identifier, table, columns)

    def replace(self, table: Table) -> int:
        """Replace all rows; return how many there are now.

        Rows are deleted, not truncated: who reads meanwhile, in a snapshot however old, sees the rows of before and is
        never held up, and grants, indexes, views and foreign keys stay. Other writers wait, so that two replacing at
        once leave the rows of one.
        """
        columns = self.match(table)
        self.session.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table.identifier))
        self.session.execute(sql.SQL("DELETE FROM {}").format(table.identifier))
        return self.copy(table.identifier, table, columns)

    def upsert(self, table: Table, keys: Sequence[str]) -> int:
        """Insert rows, or update those of the same keys; return how many came."""
        columns = self.match(table)
        by_input = dict(zip(self.rows.columns, columns, strict=False))
        key_columns = [by_input[key] for key in keys]
        self.session.execute(
            sql.SQL("CREATE TEMPORARY TABLE airloom_staging ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                names(columns), table.identifier
            )
        )
        statement = _upsert_statement(table, columns, key_columns)
        self._check_unique(table, key_columns, statement)
        count = self.copy(STAGING, table, columns)
        self._check_keys(key_columns)
        self.session.execute(statement)
        return count

    def _check_unique(self, table: Table, keys: Sequence[str], statement: sql.Composed) -> None:
        self.session.execute(sql.SQL("SAVEPOINT airloom_index"))
        try:
            # Planning finds the index, before any row is sent.
            self.session.execute(sql.SQL("EXPLAIN {}").format(statement))
        except InvalidColumnReference:
            index = sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(table.identifier, names(keys))
            self.session.execute(sql.SQL("ROLLBACK TO SAVEPOINT airloom_index"))
            double = sql.SQL("SELECT 1 FROM {} GROUP BY {} HAVING count(*) > 1 LIMIT 1")
            first = ""
            # Who may only write the table may not look for such rows.
            with contextlib.suppress(InsufficientPrivilege):
                if self.session.execute(double.format(table.identifier, names(keys))).fetchone() is not None:
                    first = f"first delete rows that have the same {', '.join(keys)}, then "
            raise ConfigurationError(
                f"{table} has no unique index on the keys, which an upsert needs",
                field="keys",
                hint=f"{first}add it: {index.as_string(self.session)}",
            ) from None

    def _check_keys(self, keys: Sequence[str]) -> None:
        """Raise DataError, with the rows' numbers, for a key without value and for two rows of the same key."""
        for key in keys:
            empty = sql.SQL("SELECT min(ctid) FROM {} WHERE {} IS NULL").format(STAGING, sql.Identifier(key))
            if (row := self._staged_row(empty)) is not None:
                hint = "leave such rows out before, with remove_nulls, or fill them with fill_nulls"
                raise DataError(f"row {row}: the key {key!r} has no value", field="keys", hint=hint)
        double = sql.SQL("SELECT {} FROM {} GROUP BY {} HAVING count(*) > 1 ORDER BY min(ctid) LIMIT 1")
        grouped = [double.format(sql.SQL(place), STAGING, names(keys)) for place in ("min(ctid)", "max(ctid)")]
        if (first := self._staged_row(grouped[0])) is not None:
            texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(key)) for key in keys)
            values: Any = self.session.execute(double.format(texts, STAGING, names(keys))).fetchone()
            shown = ", ".join(f"{key} = {value}" for key, value in zip(keys, values, strict=True))
            raise DataError(
                f"rows {first} and {self._staged_row(grouped[1])} have the same key ({shown})",
                field="keys",
                hint="keep one row for each key before, with a deduplicate node",
            )

    def _staged_row(self, query: sql.Composed) -> int | None:
        found: Any = self.session.execute(query).fetchone()
        if found is None or found[0] is None:
            return None
        counted: Any = self.session.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE ctid <= %s::tid").format(STAGING), [found[0]]
        ).fetchone()
        return int(counted[0])


def _upsert_statement(table: Table, columns: Sequence[str], keys: Sequence[str]) -> sql.Composed:
    changed = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in columns if column not in keys]
    action = sql.SQL("UPDATE SET {}").format(sql.SQL(", ").join(changed)) if changed else sql.SQL("NOTHING")
    # In the order of the keys, so that two of them at once do not lock each other out.
    return sql.SQL(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ORDER BY {} ON CONFLICT ({}) DO {}"
    ).format(table.identifier, names(columns), names(columns), STAGING, names(keys), names(keys), action)


@dataclass(frozen=True)
class Ledger:
    """The table `airloom_writes` in the schema of a target: which run has appended what."""

    session: Session
    target: Table
    run: RunFacts

    @property
    def _identifier(self) -> sql.Identifier:
        return sql.Identifier(self.target.schema, WRITES)

    @property
    def _table(self) -> sql.Composed:
        return escaped(self._identifier, self.session)

    @property
    def _key(self) -> list[Any]:
        return [self.run.pipeline, self.run.run_id, self.run.node, self.run.index, str(self.target)]

    def claim(self) -> Earlier | None:
        """Take this work for this transaction; return what an earlier try wrote, or None where none did.

        A try that is still at it, even one whose process is dead, is waited for.
        """
        self._prepare()
        taken = self.session.execute(
            sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, 0) ON CONFLICT DO NOTHING").format(self._table),
            [*self._key, self.run.attempt],
        )
        if taken.rowcount == 1:
            return None
        found: Any = self.session.execute(
            sql.SQL("SELECT attempt, rows FROM {} WHERE {} FOR UPDATE").format(self._table, _same_work()), self._key
        ).fetchone()
        return Earlier(*found)

    def record(self, rows: int) -> None:
        """Keep how many rows this attempt wrote."""
        self.session.execute(
            sql.SQL("UPDATE {} SET attempt = %s, rows = %s, written_at = now() WHERE {}").format(
                self._table, _same_work()
            ),
            [self.run.attempt, rows, *self._key],
        )

    def _prepare(self) -> None:
        """Make the table where it is missing, and bring one that an earlier release made to the present form."""
        columns = self._columns()
        if "index_path" in columns:
            return
        # Two writers that meet here wait for each other, and the second finds the table as it should be.
        lock(self.session, f"create {self.target.schema}.{WRITES}")
        columns = columns and self._columns()
        if not columns:
            self.session.execute(sql.SQL(CREATE).format(self._identifier))
        elif "index_path" not in columns:
            self._upgrade()

    def _columns(self) -> list[str]:
        found = self.session.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self._identifier.as_string(self.session)],
        )
        return [row[0] for row in found]

    def _upgrade(self) -> None:
        statements = sql.SQL(UPGRADE).format(self._identifier)
        try:
            self.session.execute(statements)
        except (InsufficientPrivilege, FeatureNotSupported) as error:
            raise ConfigurationError(
                f"the table {self.target.schema}.{WRITES} has the form of an earlier release, and the role of this "
                f"Connection cannot change it: {error.diag.message_primary}",
                field="connection",
                hint=f"let the owner of the table run: {statements.as_string(self.session)}",
            ) from None


CREATE = (
    "CREATE TABLE IF NOT EXISTS {} (dag_id text, run_id text, node text, index_path text, target text, "
    "attempt integer NOT NULL, rows bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (dag_id, run_id, node, index_path, target))"
)
UPGRADE = (
    "ALTER TABLE {0} ALTER COLUMN map_index TYPE text "
    "USING CASE WHEN map_index < 0 THEN '' ELSE map_index::text END; "
    "ALTER TABLE {0} RENAME COLUMN map_index TO index_path"
)
"""From the form of release 0.1, which knew the index of a mapped task alone, and -1 for none."""


def _same_work() -> sql.SQL:
    return sql.SQL("(dag_id, run_id, node, index_path, target) = (%s, %s, %s, %s, %s)")
