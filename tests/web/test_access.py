"""Sharing pipelines, granting Connections and code, and service tokens."""

from __future__ import annotations

from tests.web.conftest import Web


def make(web: Web, identifier: str, who: str = "ann") -> None:
    """Let somebody make a pipeline."""
    assert web.ask("POST", "/pipelines", who, json={"id": identifier}).status_code == 201


def test_a_publisher_shares_and_takes_back(web: Web) -> None:
    make(web, "sales")
    path = "/pipelines/sales/collaborators/user/bob"
    assert web.ask("PUT", path, "bob", json={"level": "publisher"}).status_code == 404
    assert web.ask("PUT", path, "ann", json={"level": "editor"}).status_code == 200
    assert web.get("/pipelines/sales", "bob")["may"] == ["read", "run", "edit"]
    assert web.ask("PUT", path, "bob", json={"level": "publisher"}).status_code == 403
    listed = web.ask("GET", "/pipelines/sales/collaborators", "bob").json()
    assert [(entry["subject"], entry["level"]) for entry in listed] == [("ann", "publisher"), ("bob", "editor")]
    assert web.ask("DELETE", path, "ann").status_code == 204
    assert web.ask("GET", "/pipelines/sales", "bob").status_code == 404
    assert web.ask("DELETE", path, "ann").status_code == 404


def test_a_role_can_be_granted_something(web: Web) -> None:
    make(web, "sales")
    body = {"level": "reader"}
    web.ask("PUT", "/pipelines/sales/collaborators/role/Airloom Viewer", "ann", json=body)
    assert [item["id"] for item in web.get("/pipelines", "viv")["items"]] == ["sales"]


def test_grants_are_for_administrators(web: Web) -> None:
    path = "/grants/connections/warehouse/user/viv"
    for who in ("ann", "otto", "vera"):
        assert web.ask("PUT", path, who).status_code == 403
    assert web.ask("PUT", path, "adam").status_code == 200
    assert web.get("/me", "viv")["connections"] == ["warehouse"]
    assert web.ask("DELETE", path, "ada").status_code == 204
    assert web.get("/me", "viv")["connections"] == []


class TestTokens:
    def test_a_token_is_made_used_and_ended(self, web: Web) -> None:
        made = web.ask("POST", "/tokens", "ann", json={"name": "ci", "scopes": ["read"]}).json()
        headers = {"X-API-Key": made["token"]}
        assert web.get("/me", headers=headers)["name"] == "ann"
        listed = web.ask("GET", "/tokens", "ann").json()
        assert [token["id"] for token in listed] == [made["id"]]
        assert made["token"] not in str(listed)
        assert listed[0]["used_at"] is not None
        assert web.ask("DELETE", f"/tokens/{made['id']}", "bob").status_code == 404
        assert web.ask("DELETE", f"/tokens/{made['id']}", "ann").status_code == 200
        assert web.ask("GET", "/me", headers=headers).status_code == 401

    def test_a_token_makes_no_token_and_no_grant(self, web: Web) -> None:
        scopes = ["read", "run", "edit", "publish", "approve", "admin"]
        text = web.ask("POST", "/tokens", "ada", json={"name": "all", "scopes": scopes}).json()["token"]
        headers = {"X-API-Key": text}
        more = {"name": "more", "scopes": ["admin"]}
        assert web.ask("POST", "/tokens", headers=headers, json=more).status_code == 403
        assert web.ask("PUT", "/grants/code/user/viv", headers=headers).status_code == 403

    def test_only_administrators_see_those_of_others(self, web: Web) -> None:
        web.ask("POST", "/tokens", "ann", json={"name": "ci", "scopes": ["read"]})
        assert web.ask("GET", "/tokens?everybody=true", "bob").status_code == 403
        assert len(web.ask("GET", "/tokens?everybody=true", "adam").json()) == 1

    def test_what_a_token_cannot_be(self, web: Web) -> None:
        for body in (
            {"name": "", "scopes": ["read"]},
            {"name": "a", "scopes": []},
            {"name": "a", "scopes": ["fly"]},
            {"name": "a", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
            {"name": "a", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00"},
        ):
            assert web.ask("POST", "/tokens", "ann", json=body).status_code == 422, body


def test_another_sites_cookie_changes_nothing(web: Web) -> None:
    web.client.cookies.set("_token", web.tokens["ann"])
    body = {"id": "sales"}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert web.ask("POST", "/pipelines", json=body, headers=headers).status_code == 403, headers
    own = {"Origin": "http://testserver"}
    assert web.ask("POST", "/pipelines", json=body, headers=own).status_code == 201
    browser = {"Sec-Fetch-Site": "same-origin"}
    assert web.ask("POST", "/pipelines", json={"id": "stock"}, headers=browser).status_code == 201
