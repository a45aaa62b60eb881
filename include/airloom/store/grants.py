"""Grants: who may do what with a pipeline, a Connection, or code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from airloom.store.outbox import WAITING
from airloom.store.records import Grant, GrantKind, Level, SubjectKind
from airloom.store.tables import EventRow, GrantRow

LEVELS: tuple[Level, ...] = get_args(Level)
"""Of a pipeline, the higher the later; each holds those before it."""
COLUMNS = [getattr(GrantRow, field.name) for field in fields(Grant)]


class Grants:
    """Read and write grants; a user or role has at most one for each object."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def give(
        self, kind: GrantKind, name: str, subject_kind: SubjectKind, subject: str, level: str, *, by: str
    ) -> Grant:
        """Give a user or a role a level at an object, in place of the one it has."""
        with self._engine.begin() as connection:
            return add_grant(connection, kind, name, subject_kind, subject, level, by=by)

    def take(self, kind: GrantKind, name: str, subject_kind: SubjectKind, subject: str) -> bool:
        """Take a grant away; return whether there was one."""
        with self._engine.begin() as connection:
            taken = connection.execute(delete(GrantRow).where(_is(kind, name, subject_kind, subject))).rowcount
            if kind == "pipeline":
                _tell_airflow(connection, name)
        return bool(taken)

    def of_object(self, kind: GrantKind, name: str) -> list[Grant]:
        """Return the grants at an object, by subject."""
        query = select(*COLUMNS).where(GrantRow.kind == kind, GrantRow.object == name)
        return self._grants(query.order_by(GrantRow.subject_kind, GrantRow.subject))

    def of_kind(self, kind: GrantKind) -> list[Grant]:
        """Return all grants of a kind, by object and subject."""
        query = select(*COLUMNS).where(GrantRow.kind == kind)
        return self._grants(query.order_by(GrantRow.object, GrantRow.subject_kind, GrantRow.subject))

    def of_person(self, user: str, roles: Collection[str]) -> list[Grant]:
        """Return what a user has been granted, as this user or by one of the roles."""
        mine = (GrantRow.subject_kind == "user") & (GrantRow.subject == user)
        by_role = (GrantRow.subject_kind == "role") & GrantRow.subject.in_(list(roles))
        return self._grants(select(*COLUMNS).where(mine | by_role).order_by(GrantRow.kind, GrantRow.object))

    def _grants(self, query: Select[Any]) -> list[Grant]:
        with self._engine.connect() as connection:
            return [Grant(**row._mapping) for row in connection.execute(query)]


def add_grant(
    connection: Connection, kind: GrantKind, name: str, subject_kind: SubjectKind, subject: str, level: str, *, by: str
) -> Grant:
    """Give a grant in a transaction of the caller's."""
    values = {"kind": kind, "object": name, "subject_kind": subject_kind, "subject": subject}
    facts = {"level": level, "granted_by": by, "granted_at": func.now()}
    statement = insert(GrantRow).values(**values, **facts)
    added = statement.on_conflict_do_update(index_elements=list(values), set_=facts).returning(*COLUMNS)
    if kind == "pipeline":
        _tell_airflow(connection, name)
    return Grant(**connection.execute(added).one()._mapping)


def _tell_airflow(connection: Connection, pipeline: str) -> None:
    """Let a worker have Airflow's rights to the pipeline's DAG follow its grants."""
    event = {"kind": "grants", "payload": {"pipeline": pipeline}, "key": f"pipeline {pipeline}"}
    waits = insert(EventRow).values(**event, deduplication=f"grants {pipeline}")
    connection.execute(waits.on_conflict_do_nothing(index_elements=[EventRow.deduplication], index_where=WAITING))


def _is(kind: GrantKind, name: str, subject_kind: SubjectKind, subject: str) -> ColumnElement[bool]:
    same_object = (GrantRow.kind == kind) & (GrantRow.object == name)
    return same_object & (GrantRow.subject_kind == subject_kind) & (GrantRow.subject == subject)
