"""What Airflow's other processes load of the web application: its plugin class, and nothing behind it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airloom.spec.configuration import configuration

PROBE = """
import sys
import airloom.web.plugin
loaded = [name for name in sys.modules if name.startswith("airloom.web.") and name != "airloom.web.plugin"]
assert loaded == [], loaded
assert "jsonpatch" not in sys.modules and "limits" not in sys.modules
"""


def test_the_plugin_imports_nothing_of_the_application() -> None:
    ended = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_without_a_store_there_is_no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    from airloom.web.plugin import AirloomPlugin

    monkeypatch.delenv("AIRLOOM_DATABASE_URL", raising=False)
    configuration.cache_clear()
    plugin = AirloomPlugin()
    assert plugin.fastapi_apps == []
    assert plugin.external_views == [], "a page that nobody serves would be offered"


@pytest.mark.parametrize(
    ("name", "value"), [("AIRLOOM_DATABASE_URL", "mysql://ann:secret@host/store"), ("AIRLOOM_THREADS", "many")]
)
def test_a_wrong_setting_keeps_no_api_server_from_starting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    from airloom.web.plugin import AirloomPlugin

    monkeypatch.setenv(name, value)
    configuration.cache_clear()
    assert AirloomPlugin().fastapi_apps == []
    assert "Airloom's API is not served" in caplog.text
    assert "secret" not in caplog.text
