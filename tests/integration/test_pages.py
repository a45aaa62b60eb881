"""The pages in a real browser, inside a real Airflow, as several people; `ui/e2e/journeys.mjs` says what they do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.integration.test_api import sign_in

from airloom.web.client import Client

if TYPE_CHECKING:
    from tests.installations import Running

pytestmark = pytest.mark.integration

UI = Path(__file__).parents[2] / "ui"
CHROMIUM = shutil.which("chromium")
READY = shutil.which("node") is not None and CHROMIUM is not None and (UI / "node_modules").is_dir()
Json = dict[str, Any]


def good(condition: str) -> Json:
    """Return a document of two nodes that ends well."""
    return {
        "name": "A good pipeline",
        "params": {"least": {"type": "integer", "default": 1}},
        "nodes": [
            {
                "id": "numbers",
                "name": "Numbers",
                "type": "csv_read",
                "config": {"path": "include/data/nycflights13/airlines.csv"},
            },
            {"id": "big", "name": "Big ones", "type": "filter", "config": {"where": condition}},
        ],
        "edges": [{"from": "numbers", "to": "big"}],
    }


def code_node(code: str) -> Json:
    """Return a document that runs code."""
    return {
        "nodes": [
            {"id": "start", "type": "set", "config": {"value": 1}},
            {"id": "code", "name": "The code", "type": "python_code", "config": {"code": code}},
        ],
        "edges": [{"from": "start", "to": "code"}],
    }


@pytest.mark.skipif(
    not READY and "CI" not in os.environ,
    reason="pages are tried in a browser: needs Node, chromium, and `npm ci` in ui/",
)
@pytest.mark.timeout(600)
def test_people_do_their_work_with_the_pages(installation: Running, tmp_path: Path) -> None:
    people = {"pages_author": "Airloom Code author", "pages_viewer": "Airloom Viewer", "pages_op": "Op"}
    passwords = {name: secrets.token_hex(12) for name in people}
    for name, role in people.items():
        body = {
            "username": name, "first_name": name, "last_name": "Test", "email": f"{name}@localhost",
            "password": passwords[name], "roles": [{"name": role}],
        }  # fmt: skip
        installation.api("POST", "/auth/fab/v1/users", body)
    address = installation.installation.address
    token = sign_in(installation, "pages_author", passwords["pages_author"])
    headers = {"Authorization": f"Bearer {token}"}
    with Client(address, token) as client:
        documents = {
            "pages_good": good("length(carrier) >= {{ params.least }}"),
            "pages_broken": code_node("def run(value):\n    raise ValueError('the file has no header')\n"),
            "pages_slow": code_node("import time\n\ndef run(value):\n    time.sleep(120)\n"),
            "pages_secret": code_node("def run(value):\n    return 1\n"),
        }
        for name, document in documents.items():
            client.make_pipeline(name, document=document)
            client.publish(name)
        client.publish(
            "pages_good", document=good("length(carrier) > {{ params.least }} - 1"), message="Only bigger ones"
        )
        client.save_draft("pages_secret", code_node("def run(value):\n    return 2\n"), etag=None)
        for name in ("pages_good", "pages_broken"):
            path = f"{address}/airloom/api/v1/pipelines/{name}/collaborators/user/pages_viewer"
            given = httpx.put(path, json={"level": "reader"}, headers=headers, trust_env=False)
            assert given.status_code == 200, given.text
        client.wait_for_run("pages_broken", client.start_run("pages_broken").run_id)
    told = {
        "base": address,
        "people": {**passwords, "admin": installation.installation.state.user_password},
        "pictures": str(tmp_path / "pictures"),
    }
    done = subprocess.run(
        ["node", str(UI / "e2e" / "journeys.mjs"), json.dumps(told)],
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\npictures: {tmp_path / 'pictures'}"
