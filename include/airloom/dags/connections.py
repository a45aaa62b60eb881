"""Connections of Airflow, as its database and environment hold them."""

from __future__ import annotations

import importlib
import json
import os
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airloom.dags.provider import asked_for
from airloom.runtime.redactor import Redactor
from airloom.spec.connection import CONNECTION_NAME, how_to_make
from airloom.spec.error import ConfigurationError, TransientError
from airloom.spec.problem import suggestion

ENVIRONMENT = "AIRFLOW_CONN_"


def connection_types() -> dict[str, str] | None:
    """Return the Connections that exist: id → type; None where a secrets backend holds more, for it can't list them."""
    from airflow.configuration import conf
    from airflow.models.connection import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    if conf.get("secrets", "backend", fallback="") or conf.get("workers", "secrets_backend", fallback=""):
        return None
    with create_session(scoped=False) as session:
        types = {row[0]: str(row[1]) for row in session.execute(select(Connection.conn_id, Connection.conn_type))}
    backend = EnvironmentVariablesBackend()
    for variable in os.environ:
        if variable.startswith(ENVIRONMENT):
            name = variable.removeprefix(ENVIRONMENT).lower()
            if (connection := backend.get_connection(name)) is not None:
                types[name] = str(connection.conn_type)
    return types


def connection(name: str) -> Any:
    """Return a Connection as hooks take it; raise ConfigurationError where there is none of that name."""
    from airflow.models.connection import Connection as StoredConnection
    from airflow.sdk import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        stored = EnvironmentVariablesBackend().get_connection(name) or session.scalar(
            select(StoredConnection).where(StoredConnection.conn_id == name)
        )
        if stored is None:
            raise ConfigurationError(f"there is no Connection {name!r}", hint=how_to_make(name))
        return Connection(
            conn_id=name,
            conn_type=stored.conn_type,
            host=stored.host,
            login=stored.login,
            password=stored.password,
            schema=stored.schema,
            port=stored.port,
            extra=stored.extra,
        )


def read_connection(name: str, text: str) -> Any:
    """Return a Connection from its URI or its JSON; raise ConfigurationError, which does not repeat the text."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    try:
        return (Connection.from_json if text.lstrip().startswith("{") else Connection.from_uri)(text, name)
    except (AirflowException, TypeError, ValueError):
        hint = "a URI is such as postgres://user:password@host:5432/database"
        raise ConfigurationError(f"the Connection {name!r} cannot be read", hint=hint) from None


@dataclass(frozen=True)
class ListedConnection:
    """Say what may be shown of a Connection: no password, and nothing of `extra`, where tokens stand.

    `source` is database or environment; one of the environment wins over one of the same name in the database.
    """

    name: str
    type: str
    host: str | None
    port: int | None
    login: str | None
    schema: str | None
    source: Literal["database", "environment"]


def list_connections() -> list[ListedConnection]:
    """Return the Connections of Airflow's database and of the environment, by name."""
    from airflow.models.connection import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    backend = EnvironmentVariablesBackend()
    with create_session(scoped=False) as session:
        listed = [_listed(one, one.conn_id, "database") for one in session.scalars(select(Connection))]
    for variable in os.environ:
        if variable.startswith(ENVIRONMENT):
            name = variable.removeprefix(ENVIRONMENT).lower()
            if (one := backend.get_connection(name)) is not None:
                listed.append(_listed(one, name, "environment"))
    return sorted(listed, key=lambda one: (one.name, one.source))


def _listed(one: Any, name: str, source: Literal["database", "environment"]) -> ListedConnection:
    redactor = Redactor()
    redactor.learn(one)

    def shown(text: str | None) -> str | None:
        return None if text is None else redactor.text(text)

    return ListedConnection(
        name, str(one.conn_type), shown(one.host), one.port, shown(one.login), shown(one.schema), source
    )


@dataclass(frozen=True)
class KeptConnection:
    """Say of a Connection that was kept its type, whether it can be tried, and what may surprise about it."""

    name: str
    type: str
    can_probe: bool
    warnings: list[str]


