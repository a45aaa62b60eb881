"""Which files pipelines reach: what an installation allows, and nothing that a URL or a link could mean beside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airloom.engine.child import at_work, end_children, run_in_child
from airloom.engine.storage import Files
from airloom.spec.configuration import Configuration
from airloom.spec.error import ConfigurationError, SystemFault

ALLOWED = ("https://allowed/shop", "s3://bucket/in", "https://other:8443")
FILES = Files(Path("/nowhere"), ALLOWED)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("https://allowed/shop/a.csv", "https://allowed/shop/a.csv"),
        ("HTTPS://Allowed/shop/a.csv", "https://allowed/shop/a.csv"),
        ("https://allowed/shop/a%20b.csv?day=1&x=%2F", "https://allowed/shop/a%20b.csv?day=1&x=%2F"),
        ("https://other:8443/a.csv", "https://other:8443/a.csv"),
        ("s3://bucket/in/2026/*.parquet", "s3://bucket/in/2026/*.parquet"),
        ("s3://bucket/in/part-?.csv", "s3://bucket/in/part-?.csv"),
    ],
)
def test_a_url_below_an_allowed_one_is_reached(given: str, place: str) -> None:
    assert FILES.resolve(given) == place


@pytest.mark.parametrize(
    "given",
    [
        "https://allowed/shop/x::file:///etc/passwd",
        "simplecache::https://allowed/shop/x",
        "https://allowed%2Fshop%2F@elsewhere/x",
        "https://allowed/shop@elsewhere/x",
        "https://user:pass@allowed/shop/x",
        "https://allowed:80@elsewhere/shop/x",
        "https://allowed.elsewhere/shop/x",
        "https://allowed:8443/shop/x",
        "http://allowed/shop/x",
        "https://allowed/shopping/x",
        "https://allowed/shop",
        "https://allowed/shop/",
        "https://allowed/shop/../secret",
        "https://allowed/shop/%2e%2e/secret",
        "https://allowed/shop/a%2F..%2F..%2Fsecret",
        "https://allowed/shop/..%5csecret",
        "https://allowed\\@elsewhere/shop/x",
        "https://allowed/shop/x\r\nHost: elsewhere",
        "https:///allowed/shop/x",
        "s3://bucket/in/../out/x",
        "s3://bucket2/in/x",
        "file:///etc/passwd",
        "https://other:8443",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="lies outside"):
        FILES.resolve(given)


def test_folders_of_the_installation_are_closed_though_an_allowed_one_holds_them(tmp_path: Path) -> None:
    settings = Configuration(root=tmp_path, paths=[str(tmp_path)])
    files = Files.of(settings)
    assert files.resolve("data.csv") == str(tmp_path / "data.csv")
    for place in ("include/nodes/evil.py", "include/pipelines/new.json", ".airloom/secrets.env", "x/../.airloom/y"):
        with pytest.raises(ConfigurationError, match="Airloom itself lives"):
            files.resolve(place)
    (tmp_path / ".airloom").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / ".airloom")
    with pytest.raises(ConfigurationError, match="Airloom itself lives"):
        files.resolve("link/secrets.env")


def test_ending_children_ends_those_that_work_for_us_alone() -> None:
    others = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run_in_child(time.sleep, 60, timeout=60)
        except SystemFault as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not at_work:
            time.sleep(0.01)
        end_children()
        thread.join(10)
        assert not thread.is_alive()
        assert "killed" in str(failures[0])
        assert not at_work
        assert others.poll() is None
        os.kill(others.pid, 0)
    finally:
        others.kill()
        others.wait()
