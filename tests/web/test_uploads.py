"""Uploads: sent piece by piece, each its owner's, read by the nodes of a document that names it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.web.answering import answering
from tests.web.conftest import Web
from tests.web.test_client import Mounted

from airloom.dags.actor import Actor
from airloom.dags.publishing import publish
from airloom.runtime.trial import try_document
from airloom.spec.configuration import configuration
from airloom.web.client import Client
from airloom.worker.clean_up import clean_up

Json = dict[str, Any]
ORDERS = b"day,amount\n2026-11-30,3\n2026-12-01,4\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of data."""
    monkeypatch.setenv("AIRLOOM_DATA", str(tmp_path / "data"))
    configuration.cache_clear()
    return tmp_path / "data"


def send(web: Web, who: str = "ann", name: str = "orders.csv", content: bytes = ORDERS, **more: Any) -> Json:
    """Send a file; return what is told of it."""
    answer = web.ask("POST", "/uploads", who, params={"name": name}, content=content, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def reading(upload: str, pipeline: str = "sales", **more: Any) -> Json:
    """Return a document that reads an upload."""
    nodes = [{"id": "orders", "type": "csv_read", "config": {"path": f"upload:{upload}"}}]
    return {"id": pipeline, "nodes": nodes, **more}


def bring(web: Web, who: str, document: Json) -> Any:
    """Let somebody publish a document."""
    return web.ask("POST", "/pipelines/import?replace_if_exists=true", who, json=document)


def test_a_file_is_kept_as_it_was_sent(web: Web, data: Path) -> None:
    headers = {"Content-Type": "text/csv; charset=utf-8"}
    sent = send(web, name="Orders of 'Nov' ../../x*.csv", headers=headers)
    digest = hashlib.sha256(ORDERS).hexdigest()
    assert (sent["media_type"], sent["bytes"], sent["sha256"], sent["owner"]) == (
        "text/csv",
        len(ORDERS),
        digest,
        "ann",
    )
    (file,) = (path for path in data.rglob("*") if path.is_file())
    assert file.relative_to(data).parts[:2] == ("_uploads", sent["id"])
    assert (file.suffix, file.read_bytes()) == (".csv", ORDERS)
    found = web.get(f"/uploads/{sent['id']}", "ann")
    assert found["name"] == sent["name"] == "Orders of 'Nov' ../../x*.csv"
    fetched = web.ask("GET", found["download"].removeprefix("/api/v1"))
    assert (fetched.content, fetched.headers["content-type"]) == (ORDERS, "application/octet-stream")
    assert send(web, name="orders.parquet.gz")["media_type"] == "application/octet-stream"


def test_what_is_another_s_is_in_no_list(web: Web) -> None:
    first, second = send(web)["id"], send(web)["id"]
    of_bob = send(web, "bob")["id"]
    page = web.get("/uploads?limit=1", "ann")
    rest = web.get(f"/uploads?cursor={page['next_cursor']}", "ann")
    assert [one["id"] for one in [*page["items"], *rest["items"]]] == [second, first]
    assert [one["id"] for one in web.get("/uploads", "adam")["items"]] == [of_bob, second, first]
    for method, path in (("GET", ""), ("GET", "/preview"), ("DELETE", "")):
        answers = [web.ask(method, f"/uploads/{upload}{path}", "bob") for upload in (first, "0" * 32)]
        assert [answer.status_code for answer in answers] == [404, 404]
    assert web.ask("POST", "/uploads?name=a.csv", "viv", content=ORDERS).status_code == 403


def test_a_file_that_is_too_large_leaves_nothing(web: Web, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_UPLOAD_LIMIT", "8MB")
    configuration.cache_clear()
    assert send(web, content=b"x" * 8_000_000)["bytes"] == 8_000_000

    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 1_000_000] * 9

    for content in (b"x" * 8_000_001, pieces()):
        answer = web.ask("POST", "/uploads?name=a.csv", "ann", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert len([path for path in data.rglob("*") if path.is_file()]) == 1
    assert len(web.get("/uploads", "ann")["items"]) == 1


@pytest.mark.parametrize("name", ["orders.csv", "ORDERS.TSV", "orders.jsonl", "orders.json", "orders.txt"])
def test_the_first_rows_are_shown(web: Web, name: str) -> None:
    content = {
        ".tsv": ORDERS.replace(b",", b"\t"),
        ".jsonl": b'{"day": "2026-11-30", "amount": 3}\n{"day": "2026-12-01", "amount": 4}\n',
        ".json": b'[{"day": "2026-11-30", "amount": 3}, {"day": "2026-12-01", "amount": 4}]',
    }.get(Path(name).suffix.lower(), ORDERS)
    upload = send(web, name=name, content=content)["id"]
    with answering(web.store):
        shown = web.get(f"/uploads/{upload}/preview?limit=1", "ann")
    if name.endswith(".txt"):
        assert shown["node_type"] == "text_read"
    else:
        assert shown["rows"] == [{"day": "2026-11-30", "amount": 3}]
        assert [column[0] for column in shown["columns"]] == ["day", "amount"]


def test_a_file_that_no_node_reads_has_no_preview(web: Web) -> None:
    photo = send(web, name="photo.png", content=b"\x89PNG")["id"]
    assert web.ask("GET", f"/uploads/{photo}/preview", "ann").status_code == 415
    broken = send(web, name="orders.json", content=b'[{"day"')["id"]
    with answering(web.store):
        answer = web.ask("GET", f"/uploads/{broken}/preview", "ann")
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")


def test_a_node_reads_it_whoever_runs_the_pipeline(web: Web) -> None:
    upload = send(web)["id"]
    assert bring(web, "ann", reading(upload)).status_code == 200
    found = web.get(f"/uploads/{upload}", "ann")
    assert [(use["pipeline"], use["node"]) for use in found["used_by"]] == [("sales", "orders")]
    columns = web.ask("POST", "/pipelines/columns", "ann", json=reading(upload)).json()["ports"]
    assert columns == {"orders.rows": [["day", "DATE"], ["amount", "BIGINT"]]}
    trial = try_document(web.store.version("sales").document, configuration())
    assert trial.to_json()["nodes"]["orders"]["outputs"]["rows"]["sample"][1]["amount"] == 4


def test_only_its_owner_names_it(web: Web) -> None:
    upload = send(web)["id"]
    codes = [problem["code"] for problem in bring(web, "bob", reading(upload, "stolen")).json()["details"]]
    assert codes == ["upload.unknown"]
    assert web.ask("POST", "/pipelines/columns", "bob", json=reading(upload)).json()["ports"] == {}
    hidden = {"id": "a", "type": "set", "config": {"value": {"file": f"read upload:{upload}"}}}
    refused = bring(web, "bob", {"id": "stolen", "nodes": [hidden]}).json()["details"]
    assert [(problem["code"], problem["pointer"]) for problem in refused] == [
        ("right.upload", "/nodes/0/config/value/file")
    ]
    unknown = bring(web, "ann", reading("0" * 32)).json()["details"]
    assert [problem["code"] for problem in unknown] == ["upload.unknown"]
    assert bring(web, "adam", reading(upload, "of_adam")).status_code == 200


def test_a_collaborator_leaves_it_where_it_is(web: Web) -> None:
    upload = send(web)["id"]
    assert bring(web, "ann", reading(upload)).status_code == 200
    web.store.grants.give("pipeline", "sales", "user", "bob", "publisher", by="ann")
    beside = reading(upload, name="By bob")
    assert bring(web, "bob", beside).json()["version"] == 2
    moved = {**beside, "nodes": [*beside["nodes"], {**beside["nodes"][0], "id": "other"}]}
    assert [problem["code"] for problem in bring(web, "bob", moved).json()["details"]] == ["right.upload"]


def test_a_collaborator_previews_what_may_be_published(web: Web) -> None:
    upload = send(web)["id"]
    assert bring(web, "ann", reading(upload)).status_code == 200
    web.store.grants.give("pipeline", "sales", "user", "bob", "editor", by="ann")
    nodes = reading(upload)["nodes"]
    few = {"id": "few", "type": "limit", "config": {"rows": 1}}
    beside = {"nodes": [*nodes, few], "edges": [{"from": "orders", "to": "few"}]}
    moved = {"nodes": [*nodes, {**nodes[0], "id": "few"}]}
    with answering(web.store):
        answers = [
            web.ask("POST", "/pipelines/sales/preview", "bob", json={"node": "few", "document": document})
            for document in (beside, moved)
        ]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].json()["nodes"]["few"]["outputs"]["rows"]["sample"][0]["amount"] == 3
    assert [problem["code"] for problem in answers[1].json()["details"]] == ["right.upload"]


def test_an_expression_leads_to_no_other_upload(web: Web) -> None:
    upload = send(web)["id"]
    params = {"file": {"type": "string", "default": f"upload:{upload}"}}
    node = {"id": "orders", "type": "csv_read", "config": {"path": "{{ params.file }}"}}
    document = {"id": "stolen", "params": params, "nodes": [node]}
    published = publish(web.store, document, actor=Actor("bob"))
    assert published.version is not None, published.problems
    ended = try_document(document, configuration()).to_json()["nodes"]["orders"]
    assert (ended["state"], ended["error"]["code"]) == ("failed", "upload.unknown")


def test_it_is_only_read(web: Web) -> None:
    upload = send(web)["id"]
    document = reading(upload)
    document["nodes"].append({"id": "save", "type": "csv_write", "config": {"path": f"upload:{upload}"}})
    document["edges"] = [{"from": "orders", "to": "save"}]
    (problem,) = bring(web, "ann", document).json()["details"]
    assert (problem["pointer"], problem["message"]) == ("/nodes/1/config/path", "an upload can only be read")
    for path in ("upload:../../secret", f"upload:{upload}/../x", "upload:"):
        document["nodes"][0]["config"]["path"] = path
        assert bring(web, "ann", {**document, "nodes": document["nodes"][:1], "edges": []}).status_code == 422


def test_deleting_one_that_is_used_wants_a_word(web: Web, data: Path) -> None:
    upload = send(web)["id"]
    bring(web, "ann", reading(upload))
    answer = web.ask("DELETE", f"/uploads/{upload}", "ann")
    assert (answer.status_code, "sales" in answer.json()["message"]) == (409, True)
    assert web.ask("DELETE", f"/uploads/{upload}?force=true", "ann").status_code == 204
    assert [path for path in data.rglob("*") if path.is_file()] == []
    assert web.get("/uploads", "ann")["items"] == []
    ended = try_document(reading(upload), configuration()).to_json()
    assert [problem["code"] for problem in ended["problems"]] == ["upload.unknown"]


def test_clean_up_leaves_uploads_and_takes_what_broke_off(web: Web, data: Path) -> None:
    upload = send(web)["id"]
    left = data / "_uploads" / ("f" * 32)
    (left / ".part-x").mkdir(parents=True)
    (left / ".part-x" / "file").write_bytes(b"x")
    long_ago = time.time() - 90 * 86400
    for place in [*data.rglob("*")]:
        os.utime(place, (long_ago, long_ago))
    clean_up(web.store, configuration())
    assert not left.exists()
    assert web.get(f"/uploads/{upload}", "ann")["bytes"] == len(ORDERS)
    assert [path.read_bytes() for path in data.rglob("*") if path.is_file()] == [ORDERS]


def test_the_client(web: Web) -> None:
    with Client("http://airflow.example", web.tokens["ann"], transport=Mounted(web)) as client, answering(web.store):
        sent = client.upload(BytesIO(ORDERS), "orders.csv", media_type="text/csv")
        assert (sent.bytes, sent.media_type) == (len(ORDERS), "text/csv")
        assert [one.id for one in client.uploads()] == [sent.id]
        assert client.uploaded(sent.id).node_type == "csv_read"
        assert len(client.preview_upload(sent.id).rows) == 2
        client.delete_upload(sent.id)
        assert list(client.uploads()) == []