class ConnectionExists(ConfigurationError):
    """Raise where a Connection is to be kept under the name of another one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a Connection {name!r} already", hint="replace it with --replace")


def read_new_connection(name: str, fields: Mapping[str, Any] | str) -> Any:
    """Return the Connection that is to be kept, given by its fields or as URI or JSON.

    Raises ConfigurationError for a name that it cannot have, and for fields that are not readable.
    """
    if re.fullmatch(CONNECTION_NAME, name) is None:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a Connection", hint="use letters, digits and _ - . up to 250 of them"
        )
    read = read_connection(name, fields if isinstance(fields, str) else json.dumps(fields))
    if not read.conn_type:
        raise ConfigurationError(f"the Connection {name!r} has no type", hint="give --type, such as postgres")
    return read


def save_connection(name: str, fields: Mapping[str, Any] | str, *, replace: bool = False) -> KeptConnection:
    """Keep a Connection, given by its fields or as URI or JSON, in Airflow's database.

    Raises ConfigurationError as `read_new_connection` does, and ConnectionExists where there is one of that name and
    `replace` is not set.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    new = read_new_connection(name, fields)
    with create_session(scoped=False) as session:
        if session.scalar(select(Connection.conn_id).where(Connection.conn_id == name)) is not None:
            if not replace:
                raise ConnectionExists(name)
            session.execute(delete(Connection).where(Connection.conn_id == name))
        session.add(
            Connection(
                conn_id=name,
                conn_type=new.conn_type,
                description=new.description,
                host=new.host,
                login=new.login,
                password=new.password,
                schema=new.schema,
                port=new.port,
                extra=new.extra,
            )
        )
    kind = str(new.conn_type)
    return KeptConnection(name, kind, can_probe(kind), _warnings(name, kind))


def _warnings(name: str, kind: str) -> list[str]:
    warnings, types = [], known_types()
    if kind not in types:
        hint = suggestion(kind, types) or f"known are {', '.join(types)}"
        warnings.append(f"Nothing here knows Connections of type {kind}: {hint}")
    if (variable := f"{ENVIRONMENT}{name.upper()}") in os.environ:
        warnings.append(f"The variable {variable} is set, and wins over it.")
    return warnings


def change_connection(name: str, fields: Mapping[str, Any]) -> None:
    """Change some fields of a Connection in Airflow's database; those that are not named stay, and are not read.

    Raises ConfigurationError where the database has none of that name, or a field is not readable.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import update

    plain_fields = {field: value for field, value in fields.items() if field not in ("password", "extra")}
    read = read_connection(name, json.dumps({"conn_type": "generic", **fields}))
    # A Connection encrypts what is secret in it.
    encrypted = Connection(conn_id=name, conn_type=read.conn_type, password=read.password, extra=read.extra)
    if "password" in fields:
        plain_fields |= {"password": encrypted._password, "is_encrypted": bool(encrypted.is_encrypted)}
    if "extra" in fields:
        plain_fields |= {"extra": encrypted._extra, "is_extra_encrypted": bool(encrypted.is_extra_encrypted)}
    table: Any = Connection.__table__
    with create_session(scoped=False) as session:
        changed = update(table).where(table.c.conn_id == name).values(conn_id=name, **plain_fields)
        changed_name = session.scalar(changed.returning(table.c.conn_id))
    if changed_name is None:
        raise _not_in_the_database(name)


def delete_connection(name: str) -> None:
    """Remove a Connection from Airflow's database; raise ConfigurationError where that has none of that name."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session(scoped=False) as session:
        removed = delete(Connection).where(Connection.conn_id == name).returning(Connection.conn_id)
        removed_name = session.scalar(removed)
    if removed_name is None:
        raise _not_in_the_database(name)


def _not_in_the_database(name: str) -> ConfigurationError:
    variable = f"{ENVIRONMENT}{name.upper()}"
    hint = f"it may stand in the variable {variable} of the servers, or in a secrets backend: change it there"
    return ConfigurationError(f"Airflow's database has no Connection {name!r}", hint=hint)


