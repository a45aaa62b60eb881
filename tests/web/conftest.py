"""The API beside a real store, a real database of Airflow, and its Flask-AppBuilder users; requests go in-process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airloom.store.store import Store

Json = dict[str, Any]

PEOPLE = {
    "vera": "Viewer",
    "uma": "User",
    "otto": "Op",
    "ada": "Admin",
    "viv": "Airloom Viewer",
    "ann": "Airloom Author",
    "bob": "Airloom Author",
    "cody": "Airloom Code author",
    "adam": "Airloom Admin",
    "of_reader": "Airloom Author",
    "of_editor": "Airloom Author",
    "of_publisher": "Airloom Author",
}
"""Users by name, each with one role."""


@dataclass(frozen=True)
class Web:
    """Reach the API as different people."""

    store: Store
    application: Any
    tokens: dict[str, str]
    client: TestClient = field(repr=False)

    def ask(self, method: str, path: str, who: str | None = None, **more: Any) -> Any:
        """Return the answer to a request of a person, by Airflow's Bearer token, or of nobody."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    def get(self, path: str, who: str | None = None, **more: Any) -> Json:
        """Return the JSON of an answer, which has to be 200."""
        answer = self.ask("GET", path, who, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="session")
def people(airflow_database: str) -> Iterator[dict[str, str]]:
    """Make the users of `PEOPLE` in Airflow's database; return their Bearer tokens."""
    with pytest.MonkeyPatch.context() as patch:
        manager_class = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", manager_class)
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests that is long enough for any signature " * 2
        )
        from airflow.api_fastapi.app import init_auth_manager
        from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

        from airloom.dags.roles import make_roles

        with get_application_builder() as builder:
            make_roles(builder.sm)
            builder.sm.sync_roles()
            for name, role in PEOPLE.items():
                builder.sm.add_user(name, name, "Test", f"{name}@localhost", builder.sm.find_role(role), "password")
        manager = init_auth_manager()
        tokens = {}
        with get_application_builder() as builder:
            for name in PEOPLE:
                tokens[name] = manager.generate_jwt(builder.sm.find_user(username=name))
        yield tokens


@pytest.fixture
def web(store: Store, people: dict[str, str]) -> Iterator[Web]:
    """Return the API over an empty store."""
    from airloom.web.app import make_app

    application = make_app(store)
    with TestClient(application, raise_server_exceptions=False) as client:
        yield Web(store, application, people, client)
