"""A program in a container."""

from __future__ import annotations

import json
import re
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from airloom.engine.box import LARGEST_VALUE
from airloom.engine.child import run_in_child
from airloom.engine.portable import check_declarable, make_parquet_portable, read_value
from airloom.engine.types import clashing_names
from airloom.nodes.code import CodeTime
from airloom.nodes.fields import Mark
from airloom.nodes.kinds import plain
from airloom.nodes.objects import _docker
from airloom.nodes.operators import is_table
from airloom.nodes.sdk import (
    Action,
    Batches,
    Columns,
    ColumnType,
    ConfigurationError,
    ConnectionId,
    Context,
    DataError,
    Example,
    each,
    port,
)
from airloom.spec.configuration import configuration
from airloom.spec.document import Identifier

IMAGE = r"^[a-z0-9][a-zA-Z0-9./:@_-]{0,254}$"
USER = r"^[1-9][0-9]{0,9}(:[1-9][0-9]{0,9})?$"


def _is_image(name: str) -> str:
    if not re.fullmatch(IMAGE, name):
        raise ValueError("an image is named like busybox:1.36, without an expression: a run cannot choose it")
    return name


def _is_not_root(user: str) -> str:
    if not re.fullmatch(USER, user):
        raise ValueError("a user and a group are numbers above 0, such as 65534:65534, for root is not allowed")
    return user


Image = Annotated[
    str, AfterValidator(_is_image), Field(json_schema_extra={"pattern": IMAGE}), Mark("raw", language="container")
]
User = Annotated[str, AfterValidator(_is_not_root), Field(json_schema_extra={"pattern": USER})]


def _as_text(value: Any) -> Any:
    """Take a number, such as a param, for its text."""
    return json.dumps(value) if isinstance(value, int | float) else value


