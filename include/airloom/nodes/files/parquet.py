"""Parquet files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airloom.nodes.files._options import given
from airloom.nodes.sdk import Copy, Example, FilePath, Files, FileSink, FileSource, Scan

Compression = Literal["snappy", "gzip", "brotli", "zstd", "lz4", "none"]


class ParquetRead(FileSource):
    """Read Parquet files as one table; several files meet by column name."""

    path: FilePath = Field(description="A file, or a glob that names several")

    examples = (Example("All files of a folder", {"path": "include/data/orders/*.parquet"}),)

    def scan(self, files: Files) -> Scan:
        found = files.find(self.path)
        return Scan("parquet", found, given(union_by_name=True if len(found) > 1 else None))


class ParquetWrite(FileSink):
    """Write a table to one Parquet file."""

    path: FilePath = Field(description="The file to write; it is replaced")
    compression: Compression = Field("snappy", description="How the file is packed")
    row_group_size: int | None = Field(
        None, ge=2048, description="Rows in a row group; DuckDB's own measure where absent"
    )

    examples = (Example("A small file", {"path": "output/orders.parquet", "compression": "zstd"}),)

    def copy_to(self) -> Copy:
        packed = "uncompressed" if self.compression == "none" else self.compression
        return Copy(self.path, "parquet", given(compression=packed, row_group_size=self.row_group_size))
