"""What no caller gets through: bodies that are too large or too deep, odd paths, odd headers, odd numbers."""

from __future__ import annotations

import json

import pytest
from tests.web.conftest import Web


@pytest.fixture(autouse=True)
def sales(web: Web) -> None:
    """Let ann have a pipeline."""
    web.store.create("sales", by="ann")


def test_a_body_that_is_too_large_is_refused(web: Web) -> None:
    large = json.dumps({"nodes": [], "description": "x" * (7 << 20)})
    for path in ("/pipelines/sales/draft", "/pipelines/import", "/pipelines/check"):
        method = "PUT" if path.endswith("draft") else "POST"
        headers = {"Content-Type": "application/json", "If-None-Match": "*"}
        answer = web.ask(method, path, "ann", content=large, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE"), path


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, '{"nodes": NaN}', "\x00", '{"a": "\\ud800"}', "{"])
def test_a_body_that_is_no_document_is_refused(web: Web, text: str) -> None:
    headers = {"Content-Type": "application/json", "If-None-Match": "*"}
    answer = web.ask("PUT", "/pipelines/sales/draft", "ann", content=text.encode(), headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert web.ask("GET", "/pipelines/sales/draft", "ann").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/pipelines/..%2f..%2fetc%2fpasswd",
        "/pipelines/sales%00",
        "/pipelines/sales'%20or%201=1--",
        "/pipelines/%F0%9F%92%A5",
        "/pipelines/" + "a" * 3000,
        "/pipelines/sales/versions/0",
        "/pipelines/sales/versions/99999999999999999999",
        "/pipelines/sales/diff?from=-1",
        "/pipelines?limit=0",
        "/pipelines?limit=100000",
        "/pipelines?search=" + "a" * 300,
        "/pipelines?search=%00",
        "/runs?pipeline=%00",
        "/pipelines/sales/runs/a%00b/attempts",
        "/pipelines/sales/runs/a%00b/nodes/orders/logs",
        "/runs?cursor=" + "WyJhIl0",
        "/pipelines?cursor=WzFd",
        "/figures?days=0",
    ],
)
def test_an_odd_path_is_answered_calmly(web: Web, path: str) -> None:
    answer = web.ask("GET", path, "ada")
    assert answer.status_code in (200, 404, 422), answer.text
    assert answer.headers["x-correlation-id"]


def test_ids_cannot_break_out_of_a_header_or_a_statement(web: Web) -> None:
    for identifier in ("Sales", "a-b", "a\r\nSet-Cookie: x=1", "a' or 1=1", "", "a" * 101, "../a"):
        assert web.ask("POST", "/pipelines", "ann", json={"id": identifier}).status_code == 422, identifier


def test_a_subject_may_have_any_name(web: Web) -> None:
    path = "/pipelines/sales/collaborators/user/o'neill%20%22x%22"
    assert web.ask("PUT", path, "ann", json={"level": "reader"}).json()["subject"] == 'o\'neill "x"'
    nul = "/pipelines/sales/collaborators/user/a%00b"
    assert web.ask("PUT", nul, "ann", json={"level": "reader"}).status_code == 422


def test_a_run_has_no_id_that_no_database_keeps(web: Web) -> None:
    for body in ({"run_ids": ["a", "b\0"]}, {"run_ids": ["a" * 300]}):
        answer = web.ask("POST", "/pipelines/sales/runs/delete", "ann", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    for act in ("cancel", "retry", "rerun"):
        answer = web.ask("POST", f"/pipelines/sales/runs/a%00b/{act}", "ann", json={})
        assert answer.status_code in (404, 422), (act, answer.text)
    assert web.ask("DELETE", "/pipelines/sales/runs/a%00b", "ann").status_code in (404, 422)
