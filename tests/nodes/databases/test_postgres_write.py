"""Writing: the three modes, repeats, cleared runs, several at once, and what goes wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from pydantic import ValidationError
from tests.nodes.context import LocalContext
from tests.nodes.databases.conftest import Warehouse

from airloom.nodes.databases.postgres import PostgresWrite
from airloom.nodes.sdk import Batches
from airloom.spec.error import AirloomError, ConfigurationError, DataError, TransientError

OLD = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]
NEW = [{"id": 2, "name": "TWO"}, {"id": 3, "name": None}]
UPSERT = {"mode": "upsert", "keys": ["id"]}
MODES: list[dict[str, Any]] = [{"mode": "append"}, {"mode": "replace"}, UPSERT]


def content(warehouse: Warehouse, columns: str = "id, name", table: str = "target") -> list[tuple[Any, ...]]:
    return warehouse.query(f"SELECT {columns} FROM {table} ORDER BY 1, 2")


# The modes


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_a_missing_table_is_made(warehouse: Warehouse, config: dict[str, Any]) -> None:
    written = warehouse.write(OLD, **config)
    assert (written.rows, written.target) == (2, "warehouse: public.target")
    assert content(warehouse) == [(1, "one"), (2, "two")]


def test_append_adds(warehouse: Warehouse) -> None:
    warehouse.write(OLD)
    warehouse.write(NEW, run={"run_id": "run_2"})
    assert content(warehouse) == [(1, "one"), (2, "TWO"), (2, "two"), (3, None)]


def test_a_name_that_postgres_would_cut_is_refused(warehouse: Warehouse) -> None:
    for rows, table in (([{"é" * 32: 1}], "target"), (OLD, "t" * 64), (OLD, "s" * 64 + ".target")):
        with pytest.raises(ConfigurationError, match="has 64 bytes; PostgreSQL keeps 63 of a name"):
            warehouse.write(rows, table)
    warehouse.write([{"é" * 31: 1}], "t" * 63)
    assert warehouse.query(f"SELECT * FROM {'t' * 63}") == [(1,)]


def test_replace_leaves_only_the_new_rows_and_keeps_what_belongs_to_the_table(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE TABLE target (id bigint PRIMARY KEY, name text DEFAULT 'nobody', at timestamptz DEFAULT now())",
        "INSERT INTO target VALUES (7, 'seven')",
        "CREATE INDEX by_name ON target (name)",
        "CREATE VIEW names AS SELECT name FROM target",
        "CREATE ROLE reader_of_target",
        "GRANT SELECT ON target TO reader_of_target",
    )
    before = warehouse.query("SELECT oid, relacl::text FROM pg_class WHERE relname = 'target'")
    try:
        warehouse.write(NEW, mode="replace")
        assert content(warehouse) == [(2, "TWO"), (3, None)]
        assert warehouse.query("SELECT name FROM names ORDER BY name") == [("TWO",), (None,)]
        assert warehouse.query("SELECT oid, relacl::text FROM pg_class WHERE relname = 'target'") == before
        assert warehouse.query("SELECT count(*) FROM pg_indexes WHERE tablename = 'target'") == [(2,)]
    finally:
        warehouse.execute("DROP OWNED BY reader_of_target", "DROP ROLE reader_of_target")


def test_upsert_inserts_and_updates(warehouse: Warehouse) -> None:
    upsert = {"mode": "upsert", "keys": ["ID"]}
    warehouse.write(OLD, **upsert)
    warehouse.execute("ALTER TABLE target ADD kept text DEFAULT 'kept'")
    warehouse.write(NEW, **upsert)
    assert content(warehouse, "id, name, kept") == [(1, "one", "kept"), (2, "TWO", "kept"), (3, None, "kept")]


def test_upsert_of_keys_alone(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.write([{"a": 1, "b": "x"}, {"a": 1, "b": "y"}], mode="upsert", keys=["a", "b"])
    assert content(warehouse, "a, b") == [(1, "x"), (1, "y")]


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_no_rows(warehouse: Warehouse, config: dict[str, Any]) -> None:
    empty = pa.table({"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())})
    assert warehouse.write(empty, **config).rows == 0
    assert content(warehouse) == []
    warehouse.write(OLD, run={"run_id": "run_2"}, **config)
    warehouse.write(empty, run={"run_id": "run_3"}, **config)
    assert content(warehouse) == ([] if config["mode"] == "replace" else [(1, "one"), (2, "two")])


def test_rows_fit_a_table_of_other_types_and_case(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE TYPE mood AS ENUM ('good')",
        'CREATE TABLE target ("ID" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, feeling mood, "when" date)',
    )
    for mode in MODES:
        warehouse.write([{"id": 5, "Feeling": "good", "WHEN": "2024-02-29"}], **mode)
    warehouse.execute('DELETE FROM target WHERE "ID" <> 5')
    assert warehouse.query('SELECT "ID", feeling::text, "when"::text FROM target') == [(5, "good", "2024-02-29")]


def test_a_partitioned_table_is_written(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE TABLE target (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF target FOR VALUES FROM (0) TO (2)",
        "CREATE TABLE high PARTITION OF target FOR VALUES FROM (2) TO (9)",
    )
    for config in ({"mode": "replace"}, {"mode": "upsert", "keys": ["id"]}):
        warehouse.write(OLD, **config)
    assert content(warehouse) == [(1, "one"), (2, "two")]


# Repeats


def test_a_retry_of_append_writes_nothing(warehouse: Warehouse) -> None:
    first = warehouse.write(OLD)
    again = warehouse.write(OLD, run={"attempt": 2})
    assert again == first
    assert content(warehouse) == [(1, "one"), (2, "two")]
    key = "dag_id, run_id, node, index_path, target, attempt, rows"
    assert warehouse.query(f"SELECT {key} FROM airloom_writes") == [
        ("sales", "run_1", "load", "", "public.target", 1, 2)
    ]


@pytest.mark.parametrize(
    "other",
    [{"run_id": "run_2"}, {"pipeline": "other"}, {"node": "other"}, {"index": "0"}, {"index": "3/0"}],
    ids=lambda facts: next(iter(facts)),
)
def test_other_work_appends_its_own_rows(warehouse: Warehouse, other: dict[str, Any]) -> None:
    warehouse.write(OLD)
    warehouse.write(OLD, run=other)
    assert len(content(warehouse)) == 4


def test_the_same_node_may_append_to_another_table(warehouse: Warehouse) -> None:
    warehouse.write(OLD)
    warehouse.write(OLD, table="other")
    assert len(content(warehouse, table="other")) == 2


def test_two_items_of_one_chunk_append_their_own_rows_and_a_retry_of_one_writes_nothing(warehouse: Warehouse) -> None:
    for index in ("3/0", "3/1"):
        warehouse.write(OLD, run={"index": index})
    warehouse.write(OLD, run={"index": "3/1", "attempt": 2})
    assert len(content(warehouse)) == 4
    assert warehouse.query("SELECT index_path, attempt FROM airloom_writes ORDER BY 1") == [("3/0", 1), ("3/1", 1)]


# A ledger that release 0.1 made

LEDGER_OF_BEFORE = (
    "CREATE TABLE airloom_writes (dag_id text, run_id text, node text, map_index integer, target text, "
    "attempt integer NOT NULL, rows bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (dag_id, run_id, node, map_index, target))"
)
WRITTEN_BEFORE = (
    "CREATE TABLE target (id bigint, name text)",
    "INSERT INTO target VALUES (1, 'one'), (2, 'two')",
    LEDGER_OF_BEFORE,
    "INSERT INTO airloom_writes VALUES ('sales', 'run_1', 'load', -1, 'public.target', 1, 2)",
    "INSERT INTO airloom_writes VALUES ('sales', 'run_1', 'mapped', 3, 'public.target', 1, 2)",
)


def test_what_a_release_before_wrote_counts(warehouse: Warehouse) -> None:
    warehouse.execute(*WRITTEN_BEFORE)
    assert warehouse.write(OLD, run={"attempt": 2}).rows == 2
    assert warehouse.write(OLD, run={"attempt": 2, "node": "mapped", "index": "3"}).rows == 2
    assert len(content(warehouse)) == 2
    warehouse.write(OLD, run={"attempt": 2, "node": "mapped", "index": "4"})
    assert len(content(warehouse)) == 4
    key = "SELECT node, index_path FROM airloom_writes ORDER BY 1, 2"
    assert warehouse.query(key) == [("load", ""), ("mapped", "3"), ("mapped", "4")]


def test_writers_that_meet_at_a_ledger_of_before(warehouse: Warehouse) -> None:
    warehouse.execute(*WRITTEN_BEFORE)
    retries = [lambda: warehouse.write(OLD, run={"attempt": 2})] * 2
    others = [lambda run=run: warehouse.write(OLD, run={"run_id": run}) for run in ("run_2", "run_3")]
    assert [written.rows for written in together(*retries, *others)] == [2, 2, 2, 2]
    assert len(content(warehouse)) == 6


def test_a_try_that_fails_leaves_a_ledger_of_before_as_it_was(warehouse: Warehouse) -> None:
    warehouse.execute(*WRITTEN_BEFORE)
    with pytest.raises(ConfigurationError):
        warehouse.write([{"other": 1}], run={"run_id": "run_2"})
    assert warehouse.query("SELECT map_index FROM airloom_writes ORDER BY 1") == [(-1,), (3,)]


def test_who_may_not_change_a_ledger_of_before_is_told_what_its_owner_has_to_run(warehouse: Warehouse) -> None:
    warehouse.execute(
        *WRITTEN_BEFORE,
        "CREATE ROLE writer_alone LOGIN PASSWORD 'secret'",
        "GRANT ALL ON target, airloom_writes TO writer_alone",
    )
    mine = Warehouse(re.sub(r"//[^@]+@", "//writer_alone:secret@", warehouse.url))
    try:
        with pytest.raises(ConfigurationError, match="form of an earlier release") as caught:
            mine.write(OLD, run={"attempt": 2})
        warehouse.execute((caught.value.hint or "").partition("run: ")[2])
        assert mine.write(OLD, run={"attempt": 2}).rows == 2
        assert len(content(warehouse)) == 2
    finally:
        warehouse.execute("DROP OWNED BY writer_alone", "DROP ROLE writer_alone")


def test_a_cleared_run_says_that_it_needs_its_column(warehouse: Warehouse) -> None:
    warehouse.write(OLD)
    with pytest.raises(ConfigurationError, match="run_column") as caught:
        warehouse.write(NEW, run={"attempt": 2, "first_attempt": 2})
    assert caught.value.field == "run_column"
    assert content(warehouse) == [(1, "one"), (2, "two")]


def test_a_cleared_run_replaces_its_own_rows(warehouse: Warehouse) -> None:
    other = {"run_id": "run_2"}
    warehouse.write(OLD, run_column="Run")
    warehouse.write(OLD, run=other, run_column="run")
    cleared = {"attempt": 2, "first_attempt": 2}
    assert warehouse.write(NEW, run=cleared, run_column="run").rows == 2
    # Its retry, its next clearing, and the retry of that.
    assert warehouse.write(NEW, run={"attempt": 3, "first_attempt": 2}, run_column="run").rows == 2
    assert warehouse.write(OLD[:1], run={"attempt": 4, "first_attempt": 4}, run_column="run").rows == 1
    assert warehouse.write(OLD[:1], run={"attempt": 5, "first_attempt": 4}, run_column="run").rows == 1
    assert content(warehouse, '"Run", id, name') == [
        ("sales/run_1/load", 1, "one"), ("sales/run_2/load", 1, "one"), ("sales/run_2/load", 2, "two"),
    ]  # fmt: skip


@pytest.mark.parametrize("config", MODES[1:], ids=lambda config: config["mode"])
def test_other_modes_repeat_without_a_ledger(warehouse: Warehouse, config: dict[str, Any]) -> None:
    for attempt in (1, 2, 3):
        warehouse.write(OLD, run={"attempt": attempt, "first_attempt": attempt}, run_column="run", **config)
    assert content(warehouse, "id, name, run") == [(1, "one", "sales/run_1/load"), (2, "two", "sales/run_1/load")]
    assert warehouse.query("SELECT to_regclass('airloom_writes')") == [(None,)]


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_a_failed_try_leaves_nothing(warehouse: Warehouse, config: dict[str, Any]) -> None:
    rows = pa.table({"id": range(100_000), "name": ["x"] * 99_999 + ["\0"]})
    with pytest.raises(DataError, match="row 100000, column 'name'"):
        warehouse.write(rows, **config)
    assert warehouse.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    warehouse.write(OLD, run={"attempt": 2}, **config)
    assert content(warehouse) == [(1, "one"), (2, "two")]


# Several at once


def together(*works: Any) -> list[Any]:
    barrier = threading.Barrier(len(works))

    def start(work: Any) -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(start, work) for work in works]]


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_runs_write_at_once_into_a_table_that_is_not_there_yet(warehouse: Warehouse, config: dict[str, Any]) -> None:
    def work(number: int) -> Any:
        rows = pa.table({"id": range(2000), "name": [f"run {number}"] * 2000})
        return lambda: warehouse.write(rows, run={"run_id": f"run_{number}"}, **config)

    together(*(work(number) for number in range(6)))
    counts = warehouse.query("SELECT name, count(*) FROM target GROUP BY name")
    if config["mode"] == "append":
        assert sorted(counts) == [(f"run {number}", 2000) for number in range(6)]
    else:
        # One run's rows, whole: an upsert updates row by row in one statement.
        assert [count for _, count in counts] == [2000]


def test_the_same_try_twice_at_once_appends_once(warehouse: Warehouse) -> None:
    answers = together(*(lambda: warehouse.write(OLD) for _ in range(4)))
    assert {answer.rows for answer in answers} == {2}
    assert len(content(warehouse)) == 2


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_a_try_waits_for_one_that_is_still_at_it(warehouse: Warehouse, config: dict[str, Any]) -> None:
    warehouse.write(OLD, run={"run_id": "run_0"}, **config)
    rows = pa.Table.from_pylist(NEW)
    later: list[Any] = []

    def batches() -> Iterator[pa.RecordBatch]:
        work = threading.Thread(target=lambda: later.append(warehouse.write(rows, run={"attempt": 2}, **config)))
        started.append(work)
        work.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        # An upsert collides at its end alone.
        while config["mode"] != "upsert" and not later and warehouse.query(waiting) == [(0,)]:
            pass
        yield from rows.to_batches()

    started: list[threading.Thread] = []
    node = PostgresWrite.model_validate({"connection": "warehouse", "table": "target", **config})
    first = node.run(Batches(rows.schema, batches()), warehouse.context())
    started[0].join()
    assert later == [first]
    expected = {"append": [*OLD, *NEW], "replace": NEW, "upsert": [OLD[0], *NEW]}[config["mode"]]
    assert sorted(content(warehouse), key=str) == sorted([(row["id"], row["name"]) for row in expected], key=str)


def test_readers_never_see_a_half_state(warehouse: Warehouse) -> None:
    def rows(number: int) -> pa.Table:
        return pa.table({"id": range(5000), "name": [str(number)] * 5000})

    warehouse.write(rows(0), mode="replace")
    seen: list[tuple[Any, ...]] = []
    done = threading.Event()

    def watch() -> None:
        with warehouse.connect() as fresh, warehouse.connect(autocommit=False) as old:
            old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            old.execute("SELECT 1 FROM pg_class LIMIT 1")
            while not done.is_set():
                seen.extend(fresh.execute("SELECT count(*), count(DISTINCT name) FROM target"))
            seen.extend(old.execute("SELECT count(*), max(name)::integer + 1 FROM target"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    while not seen:
        done.wait(0.01)
    for number in range(1, 5):
        warehouse.write(rows(number), mode="replace")
    done.set()
    watcher.join()
    assert set(seen) == {(5000, 1)}


# What goes wrong


TWO = "(id bigint, name text)"
KEYED = "(id bigint PRIMARY KEY, name text)"
DAY = pa.table({"at": pa.array([0], pa.timestamp("us"))})
MOMENT = pa.table({"at": pa.array([0], pa.timestamp("us", "UTC"))})
FAULTS: list[tuple[str, Any, dict[str, Any], type[AirloomError], str]] = [
    ("(id bigint, nmae text)", OLD, {}, ConfigurationError, r"no column 'name' \(did you mean 'nmae'"),
    ("(id bigint, name text, day date NOT NULL)", OLD, {}, ConfigurationError, "'day' must have a value"),
    ("(id bigint, name text GENERATED ALWAYS AS ('x') STORED)", OLD, {}, ConfigurationError, "generated"),
    (TWO, [{"id": 1, "ID": 2}], {}, ConfigurationError, "'ID' would be written twice"),
    (TWO, OLD, {"run_column": "run"}, ConfigurationError, "no column 'run'"),
    (TWO, OLD, {"run_column": "Name"}, ConfigurationError, "'Name' would be written twice"),
    ("(at date)", DAY, {}, ConfigurationError, "would drop a part"),
    ("(at timestamp(3))", MOMENT, {}, ConfigurationError, "would drop a part"),
    ("(id bigint, name integer)", OLD, {}, DataError, "row 1, column 'name': invalid input syntax for type integer$"),
    (
        "(n smallint)",
        [{"n": 1}, {"n": 70000}],
        {},
        DataError,
        "row 2, column 'n': value is out of range for type",
    ),
    ("(v varchar(3))", [{"v": "a\nb"}, {"v": "hidden"}], {}, DataError, "row 2, column 'v': value too long"),
    ("(id bigint, name text NOT NULL)", NEW, {}, DataError, "row 2, column 'name': null value"),
    ("(id bigint, name text CHECK (name <> 'two'))", OLD, {}, DataError, "row 2: .* violates check constraint"),
    (KEYED, [*OLD, *OLD], {}, DataError, "row 3: duplicate key value violates"),
    ("(j jsonb)", [{"j": {"a": float("nan")}}], {}, DataError, "column 'j'"),
    ("(j jsonb)", [{"j": "{'hidden'}"}], {}, DataError, "row 1, column 'j': invalid input syntax for type json$"),
    (TWO, OLD, UPSERT, ConfigurationError, r'CREATE UNIQUE INDEX ON "public"."target" \("id"\)'),
    (KEYED, [*OLD, *NEW], UPSERT, DataError, r"rows 2 and 3 have the same key \(id = "),
    ("(id int UNIQUE)", [{"id": 1}, {"id": None}], UPSERT, DataError, "row 2: the key 'id' has no value"),
    (KEYED, OLD, {"mode": "upsert", "keys": ["idd"]}, ConfigurationError, "did you mean 'id'"),
]


@pytest.mark.parametrize(("table", "rows", "config", "failure", "text"), FAULTS)
def test_faults_are_told(
    warehouse: Warehouse, table: str, rows: Any, config: dict[str, Any], failure: type[AirloomError], text: str
) -> None:
    warehouse.execute(f"CREATE TABLE target {table}")
    with pytest.raises(failure, match=text) as caught:
        warehouse.write(rows, **config)
    assert "hidden" not in str(caught.value)
    assert "70000" not in str(caught.value)
    assert warehouse.query("SELECT count(*) FROM target") == [(0,)]


@pytest.mark.parametrize(
    ("table", "config", "text"),
    [
        ("Other", {}, "did you mean 'other'"),
        ("missing", {"create": False}, "there is no table 'public.missing'"),
        ("othre", {"create": False}, "did you mean 'other'"),
        ("nowhere.target", {}, 'CREATE SCHEMA "nowhere"'),
        ("a.b.c", {}, "names no table"),
        ("a_view", {}, "cannot copy to view"),
        ("counter", {}, "is not a table"),
    ],
)
def test_wrong_tables_are_told(warehouse: Warehouse, table: str, config: dict[str, Any], text: str) -> None:
    warehouse.execute(
        "CREATE TABLE other (id bigint, name text)",
        "CREATE VIEW a_view AS SELECT * FROM other",
        "CREATE SEQUENCE counter",
    )
    with pytest.raises(ConfigurationError, match=text):
        warehouse.write(OLD, table=table, **config)


def test_a_role_without_rights_is_told(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE TABLE target (id bigint PRIMARY KEY, name text)", "CREATE ROLE guest LOGIN PASSWORD 'guest'"
    )
    owner, warehouse.url = (
        warehouse.url,
        warehouse.url.replace(warehouse.url.split("//")[1].split("@")[0], "guest:guest"),
    )
    try:
        for config in MODES:
            with pytest.raises(ConfigurationError, match="permission denied"):
                warehouse.write(OLD, run={"run_id": "run_2"}, **config)
    finally:
        warehouse.url = owner
        warehouse.execute("DROP ROLE guest")


def test_a_connection_that_leads_nowhere_is_told(warehouse: Warehouse) -> None:
    secret = warehouse.url.split("//")[1].split("@")[0].split(":")[1]
    node = PostgresWrite.model_validate({"connection": "warehouse", "table": "target"})
    table = pa.Table.from_pylist(OLD)
    for wrong, failure in (
        (warehouse.url.replace(secret, "wrong-password"), ConfigurationError),
        (warehouse.url.replace("postgres:", "nobody:"), ConfigurationError),
        (warehouse.url + "_not_there", ConfigurationError),
        (warehouse.url.replace("127.0.0.1", "no.such.host.invalid"), ConfigurationError),
        (warehouse.url + "?no_such_option=1", ConfigurationError),
        (warehouse.url.rsplit(":", 1)[0] + ":1/nothing", TransientError),
    ):
        with pytest.raises(failure, match="'warehouse'") as caught:
            node.run(Batches(table.schema, table.to_batches()), LocalContext({"warehouse": wrong}))
        assert secret not in str(caught.value)
        assert "wrong-password" not in str(caught.value)


@pytest.mark.parametrize("config", MODES, ids=lambda config: config["mode"])
def test_a_lost_connection_is_transient_and_leaves_nothing(warehouse: Warehouse, config: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(OLD)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        warehouse.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        for _ in range(100):
            yield from table.to_batches()

    node = PostgresWrite.model_validate({"connection": "warehouse", "table": "target", **config})
    with pytest.raises(TransientError):
        node.run(Batches(table.schema, batches()), warehouse.context())
    warehouse.write(OLD, run={"attempt": 2}, **config)
    assert content(warehouse) == [(1, "one"), (2, "two")]


def test_a_deadlock_is_transient(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE target (id bigint PRIMARY KEY, name text)", "CREATE TABLE other (id bigint)")
    table = pa.Table.from_pylist(OLD)
    with warehouse.connect(autocommit=False) as rival:
        rival.execute("SET LOCAL deadlock_timeout = '1h'")
        rival.execute("LOCK TABLE other")

        def batches() -> Iterator[pa.RecordBatch]:
            # The rival waits for the node's lock, and the trigger makes the node wait for the rival's.
            started = threading.Thread(target=lambda: rival.execute("LOCK TABLE target"))
            started.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while warehouse.query(waiting) == [(0,)]:
                pass
            yield from table.to_batches()

        warehouse.execute(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM other; RETURN NEW; END'",
            "CREATE TRIGGER touch BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION touch()",
        )
        node = PostgresWrite.model_validate({"connection": "warehouse", "table": "target", "mode": "replace"})
        with pytest.raises(TransientError, match="deadlock"):
            node.run(Batches(table.schema, batches()), warehouse.context())


def test_what_fails_upstream_stays_what_it_is(warehouse: Warehouse) -> None:
    table = pa.Table.from_pylist(OLD)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        raise DataError("the file is gone")

    node = PostgresWrite.model_validate({"connection": "warehouse", "table": "target"})
    with pytest.raises(DataError, match="the file is gone"):
        node.run(Batches(table.schema, batches()), warehouse.context())
    assert warehouse.query("SELECT to_regclass('target'), to_regclass('airloom_writes')") == [(None, None)]


@pytest.mark.parametrize(
    "config", [{"mode": "upsert"}, {"keys": ["id"]}, {"mode": "truncate"}, {"if_exists": "append"}]
)
def test_config_is_checked(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PostgresWrite.model_validate({"connection": "warehouse", "table": "target", **config})
