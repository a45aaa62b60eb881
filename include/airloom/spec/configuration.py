"""The installation's settings: every `AIRLOOM_*` variable, read in one place."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from airloom.spec.addresses import Allowed
from airloom.spec.error import ConfigurationError

RATE = r"^([1-9]\d*/(second|minute|hour|day)|none)$"

UPLOADS = "_uploads"
"""The folder of uploads below the data, where each other folder is a pipeline's: no id of one begins so."""


class Configuration(BaseSettings):
    """Hold the settings of one installation; every field is the variable `AIRLOOM_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="AIRLOOM_", env_ignore_empty=True, extra="ignore")

    root: Path = Field(default_factory=Path.cwd, description="The project folder; relative paths start here")
    home: Path | None = Field(None, description="Where `airloom up` keeps its state; default `<root>/.airloom`")
    database_url: SecretStr | None = Field(
        None, description="The store (SQLAlchemy URL of a PostgreSQL database); `up` sets it to the embedded server"
    )
    task_database_url: SecretStr | None = Field(
        None, description="The store as a task may see it: role `<database>_task`, which reads published versions"
    )
    data: str | None = Field(
        None, description="Where tables between steps are kept: a folder or any fsspec URL; default `<home>/data`"
    )
    pipelines: Path | None = Field(None, description="The drop folder; default `<root>/include/pipelines`")
    nodes: Path | None = Field(None, description="The folder of your own node types; default `<root>/include/nodes`")
    code: Path | None = Field(
        None, description="The folder of functions that Python nodes name; default `<root>/include/code`"
    )
    paths: Annotated[list[str] | None, NoDecode] = Field(
        None,
        description="Folders and URL prefixes that pipelines may read and write, divided by colons, or a JSON list; "
        'default ["include/data", "output"] below the root',
    )
    memory_limit: ByteSize = Field(
        ByteSize(4_000_000_000), ge=100_000_000, description="Memory of one table step, such as 4GB; then it spills"
    )
    threads: int = Field(2, ge=1, description="Threads of one table step")
    query_timeout: float = Field(3600, gt=0, description="Seconds after which a table step's process is killed")
    keep_data_days: float = Field(30, gt=0, description="Age in days at which tables between steps are removed")
    uploads: str | None = Field(
        None, description="Where uploaded files are kept: a folder or any fsspec URL; default `_uploads` below the data"
    )
    upload_limit: ByteSize = Field(ByteSize(1_000_000_000), ge=1, description="How large an uploaded file may be")
    spark_master: str | None = Field(
        None,
        description="Of pipelines with the engine spark: the URL of a Spark cluster, such as spark://host:7077; "
        "default AIRLOOM_THREADS threads of the task's own machine",
    )
    trust_code: bool = Field(
        False,
        description="Run Python nodes without a box on systems that offer none: set it only where every author is "
        "trusted with all that a task may reach",
    )
    drop_role: str | None = Field(
        None,
        description="The role whose rights the files of the drop folder have: what code and which Connections they may "
        "use, such as `Airloom Author`; default all",
    )
    api_rate: str = Field(
        "1200/minute",
        pattern=RATE,
        description="How often a user or token may ask the API, in each of its processes, or `none`",
    )
    api_log: Literal["none", "text", "json"] = Field(
        "none", description="A line on standard error for each request of the API, as text or JSON"
    )
    sign_in_rate: str = Field(
        "30/minute",
        pattern=RATE,
        description="How often an address may show the API a token that is not valid, or `none`",
    )
    http_allow: Annotated[list[str], NoDecode] = Field(
        [],
        description="What pipelines may ask over HTTP beside public addresses: networks and names, with a port or for "
        "all, such as 10.0.0.0/8,*.internal,127.0.0.1:8080, divided by commas, or a JSON list",
    )
    values: Path | None = Field(
        None, description="The file of values that documents read; default include/values.yaml below AIRLOOM_ROOT"
    )
    disabled_nodes: list[str] = Field([], description="Node types that are switched off, as a JSON list")

    @field_validator("paths", mode="before")
    @classmethod
    def _paths_are_a_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        # The colon of a scheme or a port divides nothing.
        return [path for path in re.split(r":(?!//|\d+(?:/|:|$))", value) if path]

    @field_validator("http_allow", mode="before")
    @classmethod
    def _addresses_are_a_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return json.loads(value) if value.lstrip().startswith("[") else [part for part in value.split(",") if part]

    @field_validator("http_allow")
    @classmethod
    def _addresses_can_be_read(cls, value: list[str]) -> list[str]:
        for text in value:
            Allowed.parse(text)
        return value

    @property
    def home_folder(self) -> Path:
        """Return the folder of this installation's state."""
        return (self.home or self.root / ".airloom").absolute()

    @property
    def pipelines_folder(self) -> Path:
        """Return the drop folder."""
        return (self.pipelines or self.root / "include" / "pipelines").absolute()

    @property
    def nodes_folder(self) -> Path:
        """Return the folder of the user's own node types."""
        return (self.nodes or self.root / "include" / "nodes").absolute()

    @property
    def code_folder(self) -> Path:
        """Return the folder of the user's functions."""
        return (self.code or self.root / "include" / "code").absolute()

    @property
    def values_file(self) -> Path:
        """Return the file of values."""
        return (self.values or self.root / "include" / "values.yaml").absolute()

    @property
    def protected_folders(self) -> tuple[Path, ...]:
        """Return the folders that no pipeline may read or write, whatever `paths` allows."""
        uploads = () if "://" in self.uploads_url else (Path(self.uploads_url),)
        return (self.home_folder, self.pipelines_folder, self.nodes_folder, self.code_folder, *uploads)

    @property
    def data_url(self) -> str:
        """Return where tables between steps are kept."""
        return self.data or str(self.home_folder / "data")

    @property
    def uploads_url(self) -> str:
        """Return where uploaded files are kept."""
        return self.uploads or f"{self.data_url.rstrip('/')}/{UPLOADS}"

    @property
    def allowed_paths(self) -> list[str]:
        """Return the folders and URL prefixes that pipelines may read and write, absolute where local."""
        given = self.paths if self.paths is not None else ["include/data", "output"]
        return [path if "://" in path else str((self.root / path).absolute()) for path in given]


def read_configuration(**given: Any) -> Configuration:
    """Return the given settings with those of the environment behind them; raise ConfigurationError for a wrong one."""
    try:
        return Configuration(**given)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name, message = str(fault["loc"][0]), fault["msg"]
    except SettingsError as error:
        # What is not JSON; the name of the field is the only word in quotes that the message starts with.
        name, message = str(error).split('"')[1], "this is not JSON"
    hint = Configuration.model_fields[name].description
    raise ConfigurationError(message[0].lower() + message[1:], field=f"AIRLOOM_{name.upper()}", hint=hint)


@functools.cache
def configuration() -> Configuration:
    """Return this process's settings, read once; raise ConfigurationError where one is wrong."""
    return read_configuration()
