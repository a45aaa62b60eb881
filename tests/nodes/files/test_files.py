from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from airloom.engine.prepare import ready_files
from airloom.engine.reading import copy_to, select_files
from airloom.engine.shapes import scan_columns
from airloom.engine.storage import Files
from airloom.nodes.files.csv import CsvRead, CsvWrite
from airloom.nodes.files.jsonl import JsonlRead, JsonlWrite
from airloom.nodes.files.parquet import ParquetRead, ParquetWrite
from airloom.nodes.sdk import ConfigurationError, FileSink, FileSource, ports_of

ROWS = [(1, 'a "quoted", text', "2026-01-31"), (2, None, None), (3, "ü;☃\nnext line", "0001-01-01")]
COLUMNS = {"id": "BIGINT", "the text": "VARCHAR", "day": "DATE"}


class Folder:
    """A folder that pipelines may use, and DuckDB to read and write it as a step does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = Files(path, (str(path),))
        self.connection = duckdb.connect()
        self.connection.execute('CREATE TABLE given(id BIGINT, "the text" VARCHAR, day DATE)')
        self.connection.executemany("INSERT INTO given VALUES (?, ?, ?)", ROWS)

    def write(self, node: FileSink, query: str = "FROM given") -> Path:
        copy = node.copy_to()
        place = Path(self.files.resolve(copy.path))
        self.connection.execute(copy_to(query, str(place), copy.format, copy.options))
        return place

    def read(self, node: FileSource) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
        scan = node.scan(self.files)
        with ExitStack() as stack:
            paths = ready_files(scan, stack)
            columns = scan_columns(scan, self.connection, paths, whole=True)
            found = self.connection.sql(select_files(scan.format, paths, scan.options, columns))
            return dict(zip(found.columns, map(str, found.types), strict=True)), found.fetchall()

    def put(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (CsvWrite(path="t.csv"), CsvRead(path="t.csv")),
        (CsvWrite(path="t.csv", delimiter=";", quote_all=True), CsvRead(path="t.csv")),
        (CsvWrite(path="t.csv", delimiter="\t", null_value="NA"), CsvRead(path="t.csv", null_values=["NA"])),
        (CsvWrite(path="t.csv.gz"), CsvRead(path="t.csv.gz")),
        (CsvWrite(path="t.csv.zst"), CsvRead(path="*.zst", delimiter=",", header=True)),
        (
            CsvWrite(path="t.csv", header=False),
            CsvRead(path="t.csv", header=False, columns=COLUMNS),
        ),
        (JsonlWrite(path="t.jsonl"), JsonlRead(path="t.jsonl")),
        (JsonlWrite(path="t.jsonl.gz"), JsonlRead(path="t.*.gz", columns=COLUMNS)),
        *(
            (ParquetWrite.model_validate({"path": "t.parquet", "compression": packed}), ParquetRead(path="t.parquet"))
            for packed in ("snappy", "gzip", "brotli", "zstd", "lz4", "none")
        ),
    ],
)  # fmt: skip
def test_what_is_written_is_read_again(folder: Folder, write: FileSink, read: FileSource) -> None:
    folder.write(write)
    columns, rows = folder.read(read)
    assert columns == COLUMNS
    assert [(number, text, day.isoformat() if day else None) for number, text, day in rows] == ROWS


@pytest.mark.parametrize(
    ("write", "read"),
    [(CsvWrite(path="t.csv"), CsvRead(path="t.csv")), (ParquetWrite(path="t.parquet"), ParquetRead(path="t.parquet"))],
)
def test_an_empty_table_keeps_its_columns(folder: Folder, write: FileSink, read: FileSource) -> None:
    folder.write(write, "FROM given WHERE false")
    columns, rows = folder.read(read)
    assert (list(columns), rows) == (["id", "the text", "day"], [])


def test_several_csv_files_meet_by_column_name(folder: Folder) -> None:
    folder.put("a1.csv", "id,name\n1,x\n")
    folder.put("a2.csv", "name,id,extra\ny,2,z\n")
    columns, rows = folder.read(CsvRead(path="a*.csv"))
    assert (list(columns), rows) == (["id", "name", "extra"], [(1, "x", None), (2, "y", "z")])


def test_several_jsonl_and_parquet_files_meet_by_column_name(folder: Folder) -> None:
    folder.put("a1.jsonl", '{"id": 1, "name": "x"}\n')
    folder.put("a2.jsonl", '{"name": "y", "extra": true, "id": 2}\n')
    assert folder.read(JsonlRead(path="a*.jsonl"))[1] == [(1, "x", None), (2, "y", True)]
    folder.write(ParquetWrite(path="p1.parquet"), "SELECT 1 AS id, 'x' AS name")
    folder.write(ParquetWrite(path="p2.parquet"), "SELECT 'y' AS name, 2 AS id")
    assert folder.read(ParquetRead(path="p*.parquet"))[1] == [(1, "x"), (2, "y")]


def test_types_are_given_by_name_and_the_others_found_out(folder: Folder) -> None:
    folder.put("t.csv", "zip,n,day\n01234,7,2026-01-31\n")
    columns, rows = folder.read(CsvRead(path="t.csv", columns={"zip": "VARCHAR", "n": "decimal(9,2)"}))
    assert columns == {"zip": "VARCHAR", "n": "DECIMAL(9,2)", "day": "DATE"}
    assert rows[0][0] == "01234"


def test_empty_values_are_null_beside_those_that_are_named(folder: Folder) -> None:
    folder.put("t.csv", "n,s\n1,\nNA,NA\n,x\n")
    columns, rows = folder.read(CsvRead(path="t.csv", null_values=["NA"]))
    assert columns["n"] == "BIGINT"
    assert rows == [(1, None), (None, None), (None, "x")]


def test_a_column_that_is_not_in_the_file_is_named(folder: Folder) -> None:
    folder.put("t.csv", "id,n\n1,7\n")
    with pytest.raises(ConfigurationError, match="no column 'zip'"):
        folder.read(CsvRead(path="t.csv", columns={"zip": "VARCHAR"}))


def test_csv_passes_over_lines_and_reads_other_encodings(folder: Folder) -> None:
    (folder.path / "t.csv").write_bytes("exported by ÄÖ\n\nname;n\nJürgen;N/A\n".encode("latin-1"))
    node = CsvRead(path="t.csv", skip_rows=2, encoding="latin-1", null_values=["N/A"], header=True, delimiter=";")
    assert folder.read(node)[1] == [("Jürgen", None)]


@pytest.mark.parametrize(
    "node", [CsvRead(path="nothing.csv"), JsonlRead(path="*.jsonl"), ParquetRead(path="x.parquet")]
)
def test_a_missing_file_is_named(folder: Folder, node: FileSource) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file|no file matches"):
        node.scan(folder.files)


def test_a_file_outside_the_allowed_folders_is_refused(folder: Folder) -> None:
    for path in ("../secret.csv", "/etc/passwd", "s3://bucket/key.csv"):
        with pytest.raises(ConfigurationError, match="outside the folders that pipelines may use"):
            CsvRead(path=path).scan(folder.files)


@pytest.mark.parametrize(
    ("node", "config"),
    [
        (CsvRead, {"path": ""}),
        (CsvRead, {"path": "a.csv", "delimiter": ""}),
        (CsvRead, {"path": "a.csv", "delimiter": "||"}),
        (CsvRead, {"path": "a.csv", "delimiter": '"'}),
        (CsvRead, {"path": "a.csv", "encoding": "klingon"}),
        (CsvRead, {"path": "a.csv", "decimal": ",", "thousands": ","}),
        (CsvRead, {"path": "a.csv", "columns": {}}),
        (CsvRead, {"path": "a.csv", "columns": {"a": "NUMBER"}}),
        (CsvRead, {"path": "a.csv", "skip_rows": -1}),
        (CsvWrite, {"path": "a.csv", "mode": "append"}),
        (ParquetWrite, {"path": "a", "compression": "zip"}),
        (ParquetWrite, {"path": "a", "row_group_size": 1}),
        (JsonlRead, {}),
    ],
)
def test_a_wrong_config_is_refused(node: type[FileSource], config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        node.model_validate(config)


def test_ports_of_sources_and_sinks() -> None:
    ports = ports_of(CsvRead, {"path": "a.csv"})
    assert ([port.name for port in ports.inputs], [port.name for port in ports.outputs]) == ([], ["rows"])
    ports = ports_of(CsvWrite, {"path": "a.csv"})
    assert ([port.name for port in ports.inputs], [port.name for port in ports.outputs]) == (["rows"], ["done"])
