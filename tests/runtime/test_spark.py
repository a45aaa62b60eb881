"""Steps on Spark: the same documents, the same rows, references and faults as on DuckDB."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import xlsxwriter
from tests.engine.spark_rows import ABSENT
from tests.runtime.conftest import node, rows_of

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files, parts, put_file

if TYPE_CHECKING:
    from tests.runtime.conftest import Workshop

# Each step waits for a Java of its own, which a busy machine lets start in a minute.
pytestmark = pytest.mark.timeout(900)
needs_spark = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
SPARK = {"engine": "spark", "grouping": "auto"}
SALES = "id,region,amount,day\n" + "".join(
    f"{number},{'north' if number % 3 else 'south'},{number * 7 % 100 / 4},2026-01-{number % 28 + 1:02}\n"
    for number in range(1, 400)
)
PIPELINE = (
    node("sales", "csv_read", path="sales.csv"),
    node("large", "filter", where="amount / 2 > 3 and region like 'n%' and day >= '2026-01-05'"),
    node("week", "derive", columns={"week": "week(day)", "euros": "cast(amount as integer)"}),
    node("by_week", "aggregate", by=["week"], measures={
        "n": {"op": "count"}, "sum": {"op": "sum", "column": "amount"}, "p95": {"op": "p95", "column": "amount"},
        "best": {"op": "last", "column": "id", "by": "amount"}, "euros": {"op": "sum", "column": "euros"}}),
    node("sorted", "sort", by=[{"column": "n", "descending": True}]),
    node("top", "limit", rows=3),
)  # fmt: skip
EDGES = "sales>large large>week week>by_week by_week>sorted sorted>top"


@needs_spark
def test_a_pipeline_gives_what_it_gives_on_duckdb(workshop: Workshop) -> None:
    workshop.file("sales.csv", SALES)
    sink = node("save", "csv_write", path="out.csv")
    wanted = workshop.run(*PIPELINE, edges=EDGES)["top"]
    run = workshop.begin(*PIPELINE, sink, edges=f"{EDGES} top>save", settings=SPARK)
    found = run.all()
    assert {name: result.state for name, result in found.items()} == dict.fromkeys(found, "success")
    rows = rows_of(wanted)
    assert len(rows) == 3
    lines = (workshop.folder / "out.csv").read_text().splitlines()
    assert lines[0] == "week,n,sum,p95,best,euros"
    assert [line.split(",")[0] for line in lines[1:]] == [str(row["week"]) for row in rows]
    assert [float(line.split(",")[2]) for line in lines[1:]] == [float(row["sum"]) for row in rows]


@pytest.mark.soak
@needs_spark
def test_steps_pass_tables_and_their_order_through_files(workshop: Workshop) -> None:
    workshop.file("sales.csv", SALES)
    nodes = (
        PIPELINE[0],
        node("sorted", "sort", by=["region", "amount"]),
        PIPELINE[1],
        node("top", "limit", rows=7, offset=2),
    )
    edges = "sales>sorted sorted>large large>top"
    wanted = workshop.begin(*nodes, edges=edges, grouping="none").all()
    found = workshop.begin(*nodes, edges=edges, settings={**SPARK, "grouping": "none"}).all()
    for name in ("sorted", "large", "top"):
        one, other = found[name].outputs["rows"], wanted[name].outputs["rows"]
        assert one["columns"] == other["columns"]
        assert one["rows"] == other["rows"]
        assert rows_of(found[name]) == rows_of(wanted[name])


@pytest.mark.soak
@needs_spark
def test_a_table_of_several_parts_keeps_the_order_of_its_rows(workshop: Workshop) -> None:
    """The second file is the larger one, which Spark by itself would read first."""
    for number, size in ((1, 10), (2, 50_000), (3, 5)):
        path = workshop.folder / f"part{number}.parquet"
        duckdb.connect().execute(f"COPY (SELECT {number}::BIGINT AS part, range AS n FROM range({size})) TO '{path}'")
    nodes = (
        node("read", "parquet_read", path="part*.parquet"),
        node("even", "filter", where="n % 2 = 0"),
        node("again", "filter", where="n >= 4"),
        node("first", "limit", rows=6),
    )
    edges = "read>even even>again again>first"
    found = workshop.begin(*nodes, edges=edges, settings={**SPARK, "grouping": "none"}).all()
    assert {name: result.state for name, result in found.items()} == dict.fromkeys(found, "success")
    assert os.path.isdir(found["even"].outputs["rows"]["uri"])
    assert found["even"].outputs["rows"]["rows"] == 25_008
    firsts = [(row["part"], row["n"]) for row in rows_of(found["first"])]
    assert firsts == [(1, 4), (1, 6), (1, 8), (2, 4), (2, 6), (2, 8)]


@pytest.mark.soak
@needs_spark
def test_rows_of_every_kind_of_file_reach_spark(workshop: Workshop) -> None:
    workshop.file("a.csv", "n;price\n1;2,50\n2;seven\n3;1.234,5\n")
    (workshop.folder / "b.csv.gz").write_bytes(gzip.compress("n,price\n4,äö\n5,6\n".encode("latin-1")))
    workshop.file("c.jsonl", '{"n": 6, "price": 1}\n{"n": 7, "price": "much"}\n')
    workshop.file("d.json", '{"data": {"items": [{"n": 8, "price": 2.5}, {"n": 9, "price": null}]}}')
    workshop.file("e.txt", "10\n11\n")
    with xlsxwriter.Workbook(workshop.folder / "f.xlsx") as book:
        sheet = book.add_worksheet("prices")
        for at, row in enumerate([("n", "price"), (12, 3.25), (13, "none")]):
            sheet.write_row(at, 0, row)
    duckdb.connect().execute(f"COPY (SELECT 14 AS n, 1.5 AS price) TO '{workshop.folder}/g.parquet'")
    price = {"columns": {"n": "BIGINT", "price": "DOUBLE"}, "rejects": True}
    nodes = (
        node("a", "csv_read", path="a.csv", **price, decimal=",", thousands="."),
        node("b", "csv_read", path="b.csv.gz", **price, encoding="latin-1"),
        node("c", "jsonl_read", path="c.jsonl", **price),
        node("d", "json_read", path="d.json", json_path="$.data.items", **price),
        node("e", "text_read", path="e.txt"),
        node("e_n", "derive", columns={"n": "cast(text as bigint)", "price": "0.5"}),
        node("e_s", "select", columns=["n", "price"]),
        node("f", "excel_read", path="f.xlsx", sheet="prices", **price),
        node("g", "parquet_read", path="g.parquet"),
        node("all", "concat"),
        node("kept", "filter", where="n > 1"),
        node("bad", "concat"),
        node("worst", "aggregate", by=["reason"], measures={"n": {"op": "count"}}),
    )
    edges = "e>e_n e_n>e_s a.rows>all b.rows>all c.rows>all d.rows>all e_s>all f.rows>all g>all all>kept "
    edges += "a.rejects>bad b.rejects>bad c.rejects>bad f.rejects>bad bad>worst"
    wanted = workshop.begin(*nodes, edges=edges).all()
    found = workshop.begin(*nodes, edges=edges, settings=SPARK).all()
    assert {name: (result.state, result.error) for name, result in found.items()} == dict.fromkeys(
        found, ("success", None)
    )
    for name in ("kept", "worst"):
        assert found[name].outputs["rows"]["columns"] == wanted[name].outputs["rows"]["columns"]
        assert sorted(map(str, rows_of(found[name]))) == sorted(map(str, rows_of(wanted[name])))
    assert [row["n"] for row in sorted(rows_of(found["kept"]), key=lambda row: row["n"])] == [
        3, 5, 6, 8, 9, 10, 11, 12, 14,
    ]  # fmt: skip
    assert sum(row["n"] for row in rows_of(found["worst"])) == 4


@pytest.mark.soak
@needs_spark
def test_a_fault_in_the_data_is_told_in_a_sentence_at_its_node(workshop: Workshop) -> None:
    workshop.file("sales.csv", "id,amount\n1,7\n2,seven\n")
    nodes = (
        node("sales", "csv_read", path="sales.csv"),
        node("typed", "cast", columns={"amount": "INTEGER"}),
        node("doubled", "derive", columns={"twice": "amount * 2"}),
    )
    found = workshop.begin(*nodes, edges="sales>typed typed>doubled", settings=SPARK).all()
    assert {name: result.state for name, result in found.items()} == {
        "sales": "success", "typed": "failed", "doubled": "not_run"}  # fmt: skip
    error: Any = found["typed"].error
    assert error["message"] == "amount: 'seven' is not an INTEGER"
    assert (error["node"], error["failure"], error["trace"]) == ("typed", "data", None)


@pytest.mark.soak
@needs_spark
def test_shared_inputs_and_values_found_in_a_run(workshop: Workshop) -> None:
    workshop.file("sales.csv", SALES)
    nodes = (
        node("sales", "csv_read", path="sales.csv"),
        node("known", "filter", where="amount > 2"),
        node("wide", "pivot", index=["day"], column="region", value="amount"),
        node("split", "split_rows", conditions=[{"name": "both", "where": "north > 0 and south > 0"}]),
    )
    edges = "sales>known known>wide wide>split"
    wanted = workshop.begin(*nodes, edges=edges).all()["split"]
    found = workshop.begin(*nodes, edges=edges, settings=SPARK).all()["split"]
    for port in ("both", "other"):
        key = lambda row: str(row["day"])  # noqa: E731
        assert sorted(rows_of(found, port), key=key) == sorted(rows_of(wanted, port), key=key)


@pytest.mark.soak
@needs_spark
def test_time_kills_java_too(workshop: Workshop) -> None:
    duckdb.connect().execute(f"COPY (SELECT range AS n FROM range(10)) TO '{workshop.folder}/numbers.parquet'")
    workshop.settings = workshop.settings.model_copy(update={"query_timeout": 3})
    before = javas()
    nodes = (node("numbers", "parquet_read", path="numbers.parquet"), node("large", "filter", where="n > 3"))
    found = workshop.begin(*nodes, edges="numbers>large", settings={**SPARK, "grouping": "none"}).all()
    error: Any = found["large"].error
    assert error["code"] == "query_timeout"
    assert wait_for(lambda: javas() <= before)


@pytest.mark.soak
@needs_spark
def test_a_cluster_runs_the_queries(workshop: Workshop, cluster: str) -> None:
    workshop.file("sales.csv", SALES)
    workshop.settings = workshop.settings.model_copy(update={"spark_master": cluster})
    wanted = workshop.begin(*PIPELINE[:4], edges=EDGES.rsplit(" ", 2)[0]).all()["by_week"]
    found = workshop.begin(*PIPELINE[:4], edges=EDGES.rsplit(" ", 2)[0], settings=SPARK).all()["by_week"]
    assert found.state == "success", found.error
    key = lambda row: row["week"]  # noqa: E731
    assert sorted(rows_of(found), key=key) == sorted(rows_of(wanted), key=key)


@pytest.mark.soak
@needs_spark
def test_a_cluster_that_is_not_there_is_named(workshop: Workshop) -> None:
    workshop.file("sales.csv", SALES)
    place = f"spark://127.0.0.1:{free_port()}"
    workshop.settings = workshop.settings.model_copy(update={"spark_master": place, "query_timeout": 200})
    found = workshop.begin(*PIPELINE[:2], edges="sales>large", settings={**SPARK, "grouping": "none"}).all()
    error: Any = found["large"].error
    assert place in error["message"]
    assert "AIRLOOM_SPARK_MASTER" in error["hint"]


def test_a_folder_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out" / "rows.parquet"
    for text in ("first", "second"):
        made = tmp_path / f"made-{text}" / "rows"
        made.mkdir(parents=True)
        for number in (10, 2):
            (made / f"part-{number:05}.parquet").write_text(text)
        put_file(str(made), str(target))
    assert [Path(path).name for path in parts(str(target))] == ["part-00002.parquet", "part-00010.parquet"]
    assert {Path(path).read_text() for path in parts(str(target))} == {"second"}


def test_what_spark_lacks_is_a_problem_at_its_node_and_field(workshop: Workshop) -> None:
    pytest.importorskip("pyspark", reason="without pyspark the pipeline is refused at settings.engine")
    workshop.file("sales.csv", SALES)
    document = {
        "id": "made",
        "settings": {"engine": "spark"},
        "nodes": [
            node("sales", "csv_read", path="sales.csv"),
            node("some", "sample", fraction=0.5),
            node("odd", "derive", columns={"fine": "id + 1", "mixed": "hash(id)"}),
        ],
        "edges": [{"from": "sales", "to": "some"}, {"from": "sales", "to": "odd"}],
    }
    found = check(document, Facts(files=Files.of(workshop.settings))).problems
    assert {(problem.node, problem.pointer, problem.code) for problem in found} == {
        ("some", "/nodes/1/config", "engine.spark"),
        ("odd", "/nodes/2/config/columns/mixed", "engine.spark"),
    }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a standalone master with one worker, as Java processes of the test's own; return the master's URL."""
    import pyspark

    home = Path(pyspark.__file__).parent
    folder = tmp_path_factory.mktemp("cluster")
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    shown = {**os.environ, "SPARK_HOME": str(home), "SPARK_WORKER_DIR": str(folder), "PYSPARK_PYTHON": sys.executable}
    program = str(home / "bin" / "spark-class")
    deploy = "org.apache.spark.deploy"
    ports = ["--host", "127.0.0.1", "--webui-port", "0"]
    master = [program, f"{deploy}.master.Master", *ports, "--port", str(port)]
    worker = [program, f"{deploy}.worker.Worker", *ports, "--cores", "2", "--memory", "1g", url]
    processes = []
    try:
        for command in (master, worker):
            with (folder / f"{len(processes)}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, env=shown, stdout=log, stderr=log, start_new_session=True))
            said = folder / f"{len(processes) - 1}.log"
            sign = "Starting Spark master" if len(processes) == 1 else "Successfully registered"
            assert wait_for(lambda said=said, sign=sign: sign in said.read_text()), said.read_text()
        yield url
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Any, seconds: float = 90) -> bool:
    """Wait until a condition holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.2)
    return True


def javas() -> int:
    """Return how many processes of Java this user has that are Spark's drivers."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += b"org.apache.spark.deploy.SparkSubmit" in entry.read_bytes()
        except OSError:
            continue
    return found
