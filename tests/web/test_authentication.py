"""Signing in: by Airflow's tokens and cookie, by service tokens; and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from tests.web.conftest import Web

from airloom.spec.configuration import Configuration
from airloom.web.rate import Rates


def test_nobody_is_told_to_sign_in(web: Web) -> None:
    answer = web.ask("GET", "/me")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer a.b.c", "Bearer ", "Basic YTpi"])
def test_a_forged_token_is_nobodys(web: Web, header: str) -> None:
    assert web.ask("GET", "/me", headers={"Authorization": header}).status_code == 401


def test_a_token_is_told_who_it_is(web: Web) -> None:
    me = web.get("/me", "ann")
    assert (me["name"], me["roles"], me["rights"]) == ("ann", ["Airloom Author"], ["create", "read"])
    assert (me["scopes"], me["connections"]) == (None, ["warehouse"])
    assert web.get("/me", "adam")["rights"] == ["admin", "code", "create", "read"]
    assert web.get("/me", "adam")["connections"] is None


def test_a_cookie_signs_in_for_reading(web: Web) -> None:
    web.client.cookies.set("_token", web.tokens["ann"])
    assert web.get("/me")["name"] == "ann"


class TestServiceTokens:
    def token(self, web: Web, *scopes: str, owner: str = "ann", **more: object) -> str:
        identifier = web.get("/me", owner)["id"]
        made = web.store.tokens.make("ci", user_id=identifier, user_name=owner, scopes=scopes, **more)  # type: ignore[arg-type]
        return made[1]

    def test_both_headers_are_taken(self, web: Web) -> None:
        text = self.token(web, "read")
        for headers in ({"X-API-Key": text}, {"Authorization": f"Bearer {text}"}):
            me = web.get("/me", headers=headers)
            assert (me["name"], me["rights"], me["scopes"]) == ("ann", ["read"], ["read"])

    def test_scopes_and_pipelines_bound_it(self, web: Web) -> None:
        for name in ("one", "two"):
            web.store.publish({"id": name, "tags": [name]}, {"nodes": {}}, author="ann", source="api")
        text = self.token(web, "read", "run", pipelines=["one"])
        headers = {"X-API-Key": text}
        assert [item["id"] for item in web.get("/pipelines", headers=headers)["items"]] == ["one"]
        assert web.get("/pipelines/one", headers=headers)["may"] == ["read", "run"]
        assert web.ask("GET", "/pipelines/two", headers=headers).status_code == 404
        tagged = {"X-API-Key": self.token(web, "read", tags=["two"])}
        assert [item["id"] for item in web.get("/pipelines", headers=tagged)["items"]] == ["two"]

    def test_what_has_ended_is_refused(self, web: Web) -> None:
        expired = self.token(web, "read", expires_at=datetime.now(UTC) - timedelta(seconds=1))
        revoked = self.token(web, "read")
        web.store.tokens.revoke(revoked.split("_")[1], user_id=None)
        for text in (expired, revoked, revoked[:-1], "airloom_", "airloom_x_y", "airloom_é_é"):
            answer = web.ask("GET", "/me", headers={"X-API-Key": text.encode()})
            assert answer.status_code == 401

    def test_an_owner_who_is_gone_has_none(self, web: Web) -> None:
        _, text = web.store.tokens.make("ci", user_id="987654", user_name="gone", scopes=["read"])
        assert web.ask("GET", "/me", headers={"X-API-Key": text}).status_code == 401


def test_every_answer_is_dressed(web: Web) -> None:
    answer = web.ask("GET", "/me", "ann", headers={"X-Correlation-ID": "my-id.1"})
    assert answer.headers["x-correlation-id"] == "my-id.1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    odd = web.ask("GET", "/nowhere", "ann", headers={"X-Correlation-ID": "a b\tc"})
    assert odd.status_code == 404
    assert odd.json()["correlation_id"] == odd.headers["x-correlation-id"] != "a b\tc"


class TestRates:
    def test_who_asks_too_often_has_to_wait(self, web: Web) -> None:
        web.application.state.rates = Rates(Configuration(api_rate="2/minute"))
        statuses = [web.ask("GET", "/me", "ann").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = web.ask("GET", "/me", "ann")
        assert refused.json()["code"] == "RATE_LIMITED"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert web.ask("GET", "/me", "bob").status_code == 200

    def test_who_guesses_tokens_has_to_wait(self, web: Web) -> None:
        web.application.state.rates = Rates(Configuration(sign_in_rate="2/minute"))
        guesses = [web.ask("GET", "/me", headers={"X-API-Key": "airloom_a_b"}).status_code for _ in range(3)]
        assert guesses == [401, 401, 429]

    def test_a_limit_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="api_rate"):
            Configuration(api_rate="often")
