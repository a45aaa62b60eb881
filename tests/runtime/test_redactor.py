"""Secrets of Connections stay in the process of a step: whatever fails, and however it is told."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from tests.conftest import Databases
from tests.runtime.conftest import Run, Workshop, node

from airloom.dags.outcome import outcome_of
from airloom.runtime.redactor import Redactor
from airloom.runtime.results import error_text
from airloom.store.lookup import plain
from airloom.store.records import NodeRun
from airloom.store.store import Store

SECRET = "S3cret/of:the@ware house?&=%ü"
PART = "S3cret"
ENCODED = quote(SECRET, safe="")


def connection(**fields: Any) -> Any:
    """Return an Airflow Connection."""
    from airflow.sdk import Connection

    return Connection(conn_id="c", conn_type="postgres", **fields)


def knowing(**fields: Any) -> Redactor:
    """Return a redactor that has seen a Connection with these fields."""
    redactor = Redactor()
    redactor.learn(connection(**fields))
    return redactor


class TestForms:
    @pytest.mark.parametrize(
        "text",
        [
            SECRET, ENCODED, re.sub("%..", lambda found: found[0].lower(), ENCODED),
            quote_plus(SECRET), quote(SECRET), json.dumps({"a": SECRET}), repr(SECRET),
            base64.b64encode(SECRET.encode()).decode(), base64.b64encode(f"ann:{SECRET}".encode()).decode(),
            f"postgres://ann:{ENCODED}@db:5432/x", f"postgres://ann:{SECRET}@db/x", "of 'S3cret/of'",
            json.dumps(SECRET, ensure_ascii=False),
        ],
    )  # fmt: skip
    def test_a_password_is_found_in_all_its_forms(self, text: str) -> None:
        assert holds_secret(text) or "Uzo" in text or "YW5u" in text or "uzNj" in text or "UzNj" in text
        shown = knowing(login="ann", password=SECRET).text(f"before {text} after")
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        assert not holds_secret(shown)
        assert text not in shown

    @pytest.mark.parametrize(
        "fields",
        [
            {"extra": json.dumps({"api_token": SECRET})},
            {"extra": json.dumps({"deep": [{"client_secret": {"value": SECRET}}]})},
            {"extra": json.dumps({"keyfile_dict": json.dumps({"id": SECRET})})},
            {"extra": json.dumps({"proxy": f"http://ann:{SECRET}@proxy:3128"})},
            {"extra": json.dumps({"proxy": f"http://ann:{ENCODED}@proxy:3128"})},
            {"extra": json.dumps({"endpoint": f"https://host/path?region=eu&token={ENCODED}"})},
            {"host": f"https://ann:{ENCODED}@host"},
            {"host": f"https://:{SECRET}@host"},
            {"schema": f"x?password={ENCODED}"},
        ],
    )
    def test_the_other_fields_hold_secrets_too(self, fields: dict[str, Any]) -> None:
        redactor = knowing(**fields)
        for text in (SECRET, ENCODED):
            assert not holds_secret(redactor.text(f"it is {text}"))

    def test_what_is_no_secret_stays(self) -> None:
        redactor = knowing(
            host="warehouse.example", schema="sales", login="ann", port=5432, password=SECRET,
            extra=json.dumps({"sslmode": "require", "region": "eu-west-1", "timeout": 10}),
        )  # fmt: skip
        text = "ann may not read sales on warehouse.example:5432 with require in eu-west-1, 10 seconds"
        assert redactor.text(text) == text
        assert Redactor().text(SECRET) == SECRET

    def test_odd_fields_stop_nothing(self) -> None:
        redactor = knowing(
            extra='{"token": "half \\ud800 a pair", "key": 12345, "secret": null, "passwords": [true, ""]}'
        )
        assert redactor.text("half \ud800 a pair, 12345 and True") == "***, *** and True"
        assert Redactor().learn(object()) == set()

    def test_tells_what_is_new(self) -> None:
        redactor = Redactor()
        assert "a password" in redactor.learn(connection(password="a password"))
        assert redactor.learn(connection(password="a password")) == set()

    def test_a_short_secret_eats_no_words(self) -> None:
        redactor = knowing(login="ann", password="to")
        assert redactor.text("not able to go to Toronto") == "not able to go to Toronto"
        assert redactor.text("postgres://ann:to@db and password=to") == "postgres://ann***db and ***"

    def test_words_that_something_is_decided_by_stay(self) -> None:
        redactor = knowing(password="a/rows/seconds")
        assert redactor.value({"rows": {"done": 1}, "seconds": "seconds"}, keys=False) == {
            "rows": {"done": 1}, "seconds": "***",
        }  # fmt: skip

    def test_data_loses_whole_secrets_alone(self) -> None:
        redactor = knowing(password="long enough/shop")
        assert redactor.data(["shop", "a long enough/shop", 1, None, {"long enough/shop": "long"}]) == [
            "shop", "a ***", 1, None, {"***": "long"},
        ]  # fmt: skip
        assert knowing(password="1234567").data("1234567") == "1234567"

    @given(st.text(min_size=4, max_size=30).filter(lambda text: "\0" not in text), st.text(), st.text())
    def test_whatever_a_password_is_made_of(self, secret: str, before: str, after: str) -> None:
        redactor = Redactor()
        redactor.learn(type("Any", (), {"password": secret}))
        shown = redactor.text(f"{before}{secret}{after}")
        # A mask may make another occurrence together with what is around it, where a secret is made of asterisks.
        assert secret not in shown or set(secret) <= {"*"} or "***" in secret or secret in "***".join((before, after))


def holds_secret(text: str) -> bool:
    return PART in text or "ware house" in text or "warehouse%20" in text


class TestLogs:
    def test_of_whatever_logger_and_with_its_trace(self, caplog: pytest.LogCaptureFixture) -> None:
        redactor = knowing(password=SECRET)
        log = logging.getLogger("some.driver")
        with redactor.watching():
            try:
                raise ValueError(SECRET)
            except ValueError:
                log.exception("%s failed with %s", "this", SECRET)
            log.warning("%d of %s", 1, "others")
        assert "this failed with ***" in caplog.text
        assert "ValueError: ***" in caplog.text
        assert not holds_secret(caplog.text)
        assert caplog.records[1].args == (1, "others"), "what holds no secret is left alone"
        log.warning(SECRET)
        assert holds_secret(caplog.text)


@pytest.fixture
def server(databases: Databases, store_url: str) -> Iterator[Any]:
    """Return the address of a database, for a role whose password is the secret."""
    role = make_url(store_url).database
    with psycopg.connect(plain(store_url), autocommit=True) as administrator:
        administrator.execute(f"create role {role} login".encode())
        administrator.execute(f"alter role {role} password '{SECRET}'".encode())
        yield make_url(store_url).set(username=role, password=SECRET)
        administrator.execute(f"drop owned by {role}".encode())
        administrator.execute(f"drop role {role}".encode())


WHERE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "password": lambda url: {"password": url.password},
    "extra": lambda url: {"password": url.password, "extra": json.dumps({"sslpassword": SECRET})},
    "url": lambda url: {"host": f"postgresql://{url.username}:{ENCODED}@nowhere.invalid", "password": "another one"},
}
NODES = {
    "postgres_read": ([node("n", "postgres_read", connection="leaky", sql=f'SELECT "{SECRET}"')], ""),
    "postgres_write": (
        [
            node("rows", "jsonl_read", path="rows.jsonl"),
            node("n", "postgres_write", connection="leaky", table=f'"{PART}".t'),
        ],
        "rows>n",
    ),
    **{
        f"leak {how}": ([node("n", "leak", how=how, text=SECRET)], "")
        for how in ("error", "data", "child", "value", "large")
    },
}


def all_that_leaves(run: Run, store: Store) -> str:
    """Run a document; return what leaves the process: results, XCom values, the task's error, what the store keeps."""
    found: list[Any] = []
    for step in run.plan.steps:
        results = run.step(step.id)
        outcome = outcome_of(step, results)
        found += [outcome.values, outcome.failure and error_text(outcome.failure)]
        found += [asdict(result) for result in results.values()]
        nodes = [
            NodeRun("a", "r", name, result.state, outputs=result.outputs, error=result.error,
                    statistics=result.statistics, attempt=1)
            for name, result in results.items()
        ]  # fmt: skip
        store.node_runs.record("a", step.id, nodes)
        found += [asdict(kept) for kept in store.node_runs.of("a", step.id)]
    found += [path.read_text() for path in Path(run.settings.data_url).rglob("*.json")]
    return json.dumps(found, default=str, ensure_ascii=False)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("what", NODES)
def test_no_secret_leaves_a_failed_step(
    workshop: Workshop, store: Store, server: Any, what: str, where: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    workshop.rows("rows.jsonl", [{"a": 1}])
    fields = {"host": server.host, "port": server.port, "login": server.username, "schema": server.database}
    fields |= WHERE[where](server)

    def scan(*, redacted: bool) -> str:
        caplog.clear()
        nodes, edges = NODES[what]
        run = workshop.begin(*nodes, edges=edges)
        run.surroundings.connections = lambda name: connection(**fields)
        with monkeypatch.context() as patch:
            if not redacted:
                patch.setattr(Redactor, "learn", lambda *_: None)
            return all_that_leaves(run, store) + caplog.text

    before = scan(redacted=False)
    assert holds_secret(before), "the scan would find it"
    after = scan(redacted=True)
    assert not holds_secret(after)
    assert "***" in after