Argument = Annotated[str, BeforeValidator(_as_text)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
ColumnName = Annotated[str, Field(min_length=1)]
Size = Annotated[
    ByteSize,
    PlainSerializer(lambda size: f"{int(size)}B", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ ?[KMG]?i?B$", "examples": ["500MB", "2GB"]}),
]
Docker = ConnectionId["docker"]
LEAST_MEMORY = 6_291_456
"""Bytes below which Docker starts nothing."""
READING_SECONDS = 600.0
"""How long a file that went out may take to be read."""
AnyConnection = Annotated[str, Field(min_length=1), Mark("connection")]


class Container(
    Action,
    code=True,
    inputs=[each("input_tables", kind="table"), each("input_values")],
    outputs=[each("output_tables", kind="table"), each("output_values"), port("done", "object")],
):
    """Run a program in a container of a Docker engine, with tables and values in and out as files.

    What comes in lies in `/airloom/in`, to be read alone: `orders.parquet` of the table `orders`, `limits.json` of the
    value `limits`. What goes out is taken from `/airloom/out` in the same form, and checked as a stranger's.

    The container has no network unless one is named, no privileges, another user than root, a root folder that cannot
    be changed, and 256 MB of memory as `/tmp`. It is removed when the node ends, or when its run does.

    A Connection of type `docker` names the engine in its extra, `{"engine": "tcp://docker.internal:2376"}`, and signs
    in to the registry that is its host.
    """

    describes_by_config: ClassVar[bool] = True

    connection: Docker = Field(description="The Connection that names the engine")
    image: Image = Field(description="The image, best by its digest; it is not rendered, so a run cannot choose it")
    command: list[Argument] = Field([], description="The program and its arguments, without a shell")
    environment: dict[Variable, Argument] = Field({}, description="Variables; secrets stand in Connections")
    secrets: dict[Variable, AnyConnection] = Field(
        {}, description="Variables that hold the password of a Connection, by its name"
    )
    input_tables: list[Identifier] = Field([], description="Names of tables that come in; each one is a port")
    input_values: list[Identifier] = Field([], description="Names of values that come in; each one is a port")
    output_tables: dict[Identifier, Annotated[dict[ColumnName, ColumnType], Field(min_length=1)]] = Field(
        {}, description="Tables that go out, each one a port: names and types of all columns, in order"
    )
    output_values: list[Identifier] = Field([], description="Names of values that go out; each one is a port")
    network: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] = Field(
        "none", description="One of the engine's networks, such as bridge"
    )
    user: User = Field("65534:65534", description="User and group by their numbers, other than root")
    memory: Size = Field("1GB", validate_default=True, description="What the container may take, `/tmp` included")
    cpus: float = Field(1.0, gt=0, le=1024, description="How many processors it may use")
    timeout: CodeTime = Field("1h", validate_default=True, description="After this time it is stopped")
    output_limit: Size = Field("1GB", validate_default=True, description="How large what goes out may be, in all")
    pull: Literal["missing", "always", "never"] = Field("missing", description="When the engine fetches the image")

    examples = (
        Example(
            "Score rows with an image of one's own",
            {
                "connection": "docker",
                "image": "registry.example.com/score:2.1",
                "command": ["score", "--least", "{{ params.least }}"],
                "input_tables": ["orders"],
                "output_tables": {"scores": {"id": "BIGINT", "score": "DOUBLE"}},
            },
        ),
        Example(
            "A value in, a value out",
            {
                "connection": "docker",
                "image": "busybox:1.36",
                "command": ["cp", "/airloom/in/limits.json", "/airloom/out/limits.json"],
                "input_values": ["limits"],
                "output_values": ["limits"],
                "pull": "never",
            },
        ),
    )

    @field_validator("network")
    @classmethod
    def _is_apart(cls, network: str) -> str:
        if network == "host":
            raise ValueError("the network of the engine's own machine is not for containers; write bridge")
        return network

    @field_validator("memory")
    @classmethod
    def _starts(cls, memory: ByteSize) -> ByteSize:
        if memory < LEAST_MEMORY:
            raise ValueError("a container needs 6.3MB or more")
        return memory

    @field_validator("output_tables")
    @classmethod
    def _can_be_declared(cls, tables: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for columns in tables.values():
            for kind in columns.values():
                check_declarable(kind)
            if clashes := clashing_names(list(columns)):
                raise ValueError(f"{clashes[0]!r} is there twice: SQL does not tell capital letters apart")
        return tables

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for names in ([*self.input_tables, *self.input_values], [*self.output_tables, *self.output_values, "done"]):
            if repeated := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{repeated[0]!r} is there twice: each port has a name of its own")
        if twice := sorted(self.secrets.keys() & self.environment.keys()):
            raise ValueError(f"{twice[0]!r} is a variable and a secret: leave one of them out")
        return self

    def describe(self, context: Context) -> Columns | None:
        """Return the columns of the first table that goes out."""
        return next(iter(self.output_tables.values()), None)

    def run(self, *, context: Context, **inputs: Batches) -> Any:
        """Run the container; raise what `_docker` raises, and DataError for what goes out and cannot be taken."""
        seconds = self.timeout.total_seconds()
        walls = _docker.Walls(self.user, self.memory, self.cpus, seconds, self.network)
        labels = _docker.labels_of(context.run, seconds)
        with tempfile.TemporaryDirectory(prefix=_docker.SCRATCH) as folder:
            files, wanted = dict(self._given(inputs, Path(folder))), self._wanted(Path(folder))
            with _docker.opened(context.connection(self.connection)) as engine:
                engine.remove_left(labels)
                engine.provide(self.image, self.pull)
                ran = engine.run(
                    self.image, self.command, self._environment(context), walls, labels, files, wanted,
                    self.output_limit, context.log,
                )  # fmt: skip
            return self._answer(ran, Path(folder))

    def _given(self, inputs: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Path]]:
        """Write what comes in to files, and yield their names in the container with their paths here."""
        for name in self.input_tables:
            path = folder / f"{name}.parquet"
            _write_rows(inputs[name], path)
            yield path.name, path
        for name in self.input_values:
            if is_table(inputs[name]):
                hint = "name it in input_tables"
                raise DataError(f"a table comes in as the value {name!r}", field="input_values", hint=hint)
            path = folder / f"{name}.json"
            path.write_text(json.dumps(plain(inputs[name]), ensure_ascii=False), encoding="utf-8")
            yield path.name, path

    def _environment(self, context: Context) -> dict[str, str]:
        variables = dict(self.environment)
        for variable, name in self.secrets.items():
            password = context.connection(name).password
            if not password:
                raise ConfigurationError(f"the Connection {name!r} has no password", field=f"secrets/{variable}")
            variables[variable] = password
        return variables

    def _wanted(self, folder: Path) -> dict[str, Path]:
        names = [*(f"{name}.parquet" for name in self.output_tables), *(f"{name}.json" for name in self.output_values)]
        return {name: folder / f"out-{name}" for name in names}

    def _answer(self, ran: _docker.Ran, folder: Path) -> Any:
        """Return what goes out, in the order of the ports."""
        answers: list[Any] = [
            _rows_of(folder / f"out-{name}.parquet", name, columns) for name, columns in self.output_tables.items()
        ]
        answers += [_value_of(folder / f"out-{name}.json", name) for name in self.output_values]
        answers.append({"image": ran.image, "seconds": ran.seconds})
        # A port may be called what no field of Python is.
        return namedtuple("Outputs", [f"output_{at}" for at in range(len(answers))])(*answers)


def _write_rows(rows: Batches, path: Path) -> None:
    import pyarrow.parquet

    intervals = [field.name for field in rows.schema if pyarrow.types.is_interval(field.type)]
    if intervals:
        message = f"the column {intervals[0]!r} is an INTERVAL, which no Parquet file holds"
        raise DataError(message, hint="cast it before, to VARCHAR")
    with pyarrow.parquet.ParquetWriter(path, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


def _rows_of(path: Path, name: str, columns: Columns) -> Batches:
    import pyarrow

    target = path.with_suffix(".arrow")
    _read(name, "output_tables", make_parquet_portable, str(path), str(target), columns)
    # The file is gone with the folder; what is mapped stays until the last batch is.
    reader = pyarrow.ipc.open_stream(pyarrow.memory_map(str(target)))
    return Batches(reader.schema, reader)


def _value_of(path: Path, name: str) -> Any:
    size = path.stat().st_size
    if size > LARGEST_VALUE:
        message = f"the value {name!r} has {size:,} bytes of JSON; at most {LARGEST_VALUE:,} can be kept"
        raise DataError(message, field="output_values", hint="make a table of it")
    return _read(name, "output_values", read_value, str(path))


def _read(name: str, field: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """Read what a stranger wrote in a process with limits; what is wrong with it names the output."""
    try:
        return run_in_child(read, *arguments, timeout=READING_SECONDS, memory=configuration().memory_limit)
    except DataError as error:
        raise type(error)(f"the output {name!r}: {error.message}", field=field, hint=error.hint) from None
