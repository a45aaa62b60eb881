"""Airloom's roles in Airflow's user management (Flask-AppBuilder), and what a role may.

A right of Airloom is a permission on a resource of its own, which Airflow's pages for users and roles show like any
other. Rights to one pipeline are grants of the store; `allow_people` tells Airflow of them, for its own pages and API.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airloom.dags.actor import Actor
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.store.records import Grant
    from airloom.store.store import Store

PIPELINES = "Airloom Pipelines"
CODE = "Airloom Code"
ADMINISTRATION = "Airloom Administration"


@dataclass(frozen=True)
class Right:
    """Name a right as an auth manager knows it: a method on a resource."""

    method: Literal["GET", "POST", "PUT"]
    resource: str
    action: str

    @property
    def permission(self) -> tuple[str, str]:
        """Return the right as Flask-AppBuilder keeps it."""
        return self.action, self.resource


RIGHTS = {
    "read": Right("GET", PIPELINES, "can_read"),
    "create": Right("POST", PIPELINES, "can_create"),
    "code": Right("POST", CODE, "can_create"),
    "admin": Right("PUT", ADMINISTRATION, "can_edit"),
}
"""The rights that go with a role: to see the catalog and what one has been granted, to make pipelines, to publish
code, to do everything."""

PLUGINS = ("can_read", "Plugins")
"""What Airflow's roles Viewer and User lack of what our pages need."""
WITHOUT_PLUGINS = ("Viewer", "User")
SEE = [
    ("can_read", "Website"),
    PLUGINS,
    RIGHTS["read"].permission,
]
READ_RUNS = [
    *(("can_read", name) for name in ("DAG Runs", "DAG Code", "DAG Versions", "DAG Dependencies", "DAG Warnings")),
    *(("can_read", name) for name in ("Task Instances", "Task Logs", "XComs", "HITL Detail", "ImportError")),
    *(("can_read", name) for name in ("My Profile", "My Password")),
    ("can_edit", "My Profile"),
    ("can_edit", "My Password"),
    *(("menu_access", name) for name in ("DAGs", "DAG Runs", "Browse", "Docs", "Documentation")),
]
START_RUNS = [
    *(("can_create", name) for name in ("DAG Runs", "Task Instances")),
    *(("can_edit", name) for name in ("DAG Runs", "Task Instances", "HITL Detail")),
]
VIEWER, AUTHOR, CODE_AUTHOR, ADMIN = "Airloom Viewer", "Airloom Author", "Airloom Code author", "Airloom Admin"
OURS = (VIEWER, AUTHOR, CODE_AUTHOR, ADMIN)
ROLE_OF_USER = "Airloom user "
"""What the name of the role begins with that a user alone has, for what the user was granted."""
ROLES: dict[str, list[tuple[str, str]]] = {
    VIEWER: [*SEE, *READ_RUNS],
    AUTHOR: [*SEE, *READ_RUNS, *START_RUNS, RIGHTS["create"].permission],
    CODE_AUTHOR: [*SEE, *READ_RUNS, *START_RUNS, RIGHTS["create"].permission, RIGHTS["code"].permission],
    ADMIN: [*SEE, *READ_RUNS, *START_RUNS, *(right.permission for right in RIGHTS.values())],
    # Airflow's own roles see the pages; what they show is what the person may read.
    "Viewer": SEE,
    "User": SEE,
    "Op": SEE,
}
"""The permissions of each role. None is global over DAGs: which pipelines somebody reads is a matter of grants."""

ACTIONS: Mapping[str, dict[str, set[str]]] = {
    "reader": {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}},
    "editor": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}},
    "publisher": {"DAGs": {"can_read", "can_edit", "can_delete"}, "DAG Runs": {"can_read", "can_create"}},
}
"""What a grant at a pipeline is in Airflow, as the `access_control` of a DAG has it."""


def make_roles(manager: Any) -> None:
    """Make Airloom's roles, and give Airflow's the right to see its pages; `manager` is FAB's security manager.

    What somebody took away from a role comes back; what was added stays.
    """
    for name, permissions in ROLES.items():
        role = manager.find_role(name) or manager.add_role(name)
        for action, resource in permissions:
            manager.add_permission_to_role(role, manager.create_permission(action, resource))


def add_rights() -> None:
    """Make Airloom's roles and rights in the user management of an Airflow; raise ConfigurationError without tables."""
    with _manager() as manager:
        make_roles(manager)


