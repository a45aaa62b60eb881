"""Tables between steps, uploads and pipelines' files in a bucket of an S3 stand-in: Moto's server.

Skipped where the extra `s3` or Moto's server is not installed; MOTO_SERVER names the server where the PATH does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from tests.installations import free_port, installed
from tests.integration.test_api import sign_in

from airloom.engine.data_folder import remove_older_than
from airloom.engine.filesystem import open_filesystem
from airloom.local import lifecycle
from airloom.web.client import ApiRefused, Client

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
ORDERS = b"day,amount\n2026-11-30,3\n2026-12-01,4\n2026-12-01,5\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a stand-in with an empty bucket, which the variables name; return its URL."""
    pytest.importorskip("s3fs")
    program = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")
    if program is None:
        pytest.skip("Moto's server is not installed")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    for name, value in (("AWS_ENDPOINT_URL", address), ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "stand-in")
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 60
        while True:
            assert server.poll() is None, "the stand-in does not start"
            assert time.monotonic() < end, "the stand-in does not answer"
            try:
                if httpx.put(f"{address}/airloom-data", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield "s3://airloom-data"
    finally:
        server.terminate()
        server.wait()


def keys(url: str) -> list[str]:
    """Return the keys below a folder of the bucket."""
    system, path = open_filesystem(url)
    return sorted(str(key).removeprefix(path).lstrip("/") for key in system.find(path))


def reading(upload: str, bucket: str) -> dict[str, Any]:
    """Return a document that reads an upload and writes a table of its own, each node in a task."""
    return {
        "id": "from_bucket",
        "settings": {"grouping": "none"},
        "nodes": [
            {"id": "orders", "type": "csv_read", "config": {"path": f"upload:{upload}"}},
            {
                "id": "by_day",
                "type": "aggregate",
                "config": {"by": ["day"], "measures": {"total": {"op": "sum", "column": "amount"}}},
            },
            {"id": "in_order", "type": "sort", "config": {"by": ["day"]}},
            {"id": "save", "type": "parquet_write", "config": {"path": f"{bucket}/out/days.parquet"}},
            {"id": "again", "type": "parquet_read", "config": {"path": f"{bucket}/out/*.parquet"}},
            {"id": "large", "type": "set", "config": {"value": {"text": "x" * 200_000}}},
        ],
        "edges": [
            {"from": "orders", "to": "by_day"},
            {"from": "by_day", "to": "in_order"},
            {"from": "in_order", "to": "save"},
        ],
    }


def test_all_lies_in_a_bucket(request: pytest.FixtureRequest, bucket: str, report: Callable[[str], None]) -> None:
    began = time.monotonic()
    variables = {"AIRLOOM_DATA": f"{bucket}/tables", "AIRLOOM_PATHS": f'["{bucket}/out", "include/data"]'}
    with installed(request.session, **variables) as running:
        known = lifecycle.client(running.installation)
        address = running.installation.address
        with Client(address, sign_in(running, known.user, known.password)) as client:
            upload = client.upload(BytesIO(ORDERS), "orders.csv")
            assert keys(bucket) == [f"tables/_uploads/{upload.id}/orders.csv"]
            shown = client.preview_upload(upload.id)
            assert (shown.columns[1], [row["amount"] for row in shown.rows]) == (["amount", "BIGINT"], [3, 4, 5])
            fetched = httpx.get(urljoin(address, client.uploaded(upload.id).download), trust_env=False)
            assert (fetched.status_code, fetched.content) == (200, ORDERS)

            # The second time `again` finds what the first run wrote.
            client.import_document(reading(upload.id, bucket) | {"nodes": reading(upload.id, bucket)["nodes"][:4]})
            run = client.wait_for_run("from_bucket", client.start_run("from_bucket").run_id, timeout=300)
            assert run.state == "success", run
            client.import_document(reading(upload.id, bucket), replace_if_exists=True)
            run = client.wait_for_run("from_bucket", client.start_run("from_bucket").run_id, timeout=300)
            assert run.state == "success", run
            totals = [row["total"] for row in client.rows("from_bucket", run.run_id, "in_order")]
            assert totals == [3, 9]
            assert [row["total"] for row in client.rows("from_bucket", run.run_id, "again")] == [3, 9]
            value = client.output("from_bucket", run.run_id, "large").value
            assert len(value["text"]) == 200_000
            for artifact in client.artifacts("from_bucket", run.run_id):
                assert artifact.download is not None, artifact
                file = httpx.get(urljoin(address, artifact.download), trust_env=False)
                assert (file.status_code, len(file.content)) == (200, artifact.bytes), artifact
            preview = client.preview("from_bucket", "by_day", document=reading(upload.id, bucket))
            assert preview.nodes["by_day"]["state"] == "success", preview
            found = {one.name: one for one in client.examination().findings}
            assert found["AIRLOOM_DATA"].state == "right"

            with pytest.raises(ApiRefused) as refused:
                client.delete_upload(upload.id)
            assert refused.value.status == 409
            client.delete_upload(upload.id, force=True)
            assert not [key for key in keys(bucket) if "_uploads" in key]
            with pytest.raises(ApiRefused) as refused:
                client.preview_upload(upload.id)
            assert refused.value.status == 404
            kept = client.upload(BytesIO(ORDERS), "kept.csv")
            assert len([key for key in keys(bucket) if key.startswith("tables/from_bucket/")]) >= 6
            assert (client.clean_up(days=1).runs, client.clean_up(days=1).complete) == (0, True)
            client.delete_run("from_bucket", run.run_id)
            spared = f"{bucket}/tables/_uploads"
            cleaned = remove_older_than(f"{bucket}/tables", 0, spared=spared, is_at_work=lambda pipeline, run_id: False)
            assert (cleaned.runs, cleaned.complete) == (1, True)
            assert keys(bucket) == ["out/days.parquet", f"tables/_uploads/{kept.id}/kept.csv"]
    report(f"upload, runs, rows, downloads and clean-up in a bucket took {time.monotonic() - began:.0f} s")