@dataclass(frozen=True)
class ConnectionType:
    """Say what a form for a type of Connection shows: `fields` by name, and the JSON Schema of each of `extra`."""

    type: str
    title: str
    fields: dict[str, dict[str, Any]]
    extra: dict[str, dict[str, Any]]


FIELDS = ("description", "host", "port", "login", "password", "schema")


def describe_types() -> list[ConnectionType]:
    """Return the types of Connection that the installed providers, and own nodes, know, with their fields."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    types = []
    for hook in HookMetaService.hook_meta_data():
        if hook.connection_type is None:
            continue
        special = {} if hook.standard_fields is None else hook.standard_fields.model_dump()
        special["schema"] = special.pop("url_schema", None)
        fields = {name: special.get(name) or {} for name in FIELDS}
        shown = {
            name: {"title": field.get("title") or name.capitalize(), "placeholder": field.get("placeholder")}
            for name, field in fields.items()
            if not field.get("hidden")
        }
        title = str(hook.hook_name or hook.connection_type)
        types.append(ConnectionType(hook.connection_type, title, shown, dict(hook.extra_fields or {})))
    return sorted(types, key=lambda one: one.type)


def known_types() -> list[str]:
    """Return the types of Connection that the installed providers, and own nodes, know."""
    return sorted({*_hooks(), *asked_for()})


def probe(name: str, timeout: float) -> tuple[bool, str]:
    """Connect by the hook of a Connection's type; return whether it works, and what was answered, without secrets.

    Raises ConfigurationError where there is no such Connection, or nothing to try one of its type with, TransientError
    where nothing has answered after `timeout` seconds.
    """
    from airflow.models.connection import Connection

    stored = connection(name)
    redactor = Redactor()
    redactor.learn(stored)
    hook = _hooks().get(stored.conn_type)
    if not can_probe(stored.conn_type):
        raise ConfigurationError(
            f"the Connection {name!r} is of type {stored.conn_type!r}, which nothing installed can try",
            hint="run a node that uses it: airloom try",
        )
    fields = ("conn_type", "host", "login", "password", "schema", "port", "extra")
    # Hooks look their Connection up by name: this one is in the environment for as long as the test takes.
    passing = f"airloom_test_{secrets.token_hex(8)}"
    tried = Connection(conn_id=passing, **{field: getattr(stored, field) for field in fields})
    variable = f"{ENVIRONMENT}{passing.upper()}"
    answers: list[tuple[bool, str]] = []
    os.environ[variable] = tried.get_uri()
    try:
        # A driver that waits for a host for ever must not keep the command, so its thread is left behind.
        thread = threading.Thread(target=lambda: answers.append(_connect(hook, passing)), daemon=True)
        thread.start()
        thread.join(timeout)
    finally:
        del os.environ[variable]
    if not answers:
        hint = "is its host right, and does every firewall let this machine through?"
        raise TransientError(f"the Connection {name!r} has not answered within {timeout:g} s", hint=hint)
    works, message = answers[0]
    return works, redactor.text(message).strip()


def can_probe(kind: str) -> bool:
    """Tell whether something installed can try a Connection of this type."""
    hook = _hooks().get(kind)
    return hook is not None and bool(hook.connection_testable)


def _connect(hook: Any, name: str) -> tuple[bool, str]:
    module, _, class_name = hook.hook_class_name.rpartition(".")
    try:
        hook_class = getattr(importlib.import_module(module), class_name)
        works, message = hook_class(**{hook.connection_id_attribute_name: name}).test_connection()
    except Exception as error:  # noqa: BLE001 — a hook may raise whatever its driver does
        return False, f"{type(error).__name__}: {error}"
    return bool(works), str(message)


def _hooks() -> Mapping[str, Any]:
    """Return the hook of each type of Connection that a provider brings."""
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    manager: Any = ProvidersManagerTaskRuntime
    hooks: Mapping[str, Any] = manager().hooks
    return hooks
