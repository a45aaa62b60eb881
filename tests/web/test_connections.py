"""Connections: made by administrators, used by whom they were granted, tried by a worker; no secret in any answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.web.answering import answering
from tests.web.conftest import Web

from airloom.dags.connections import connection, connection_types, delete_connection
from airloom.spec.error import ConfigurationError

SECRET = "s3cret-pass"
MADE = {
    "name": "sales_db",
    "type": "postgres",
    "host": "127.0.0.1",
    "port": 1,
    "login": "ann",
    "password": SECRET,
    "database": "sales",
    "extra": {"application_name": SECRET, "sslmode": "disable"},
}


@pytest.fixture
def made(web: Web) -> Iterator[str]:
    """Keep a Connection, and let a worker answer."""
    answer = web.ask("POST", "/connections", "adam", json=MADE)
    kept = {"name": "sales_db", "type": "postgres", "can_probe": True, "warnings": []}
    assert (answer.status_code, answer.json()) == (201, kept)
    with answering(web.store):
        yield "sales_db"
    if "sales_db" in (connection_types() or ()):
        delete_connection("sales_db")


def listed(web: Web, who: str) -> list[dict[str, Any]]:
    """Return the Connections that somebody sees."""
    answer = web.ask("GET", "/connections", who)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_who_was_granted_one_sees_and_tries_it(web: Web, made: str) -> None:
    assert made not in [one["name"] for one in listed(web, "bob")]
    for method, path in (("GET", ""), ("POST", "/test"), ("GET", "/users")):
        assert web.ask(method, f"/connections/{made}{path}", "bob", json={}).status_code == 404
    web.store.grants.give("connection", made, "user", "bob", "use", by="adam")
    (one,) = [one for one in listed(web, "bob") if one["name"] == made]
    assert one == {
        "name": made, "type": "postgres", "host": "127.0.0.1", "port": 1, "login": "ann", "database": "sales",
        "source": "database",
    }  # fmt: skip
    tried = web.ask("POST", f"/connections/{made}/test", "bob", json={}).json()
    assert tried["works"] is False
    assert "refused" in tried["message"]


def test_a_change_leaves_what_is_not_named(web: Web, made: str) -> None:
    assert web.ask("PATCH", f"/connections/{made}", "adam", json={"host": "localhost"}).status_code == 204
    kept = connection(made)
    assert (kept.host, kept.login, kept.password, kept.extra_dejson["application_name"]) == (
        "localhost",
        "ann",
        SECRET,
        SECRET,
    )
    assert web.ask("PATCH", f"/connections/{made}", "adam", json={"password": "other", "extra": {}}).status_code == 204
    kept = connection(made)
    assert (kept.password, kept.extra_dejson) == ("other", {})


def test_it_can_be_removed(web: Web, made: str) -> None:
    assert web.ask("DELETE", f"/connections/{made}", "adam").status_code == 204
    assert web.ask("DELETE", f"/connections/{made}", "adam").status_code == 404
    with pytest.raises(ConfigurationError):
        connection(made)


def test_only_administrators_make_and_change_them(web: Web, made: str) -> None:
    web.store.grants.give("connection", made, "user", "ann", "use", by="adam")
    for method, path, body in (
        ("POST", "", MADE),
        ("PATCH", "/sales_db", {"host": "a"}),
        ("DELETE", "/sales_db", None),
    ):
        assert web.ask(method, f"/connections{path}", "ann", json=body).status_code == 403
    again = web.ask("POST", "/connections", "adam", json=MADE)
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_EXISTS")
    assert connection(made).host == "127.0.0.1"
    other = {**MADE, "host": "localhost", "type": "postgrse"}
    replaced = web.ask("POST", "/connections?replace_if_exists=true", "adam", json=other)
    assert (replaced.status_code, replaced.json()["can_probe"]) == (201, False)
    (warning,) = replaced.json()["warnings"]
    assert "postgrse: did you mean 'postgres'" in warning
    assert connection(made).host == "localhost"


def test_no_answer_holds_a_secret(web: Web, made: str) -> None:
    paths = ("/connections", "/connections/types", f"/connections/{made}", f"/connections/{made}/users")
    answers = [web.ask("GET", path, "adam") for path in paths]
    answers += [
        web.ask("POST", f"/connections/{made}/test", "adam", json={}),
        web.ask("POST", "/connections", "adam", json=MADE),
        web.ask("PATCH", f"/connections/{made}", "adam", json={"port": SECRET}),
        web.ask("POST", "/connections", "adam", json={**MADE, "name": "other", "extra": SECRET}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [409, 422, 422]
    assert SECRET not in "".join(answer.text + str(answer.headers) for answer in answers)


def test_types_come_with_their_fields(web: Web) -> None:
    types = {found["type"]: found for found in web.ask("GET", "/connections/types", "viv").json()}
    assert types["postgres"]["fields"]["schema"]["title"] == "Database"
    assert "password" in types["postgres"]["fields"]


def test_without_a_worker_it_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airloom.worker.connections.WORKER_SECONDS", 0.2)
    answer = web.ask("GET", "/connections", "adam")
    assert (answer.status_code, answer.json()["message"]) == (503, "no worker has answered within 0.2 s")
