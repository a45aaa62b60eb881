"""Settings as people write them into variables."""

from __future__ import annotations

import pytest

from airloom.spec.configuration import Configuration, read_configuration
from airloom.spec.error import ConfigurationError


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('["a", "/b", "s3://bucket/x"]', ["a", "/b", "s3://bucket/x"]),
        ("a", ["a"]),
        ("include/data:/srv/exports", ["include/data", "/srv/exports"]),
        (
            "include/data:s3://bucket/in:https://host:8443/shop:/srv",
            ["include/data", "s3://bucket/in", "https://host:8443/shop", "/srv"],
        ),
        ("https://host:8443:b", ["https://host:8443", "b"]),
        ("", None),
    ],
)
def test_paths_are_a_list_with_colons_or_of_json(
    text: str, paths: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLOOM_PATHS", text)
    assert Configuration().paths == paths


def test_a_list_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_PATHS", '["a"')
    with pytest.raises(ConfigurationError, match="AIRLOOM_PATHS") as caught:
        read_configuration()
    assert "JSON list" in str(caught.value.hint)
