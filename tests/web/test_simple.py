"""Airflow's simple auth manager, which is meant for development: rights follow the order of its roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import Web

from airloom.store.store import Store

USERS = {"vic": "viewer", "una": "user", "opal": "op", "alma": "admin"}
CODE = {
    "nodes": [
        {"id": "only", "type": "set", "config": {"value": 1}},
        {"id": "code", "type": "python_code", "config": {"code": "def run(value):\n    return 1"}},
    ],
    "edges": [{"from": "only", "to": "code"}],
}


@pytest.fixture
def simple(store: Store, people: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Return the API of an Airflow whose users the simple auth manager keeps."""
    from airflow.api_fastapi.app import _AuthManagerState
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    from airloom.web.app import make_app

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", ",".join(f"{a}:{b}" for a, b in USERS.items()))
    manager = SimpleAuthManager()
    monkeypatch.setattr(_AuthManagerState, "instance", manager)
    tokens = {user.username: manager.generate_jwt(user) for user in manager.get_users()}
    application = make_app(store)
    with TestClient(application, raise_server_exceptions=False) as client:
        yield Web(store, application, tokens, client)


def test_rights_follow_the_order_of_the_roles(simple: Web) -> None:
    rights = {who: simple.get("/me", who)["rights"] for who in USERS}
    assert rights == {
        "vic": ["read"],
        "una": ["create", "read"],
        "opal": ["create", "read"],
        "alma": ["admin", "code", "create", "read"],
    }


def test_a_viewer_reads_and_a_user_edits(simple: Web) -> None:
    simple.store.publish({"id": "sales"}, {"nodes": {}}, author="somebody", source="api")
    may = {who: simple.get("/pipelines/sales", who)["may"] for who in USERS}
    everything = ["read", "run", "edit", "publish"]
    assert may == {"vic": ["read"], "una": everything, "opal": everything, "alma": everything}
    assert simple.ask("POST", "/pipelines", "vic", json={"id": "stock"}).status_code == 403


def test_code_is_for_admins(simple: Web) -> None:
    statuses = {}
    for who in ("una", "alma"):
        assert simple.ask("POST", "/pipelines", who, json={"id": f"of_{who}"}).status_code == 201
        answer = simple.ask("POST", f"/pipelines/of_{who}/publish", who, json={"document": CODE})
        statuses[who] = answer.status_code
    assert statuses == {"una": 422, "alma": 201}


def test_a_service_token_has_the_rights_that_its_owner_has_now(simple: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    made = simple.ask("POST", "/tokens", "una", json={"name": "ci", "scopes": ["read", "edit"]}).json()
    headers = {"X-API-Key": made["token"]}
    assert simple.get("/me", headers=headers)["rights"] == ["create", "read"]
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "una:viewer")
    assert simple.get("/me", headers=headers)["rights"] == ["read"]
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "vic:viewer")
    assert simple.ask("GET", "/me", headers=headers).status_code == 401
