"""Who asks: the person behind a request, and what that person may.

A person signs in as to Airflow itself (its cookie or its Bearer token), or a program acts for one by a service token.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

from airloom.dags.actor import Actor
from airloom.dags.roles import RIGHTS
from airloom.store.grants import LEVELS
from airloom.store.records import Grant, StoredToken

if TYPE_CHECKING:
    from airloom.store.store import Store

Act = Literal["read", "run", "edit", "publish"]
"""What can be done with one pipeline."""
EVERY_ACT: tuple[Act, ...] = get_args(Act)
SCOPES = ("read", "run", "edit", "publish", "approve", "admin")
"""What a token can be good for."""
ACTS: dict[str, tuple[Act, ...]] = {
    "reader": ("read",),
    "editor": ("read", "run", "edit"),
    "publisher": ("read", "run", "edit", "publish"),
}
SCOPE_OF_RIGHT = {"read": "read", "create": "edit", "code": "publish", "admin": "admin"}
SIMPLE_ROLES = ("viewer", "user", "op", "admin")
SIMPLE_RIGHTS = {"read": "viewer", "create": "user", "code": "admin", "admin": "admin"}
"""The lowest role with each right under Airflow's simple auth manager, which knows no rights of ours."""
NOBODYS = "airloom~no~such~pipeline"


@dataclass(frozen=True)
class Identity:
    """Say as whom a request comes, and how: by a cookie, by a token of Airflow's, or by one of ours."""

    user: Any
    by_cookie: bool = False
    token: StoredToken | None = None


class Person:
    """Tell what the person behind a request may: by rights of a role, by grants, and by Airflow's rights to DAGs.

    A service token lets through what its owner may now and its scopes and pipelines allow.
    """

    def __init__(self, identity: Identity, store: Store) -> None:
        self.name: str = identity.user.get_name()
        self.id: str = str(identity.user.get_id())
        self.identity = identity
        self.token = identity.token
        self.by_cookie = identity.by_cookie
        self._user = identity.user
        self._store = store

    @functools.cached_property
    def roles(self) -> tuple[str, ...]:
        """Return the names of the person's roles."""
        roles = getattr(self._user, "roles", None)
        if roles is not None:
            return tuple(sorted(role.name for role in roles))
        role = getattr(self._user, "role", None)
        return (role,) if role else ()

    @functools.cached_property
    def rights(self) -> frozenset[str]:
        """Return those of the rights to read, create, code and admin that the person has."""
        return frozenset(name for name in self._held if self._has_scope(SCOPE_OF_RIGHT[name]))

    @functools.cached_property
    def grants(self) -> list[Grant]:
        """Return what the person has been granted."""
        return self._store.grants.of_person(self.name, self.roles)

    @functools.cached_property
    def levels(self) -> dict[str, str]:
        """Return the highest level that the person was granted at each pipeline."""
        levels: dict[str, str] = {}
        for grant in self.grants:
            if grant.kind == "pipeline":
                levels[grant.object] = max(grant.level, levels.get(grant.object, LEVELS[0]), key=_rank)
        return levels

    @functools.cached_property
    def readable(self) -> frozenset[str] | None:
        """Return the ids of the pipelines that the person may read, None for all."""
        if not self._has_scope("read"):
            return frozenset()
        reach = self._within
        if self._reads_all:
            return reach
        manager = get_auth_manager()
        ids = frozenset(manager.get_authorized_dag_ids(user=self._user)) | self.levels.keys()
        return frozenset(ids if reach is None else ids & reach)

    @functools.cached_property
    def actor(self) -> Actor:
        """Return who acts where the person publishes."""
        if "admin" in self.rights:
            return Actor(self.name, code=True, connections=None, uploads=None, runs=None)
        simple = self._simple_rank is not None
        granted_code = any(grant.kind == "code" for grant in self.grants) and self._has_scope("publish")
        connections = frozenset(grant.object for grant in self.grants if grant.kind == "connection")
        return Actor(
            self.name,
            code="code" in self.rights or granted_code,
            # Under the simple auth manager whoever may edit may use every Connection: it tells nobody apart.
            connections=None if simple and "create" in self.rights else connections,
            uploads=self.uploads,
            runs=lambda pipeline: self.may("run", pipeline),
        )

    def may(self, act: Act, pipeline: str) -> bool:
        """Tell whether the person may do this with a pipeline."""
        if not self._has_scope(act) or (self._within is not None and pipeline not in self._within):
            return False
        if self._is_admin or act in ACTS.get(self._level(pipeline), ()):
            return True
        manager, details = get_auth_manager(), DagDetails(id=pipeline)
        if act == "read":
            return bool(manager.is_authorized_dag(method="GET", details=details, user=self._user))
        if act == "run":
            entity = DagAccessEntity.RUN
            return bool(
                manager.is_authorized_dag(method="POST", access_entity=entity, details=details, user=self._user)
            )
        return False

    def may_read_logs(self, pipeline: str) -> bool:
        """Tell whether the person, who may read a pipeline, may also read what its tasks log."""
        if self._is_admin or self._level(pipeline):
            return True
        return bool(
            get_auth_manager().is_authorized_dag(
                method="GET",
                access_entity=DagAccessEntity.TASK_LOGS,
                details=DagDetails(id=pipeline),
                user=self._user,
            )
        )

    @functools.cached_property
    def uploads(self) -> frozenset[str] | None:
        """Return the ids of the person's uploads, None for all."""
        return None if "admin" in self.rights else self._store.uploads.owned(self.id)

    def may_use(self, connection: str) -> bool:
        """Tell whether the person may use a Connection."""
        if "read" not in self.rights and "admin" not in self.rights:
            return False
        granted = self.actor.connections
        return granted is None or connection in granted

    @property
    def _is_admin(self) -> bool:
        return "admin" in self._held

    @functools.cached_property
    def _reads_all(self) -> bool:
        if self._is_admin or self._simple_rank is not None:
            return True
        # Who may read a DAG that does not exist has the right to all.
        details = DagDetails(id=NOBODYS)
        return bool(get_auth_manager().is_authorized_dag(method="GET", details=details, user=self._user))

    @functools.cached_property
    def _within(self) -> frozenset[str] | None:
        """Return the ids of the pipelines that the token is good for, None for all."""
        if self.token is None or (self.token.pipelines is None and self.token.tags is None):
            return None
        return frozenset(self.token.pipelines or ()) | self._store.tagged(self.token.tags or ())

    @functools.cached_property
    def _simple_rank(self) -> int | None:
        """Return the place of the person's role under the simple auth manager, None under another."""
        role = str(getattr(self._user, "role", None) or "").lower()
        return SIMPLE_ROLES.index(role) if role in SIMPLE_ROLES else None

    def _level(self, pipeline: str) -> str:
        if self._simple_rank is not None and self._simple_rank >= SIMPLE_ROLES.index("user"):
            return "publisher"
        return self.levels.get(pipeline, "")

    def _has_scope(self, scope: str) -> bool:
        return self.token is None or scope in self.token.scopes

    @functools.cached_property
    def _held(self) -> frozenset[str]:
        """Return the rights that the person has, whatever the token says."""
        if self._simple_rank is not None:
            return frozenset(
                name for name, role in SIMPLE_RIGHTS.items() if self._simple_rank >= SIMPLE_ROLES.index(role)
            )
        is_authorized = get_auth_manager().is_authorized_custom_view
        return frozenset(
            name
            for name, right in RIGHTS.items()
            if is_authorized(method=right.method, resource_name=right.resource, user=self._user)
        )


def _rank(level: str) -> int:
    return LEVELS.index(level)
