"""Spark: a session for one step, tables from Parquet files and into folders of them, errors in our words."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airloom.engine.relation import Columns
from airloom.engine.spark.types import spark_type
from airloom.spec.error import ConfigurationError, DataError, SystemFault

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LEAST_MEMORY = 512 << 20
"""Bytes; with less, Spark does not start."""

BESIDE_HEAP = 2 << 30
"""Bytes that Java may take beside its heap."""


class SparkFault(SystemFault):
    """Raise where Spark cannot be started or reached."""

    code = "engine.spark"


def missing() -> ConfigurationError | None:
    """Return what is not installed that Spark needs, or None; asks for packages and programs, starts nothing."""
    if importlib.util.find_spec("pyspark") is None:
        return ConfigurationError("Spark is not installed", hint="install it with: airloom add spark")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        return ConfigurationError("Spark needs Java, and there is none", hint="install Java 17 or 21, or set JAVA_HOME")
    return None


@contextlib.contextmanager
def session(master: str | None, *, memory: int, threads: int, folder: str) -> Iterator[SparkSession]:
    """Give a new Spark session in this process, which has no other.

    `master` is Spark's URL of a cluster, None for threads of this machine; `memory` are the bytes of the driver, and
    in `folder` it keeps what it spills. Raises ConfigurationError or SparkFault where it does not start.
    """
    lacking = missing()
    if lacking is not None:
        raise lacking
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["SPARK_LOCAL_DIRS"] = folder
    local = master is None or master.startswith("local")
    settings = {
        "spark.master": master or f"local[{threads}]",
        "spark.app.name": "airloom",
        "spark.driver.memory": f"{max(memory, LEAST_MEMORY) >> 20}m",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": os.path.join(folder, "warehouse"),
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "snappy",
        # DuckDB's plain columns are not to become dictionaries of another type, nor its times to be guessed.
        "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.sql.shuffle.partitions": str(max(threads, 4) if local else 200),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }
    if local:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    spark = _started(settings)
    try:
        yield spark
    finally:
        spark.stop()


def _started(settings: dict[str, str]) -> SparkSession:
    # It would write each error with its whole trace; what the error says is raised.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    # Of pandas we use nothing here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    with _quiet() as said:
        try:
            from pyspark.conf import SparkConf
            from pyspark.sql import SparkSession

            conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
            return SparkSession.builder.config(conf=conf).getOrCreate()
        except Exception as error:  # noqa: BLE001 py4j and Spark raise of every sort here
            raise SparkFault(
                f"Spark does not start at {settings['spark.master']}: {_last(said()) or plain_message(error)}",
                hint="is the master there, and Java 17 or 21? See AIRLOOM_SPARK_MASTER",
            ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Keep what Java writes on standard error, now and later, out of the log; give a function that returns it."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)

        def said() -> str:
            kept.seek(0)
            return kept.read().decode(errors="replace")

        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)


def _last(text: str) -> str:
    """Return the line of Java's that tells what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("WARNING", "\tat"))]
    found = [line for line in lines if "ERROR" in line or "Exception" in line or "rror:" in line]
    return (found or lines or [""])[0][:500]


def read(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Return the rows of Parquet files, one file after the other."""
    # Given together, Spark would read the largest first, and the order of a sort would be lost.
    found = spark.read.parquet(paths[0])
    for path in paths[1:]:
        found = found.unionByName(spark.read.parquet(path), allowMissingColumns=True)
    return found


def cast(frame: DataFrame, columns: Columns) -> DataFrame:
    """Return a table with its columns, in their order, under other names and in the types that DuckDB has for them."""
    from pyspark.sql import functions

    plain = frame.toDF(*(f"c{at}" for at in range(len(columns))))
    return plain.select(
        *(
            functions.expr(f"CAST(c{at} AS {spark_type(kind)})").alias(name)
            for at, (name, kind) in enumerate(columns.items())
        )
    )


def write(frame: DataFrame, folder: str) -> None:
    """Write a table as a folder of Parquet files, in the order of its rows; the folder is not there before."""
    frame.write.parquet(_uri(folder))


def _uri(path: str) -> str:
    return path if "://" in path else f"file://{os.path.abspath(path)}"


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn Spark's errors into DataError with the one sentence that says what is wrong."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        if "OutOfMemoryError" in str(error):
            raise DataError("the step needs more memory than Spark has", hint="raise AIRLOOM_MEMORY_LIMIT") from None
        raise DataError(plain_message(error)) from None
    except ConnectionError:
        raise SparkFault("Spark ended in the middle of the step", hint="was it short of memory? See its log") from None


def plain_message(error: BaseException) -> str:
    """Return what an error of Spark says, without class names, the trace, the query and SQLSTATE."""
    text = str(error)
    cause = re.findall(r"(?:Caused by: |^)\S+?(?:Exception|Error): (\[[A-Z_.0-9]+\].*)", text, re.MULTILINE)
    line = (cause[-1] if cause else text).strip().partition("\n")[0]
    line = re.sub(r"^\[USER_RAISED_EXCEPTION\] ", "", line)
    # What Spark advises is about its own settings, and functions that are not ours.
    line = re.sub(r"\s*(If necessary set|Use [`'\"]|To tolerate|SQLSTATE: \w+|== SQL).*$", "", line)
    return re.sub(r"^\[[A-Z_.0-9]+\] ", "", line).strip() or type(error).__name__