def remove_rights(pipelines: Iterable[str]) -> None:
    """Take Airloom's roles, and the rights to its resources and to these pipelines, out of Airflow's user management.

    Airflow's own roles lose what `make_roles` added to what they come with.
    """
    from airflow.providers.fab.auth_manager.cli_commands.permissions_command import cleanup_dag_permissions
    from airflow.providers.fab.auth_manager.models import Permission, Resource, assoc_permission_role
    from sqlalchemy import delete, select

    with _manager() as manager:
        session = manager.session
        for role in [role.name for role in manager.get_all_roles()]:
            if role in OURS or role.startswith(ROLE_OF_USER):
                manager.delete_role(role)
        for name in WITHOUT_PLUGINS:
            role, permission = manager.find_role(name), manager.get_permission(*PLUGINS)
            if role is not None and permission is not None:
                manager.remove_permission_from_role(role, permission)
        resources = select(Resource.id).where(Resource.name.in_([PIPELINES, CODE, ADMINISTRATION]))
        permissions = select(Permission.id).where(Permission.resource_id.in_(resources))
        for statement in (
            delete(assoc_permission_role).where(assoc_permission_role.c.permission_view_id.in_(permissions)),
            delete(Permission).where(Permission.resource_id.in_(resources)),
            delete(Resource).where(Resource.id.in_(resources)),
        ):
            session.execute(statement, execution_options={"synchronize_session": False})
        for pipeline in pipelines:
            cleanup_dag_permissions(pipeline, session=session)


@contextlib.contextmanager
def _manager() -> Iterator[Any]:
    """Open Airflow's user management in this process; raise ConfigurationError where its tables are not made yet."""
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session
    from sqlalchemy import inspect

    with create_session(scoped=False) as session:
        if not inspect(session.connection()).has_table("ab_role"):
            raise ConfigurationError(
                "Airflow's database has no tables for users and roles yet", hint="run airflow db migrate"
            )
        yield ApplessAirflowSecurityManager(session=session)


RUNNING = ("editor", "publisher")
"""The levels of grants that let somebody run a pipeline."""


def keeps_roles() -> bool:
    """Tell whether Airflow's users and roles are kept by Flask-AppBuilder."""
    from airflow.configuration import conf

    return str(conf.get("core", "auth_manager")).endswith(".FabAuthManager")


def role_actor(store: Store, role: str, name: str) -> Actor:
    """Return an actor with the rights of a role, under a name."""
    grants = store.grants.of_person("", [role])
    permissions = _permissions(role) if keeps_roles() else set()
    if RIGHTS["admin"].permission in permissions or role.lower() == "admin":
        return Actor(name, code=True, connections=None, uploads=None, runs=None)
    granted_code = any(grant.kind == "code" for grant in grants)
    return Actor(
        name,
        code=granted_code or RIGHTS["code"].permission in permissions,
        connections=frozenset(grant.object for grant in grants if grant.kind == "connection"),
        runs=lambda pipeline: (
            any(grant.kind == "pipeline" and grant.object == pipeline and grant.level in RUNNING for grant in grants)
            or _comes_from_file(store, pipeline)
        ),
    )


def _comes_from_file(store: Store, pipeline: str) -> bool:
    """Tell whether a pipeline comes from the drop folder: whoever writes there writes that one, too."""
    from airloom.store.records import NotFound

    try:
        return store.pipeline(pipeline).path is not None
    except NotFound:
        return False


def keep_grants(store: Store, payload: dict[str, Any]) -> None:
    """Have Airflow's rights to a pipeline's DAG follow its grants; `payload` is that of the event `grants`."""
    pipeline = payload["pipeline"]
    allow_people(pipeline, store.grants.of_object("pipeline", pipeline))


def allow_people(pipeline: str, grants: list[Grant]) -> None:
    """Have Airflow let people read, start and change a pipeline's DAG as they were granted it.

    A user has a role of their own for that. A role or user that Airflow does not know gets nothing. Does nothing where
    another auth manager keeps the users.
    """
    if not keeps_roles():
        return
    with _manager() as manager:
        control: dict[str, dict[str, set[str]]] = {ADMIN: ACTIONS["publisher"]}
        for grant in grants:
            name = grant.subject if grant.subject_kind == "role" else _role_of_user(manager, grant.subject)
            if name is not None and manager.find_role(name) is not None:
                control[name] = ACTIONS[grant.level]
        if manager.find_role(ADMIN) is None:
            make_roles(manager)
        manager.sync_perm_for_dag(pipeline, control)


def _role_of_user(manager: Any, user: str) -> str | None:
    """Return the name of the role that a user alone has, made where it is missing; None where there is no such user."""
    known = manager.find_user(username=user)
    if known is None:
        return None
    name = ROLE_OF_USER + user
    role = manager.find_role(name) or manager.add_role(name)
    if role not in known.roles:
        known.roles.append(role)
        manager.update_user(known)
    return name


def _permissions(role: str) -> set[tuple[str, str]]:
    with _manager() as manager:
        known = manager.find_role(role)
        if known is None:
            return set()
        return {(permission.action.name, permission.resource.name) for permission in known.permissions}
