"""One installation on this machine: its folder, ports, secrets, and the environment that its processes share."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airloom.spec.configuration import read_configuration
from airloom.spec.error import ConfigurationError, SystemFault

DEFAULT_PORT = 8080
DEFAULT_HOST = "127.0.0.1"
USER = "admin"
OURS = ("AIRLOOM_", "AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_")
"""What the names of variables begin with that a user sets for an installation: settings, Connections, Variables."""


class InstallationMissing(ConfigurationError):
    """Raise when a command needs an installation and this home holds none."""

    code = "installation.missing"


class State(BaseModel):
    """Hold what an installation decides once and keeps in `<home>/installation.json`, readable by its owner alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    identity: str
    host: str
    port: int = Field(ge=1, le=65533)
    database_url: str | None = Field(None, repr=False, description="The store on a server of the user's own")
    task_database_url: str | None = Field(None, repr=False)
    postgres_password: str = Field(repr=False)
    database_password: str = Field(repr=False)
    task_password: str = Field(repr=False)
    user_password: str = Field(repr=False)
    fernet_key: str = Field(repr=False)
    jwt_secret: str = Field(repr=False)
    secret_key: str = Field(repr=False)
    prepared: str | None = Field(None, description="What the databases were last migrated for")
    example_done: bool = False

    @classmethod
    def new(cls) -> State:
        """Return a state with secrets of its own."""
        return cls(
            identity=secrets.token_hex(6),
            host=DEFAULT_HOST,
            port=DEFAULT_PORT,
            postgres_password=secrets.token_urlsafe(24),
            database_password=secrets.token_urlsafe(24),
            task_password=secrets.token_urlsafe(24),
            user_password=secrets.token_urlsafe(12),
            fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            jwt_secret=secrets.token_urlsafe(48),
            secret_key=secrets.token_urlsafe(48),
        )


@dataclass
class Installation:
    """Name everything that belongs to one installation; several stand side by side, each in its own home.

    `given` are the variables that the user set for it: they win over this installation's own.
    """

    root: Path
    home: Path
    state: State
    given: dict[str, str] = field(repr=False)

    @classmethod
    def open(
        cls,
        *,
        host: str | None = None,
        port: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Installation:
        """Return the installation that `variables` (default: this process's) name, making its state where new.

        `host` and `port` replace what the state holds; `save` keeps them. Raises SystemFault where the home can't be
        written, ConfigurationError for a number that is no port.
        """
        variables = os.environ if variables is None else variables
        given = {name: value for name, value in variables.items() if name.startswith(OURS)}
        root, home = _root_and_home(given)
        try:
            # PostgreSQL's own account passes through it where root runs this; only that account's folder is open to it.
            home.mkdir(parents=True, exist_ok=True, mode=0o711)
            state = _read(home)
            if state is None:
                state = State.new()
                cls(root, home, state, given).save()
            state.host = host or state.host
            state.port = port or state.port
            state.database_url = given.get("AIRLOOM_DATABASE_URL") or state.database_url
            State.model_validate(state.model_dump())
        except PermissionError as error:
            raise SystemFault(
                f"The home folder {home} can't be written: {error.strerror}",
                hint="Set AIRLOOM_HOME to a folder of your own",
            ) from error
        except ValidationError as error:
            raise ConfigurationError(
                f"{port} is not a port", hint="Choose one between 1024 and 65533: airloom up --port 9080"
            ) from error
        return cls(root, home, state, given)

    @classmethod
    def existing(cls, variables: Mapping[str, str] | None = None) -> Installation:
        """Return the installation that `variables` name. Raises InstallationMissing where there is none."""
        variables = os.environ if variables is None else variables
        given = {name: value for name, value in variables.items() if name.startswith(OURS)}
        root, home = _root_and_home(given)
        state = _read(home)
        if state is None:
            raise InstallationMissing(f"There is no installation in {home}", hint="Start one: airloom up")
        return cls(root, home, state, given)

    def save(self) -> None:
        """Write the state, whole or not at all, for its owner's eyes only."""
        write_private(self.home / "installation.json", self.state.model_dump_json(indent=2) + "\n")

    @property
    def embedded(self) -> bool:
        """Tell whether PostgreSQL is ours to start: no address of another server was given."""
        return self.state.database_url is None

    @property
    def address(self) -> str:
        """Return the URL that a browser on this machine opens."""
        host = DEFAULT_HOST if self.state.host in ("0.0.0.0", "::") else self.state.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.state.port}"

    @property
    def postgres_port(self) -> int:
        """Return the embedded server's port."""
        return self.state.port + 1

    @property
    def log_port(self) -> int:
        """Return the port that the logs of running tasks are read from."""
        return self.state.port + 2

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Return what listens on which host and port while this installation runs."""
        ports = {
            "Airflow": (self.state.host, self.state.port),
            "the logs of running tasks": (DEFAULT_HOST, self.log_port),
        }
        if self.embedded:
            ports["PostgreSQL"] = (DEFAULT_HOST, self.postgres_port)
        return ports

    @property
    def logs(self) -> Path:
        """Return the folder of the components' logs."""
        return self.home / "logs"


def load_environment() -> bool:
    """Let this process see the installation of its home as the installation's own processes do.

    Sets the variables of `<home>/environment` that are not set already; returns False where no such file exists.
    """
    _, home = _root_and_home(os.environ)
    try:
        lines = (home / "environment").read_text().splitlines()
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise SystemFault(
            f"{home / 'environment'} can't be read: {error.strerror}",
            hint="Run the command as the user who ran `airloom up`",
        ) from error
    for line in lines:
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)
    return True


def write_environment(home: Path, variables: Mapping[str, str]) -> None:
    """Keep the variables of an installation in `<home>/environment`, a line `NAME=value` each."""
    for name, value in variables.items():
        if "\n" in value:
            raise ConfigurationError(f"The variable {name} holds a line break", hint="Write its value in one line")
    write_private(home / "environment", "".join(f"{name}={value}\n" for name, value in sorted(variables.items())))


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by its owner alone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _root_and_home(variables: Mapping[str, str]) -> tuple[Path, Path]:
    # Both are given, so that this process's own environment has no say where `variables` are another's.
    settings = read_configuration(
        root=variables.get("AIRLOOM_ROOT") or Path.cwd(), home=variables.get("AIRLOOM_HOME") or None
    )
    return settings.root.absolute(), settings.home_folder


def _read(home: Path) -> State | None:
    path = home / "installation.json"
    try:
        return State.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SystemFault(
            f"{path} can't be read: {error.strerror}", hint="Run the command as the user who ran `airloom up`"
        ) from error
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is damaged: {error.errors()[0]['msg']}",
            hint="Restore it from a backup, or remove the home folder to begin anew (its data are lost)",
        ) from error
