"""The API on a real Airflow: from a draft to runs, who may what there, and the end of a session."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airloom.web.client import ApiRefused, Client

if TYPE_CHECKING:
    from tests.installations import Running

pytestmark = pytest.mark.integration


def sign_in(installation: Running, user: str, password: str) -> str:
    """Return a Bearer token of Airflow's."""
    address = installation.installation.address
    answer = httpx.post(f"{address}/auth/token", json={"username": user, "password": password}, trust_env=False)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def password() -> str:
    """Return the password of the users of this module."""
    return secrets.token_hex(12)


@pytest.fixture(scope="module")
def author(installation: Running, password: str) -> str:
    """Make an author; return the user's name."""
    for name in ("api_author", "api_reader"):
        body = {
            "username": name, "first_name": name, "last_name": "Test", "email": f"{name}@localhost",
            "password": password, "roles": [{"name": "Airloom Author"}],
        }  # fmt: skip
        installation.api("POST", "/auth/fab/v1/users", body)
    return "api_author"


def document(value: Any) -> dict[str, Any]:
    """Return a document whose node makes a value."""
    return {"nodes": [{"id": "only", "type": "set", "config": {"value": value}}]}


def test_from_a_draft_to_a_run_of_the_version_before(installation: Running, author: str, password: str) -> None:
    with Client(installation.installation.address, sign_in(installation, author, password)) as client:
        assert "create" in client.me().rights
        client.make_pipeline("api_flow", document=document(1))
        draft = client.draft("api_flow")
        other = client.save_draft("api_flow", document(2), etag=draft.etag)
        with pytest.raises(ApiRefused) as refused:
            client.save_draft("api_flow", document(3), etag=draft.etag)
        assert refused.value.details["current"]["etag"] == other.etag
        assert client.publish("api_flow", message="first").number == 1
        first = client.wait_for_run("api_flow", client.start_run("api_flow").run_id)
        assert (first.state, first.version, first.actor) == ("success", 1, author)
        assert [(node.node, node.state) for node in first.nodes] == [("only", "success")]
        assert client.publish("api_flow", document=document(4)).number == 2
        (change,) = client.difference("api_flow", 1, 2).changes
        assert (change.field, change.before, change.after) == ("/config/value", 2, 4)
        assert client.rollback("api_flow", 1).number == 3
        again = client.wait_for_run("api_flow", client.start_run("api_flow").run_id)
        assert (again.state, again.version) == ("success", 3)
        assert [run.run_id for run in client.runs(pipeline="api_flow")] == [again.run_id, first.run_id]


def test_airflow_lets_people_do_what_they_were_granted(installation: Running, author: str, password: str) -> None:
    address, reader = installation.installation.address, sign_in(installation, "api_reader", password)
    headers = {"Authorization": f"Bearer {reader}"}
    with Client(address, sign_in(installation, author, password)) as client:
        client.make_pipeline("api_shared", document=document(1))
        client.publish("api_shared")
        client.wait_for_run("api_shared", client.start_run("api_shared").run_id)

        def status() -> int:
            asked = f"{address}/api/v2/dags/api_shared"
            return httpx.get(asked, headers=headers, trust_env=False).status_code

        assert status() == 403
        path = f"{address}/airloom/api/v1/pipelines/api_shared/collaborators/user/api_reader"
        shown = {"Authorization": f"Bearer {sign_in(installation, author, password)}"}
        assert httpx.put(path, json={"level": "reader"}, headers=shown, trust_env=False).status_code == 200
        for _ in range(60):
            if status() == 200:
                break
            time.sleep(1)
        assert status() == 200
        with Client(address, reader) as second:
            assert second.pipeline("api_shared").may == ["read"]
            with pytest.raises(ApiRefused):
                second.start_run("api_shared")


def test_signing_out_ends_the_token(installation: Running, author: str, password: str) -> None:
    token, address = sign_in(installation, author, password), installation.installation.address
    headers = {"Authorization": f"Bearer {token}"}
    me = f"{address}/airloom/api/v1/me"
    assert httpx.get(me, headers=headers, trust_env=False).status_code == 200
    httpx.get(f"{address}/api/v2/auth/logout", headers=headers, trust_env=False)
    assert httpx.get(me, headers=headers, trust_env=False).status_code == 401


def test_the_reference_is_there(installation: Running) -> None:
    address = installation.installation.address + "/airloom/api"
    assert httpx.get(f"{address}/docs", trust_env=False).status_code == 200
    paths = httpx.get(f"{address}/openapi.json", trust_env=False).json()["paths"]
    assert "/api/v1/pipelines/{pipeline}/draft" in paths
