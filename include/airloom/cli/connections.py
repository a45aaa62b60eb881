"""connection add, list, test; and the Connections of `try`: of a file, the variables `AIRFLOW_CONN_*`, or Airflow."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson, read_file, split_params
from airloom.cli.output import Exit, complaints, console, print_json, print_table
from airloom.cli.reach import reach
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import suggestion

app = typer.Typer()
group = typer.Typer(help="Keep, list and try the Connections that nodes use.", no_args_is_help=True)
app.add_typer(group, name="connection")
FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
AIRFLOW_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
FORM = "name: URI, or name: {conn_type: …, host: …, login: …, password: …, schema: …, port: …, extra: …}"


def connections_of(given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return what finds a Connection by name.

    It looks among the given ones (URI or fields by name), then in the environment, then in Airflow's database, where
    the environment names one.
    """

    def connection(name: str) -> Any:
        from airloom.dags.connections import read_connection
        from airloom.runtime.trial import no_connections

        value = given.get(name, os.environ.get(f"AIRFLOW_CONN_{name.upper()}"))
        if value is not None:
            return read_connection(name, json.dumps(value) if isinstance(value, dict) else value)
        return _installed(name) if AIRFLOW_DATABASE in os.environ else no_connections(name)

    return connection


def read_connections(path: Path) -> dict[str, Any]:
    """Return the Connections of a JSON or YAML file by name; raise ConfigurationError where it has another form."""
    content = read_file(path)
    data = content.data
    if content.problems:
        problem = content.problems[0]
        place = f", {problem.place}" if problem.place else ""
        raise ConfigurationError(f"{path}{place}: {problem.message}", hint=problem.hint)
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} holds no Connections by name", hint=FORM)
    for name, value in data.items():
        if isinstance(value, dict):
            for unknown in value.keys() - set(FIELDS):
                raise ConfigurationError(
                    f"{path}: the Connection {name!r} has no field {unknown!r}",
                    hint=suggestion(unknown, FIELDS) or f"fields: {', '.join(FIELDS)}",
                )
        elif not isinstance(value, str):
            raise ConfigurationError(f"{path}: the Connection {name!r} is neither a URI nor an object", hint=FORM)
    return data


def installed_connections() -> dict[str, str] | None:
    """Return the Connections of the Airflow that the environment names, name → type; None where none can be asked.

    Raises ConfigurationError where its database does not answer.
    """
    if AIRFLOW_DATABASE not in os.environ:
        return None
    from sqlalchemy.exc import OperationalError

    from airloom.dags.connections import connection_types

    try:
        return connection_types()
    except OperationalError:
        raise ConfigurationError(
            "its Connections are not checked: Airflow's database does not answer",
            hint="start the installation with airloom up; publishing checks them",
        ) from None


def _installed(name: str) -> Any:
    from sqlalchemy.exc import OperationalError

    from airloom.dags import connections

    try:
        return connections.connection(name)
    except OperationalError:
        raise ConfigurationError(
            f"the Connection {name!r} is out of reach: Airflow's database does not answer",
            hint=f"start the installation with airloom up, set AIRFLOW_CONN_{name.upper()}, or give --connections FILE",
        ) from None


@group.command("list")
def list_connections(as_json: AsJson = False) -> None:
    """List the Connections of Airflow and of the environment, without what is secret in them."""
    with reach() as installation:
        found = installation.connections()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        [one.name, one.type, one.host or "", str(one.port or ""), one.schema or "", one.login or "", one.source]
        for one in found
    ]
    print_table(["name", "type", "host", "port", "schema", "login", "kept in"], rows)


@group.command()
def add(
    name: Annotated[str, typer.Argument(help="The name that nodes use.")],
    kind: Annotated[str | None, typer.Option("--type", help="What it leads to, such as postgres.")] = None,
    host: Annotated[str | None, typer.Option(help="The host's name or address.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port; that of the system otherwise.")] = None,
    login: Annotated[str | None, typer.Option(help="The user's name there.")] = None,
    schema: Annotated[str | None, typer.Option(help="The database, where it has several.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="Another field, as name=value; may be repeated. Nothing secret.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input; asked for otherwise.")
    ] = False,
    password_env: Annotated[
        str | None, typer.Option("--password-env", metavar="NAME", help="Take the password from this variable.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Take it all from a JSON or YAML file: name → URI, or its fields.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of one that has the name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a Connection in Airflow, encrypted. A password is never an argument, where other users could see it."""
    given = {
        "conn_type": kind, "host": host, "port": port, "login": login, "schema": schema, "description": description,
    }  # fmt: skip
    fields = {field: value for field, value in given.items() if value is not None}
    if file is not None:
        if fields or extra or password_stdin or password_env:
            raise typer.BadParameter("the file says it all; give no other field with it", param_hint="--file")
        known = read_connections(file)
        if name not in known:
            raise ConfigurationError(
                f"{file} holds no Connection {name!r}", hint=suggestion(name, known) or f"it holds {', '.join(known)}"
            )
    elif kind is None:
        raise typer.BadParameter("a Connection needs a type; or give --file", param_hint="--type")
    else:
        if extra:
            fields["extra"] = json.dumps(_extra(extra))
        if password := _password(password_stdin, password_env, ask=login is not None):
            fields["password"] = password
        known = {name: fields}
    with reach() as installation:
        kept = installation.keep_connection(name, known[name], replace=replace)
    for warning in kept.warnings:
        complaints.print(f"[yellow]{escape(warning)}[/yellow]")
    if as_json:
        print_json({"name": name, "type": kept.type})
        return
    console.print(f"The Connection {escape(name)} of type {escape(kept.type)} is kept.")
    if kept.can_probe:
        console.print(f"Try it: airloom connection test {escape(name)}")


@group.command("test")
def try_connection(
    name: Annotated[str, typer.Argument(help="The name of a Connection.")],
    timeout: Annotated[float, typer.Option(min=1, help="The longest time to wait, in seconds.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Connect once, as a node would. Ends with 1 where that does not work."""
    with reach() as installation:
        works, message = installation.probe(name, timeout)
    if as_json:
        print_json({"name": name, "works": works, "message": message})
    else:
        console.print(f"{'[green]✓[/green]' if works else '[red]✗[/red]'} {escape(name)}: {escape(message)}")
    if not works:
        raise typer.Exit(Exit.FAILED)


def _extra(given: list[str]) -> dict[str, str]:
    from airloom.runtime.redactor import SENSITIVE

    extra = split_params(given, option="--extra")
    for field in extra:
        if SENSITIVE.search(field):
            raise typer.BadParameter(
                f"{field} may hold a secret, which other users of this machine see in a command; use --file",
                param_hint="--extra",
            )
    return extra


def _password(from_stdin: bool, variable: str | None, *, ask: bool) -> str | None:
    if variable is not None:
        if variable not in os.environ:
            raise typer.BadParameter(f"the variable {variable} is not set", param_hint="--password-env")
        return os.environ[variable]
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if ask and sys.stdin.isatty():
        return getpass("Password (empty for none): ")
    return None
