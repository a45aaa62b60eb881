from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airloom.local.installation import (
    Installation,
    InstallationMissing,
    load_environment,
    write_environment,
)
from airloom.spec.error import ConfigurationError

SECRETS = (
    "postgres_password",
    "database_password",
    "task_password",
    "user_password",
    "fernet_key",
    "jwt_secret",
    "secret_key",
)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {"AIRLOOM_ROOT": str(tmp_path), "AIRLOOM_HOME": str(tmp_path / "a home")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_kept_for_the_owner_alone(variables: dict[str, str]) -> None:
    first = Installation.open(variables=variables)
    second = Installation.open(variables=variables)
    assert first.state == second.state
    assert mode(first.home / "installation.json") == 0o600


def test_two_homes_share_no_secret(variables: dict[str, str], tmp_path: Path) -> None:
    one = Installation.open(variables=variables).state
    other = Installation.open(variables={**variables, "AIRLOOM_HOME": str(tmp_path / "other")}).state
    assert all(getattr(one, name) != getattr(other, name) for name in (*SECRETS, "identity"))


def test_the_representation_shows_no_secret(variables: dict[str, str]) -> None:
    installation = Installation.open(variables=variables)
    assert not any(getattr(installation.state, name) in repr(installation) for name in SECRETS)


def test_a_password_in_the_given_variables_is_not_shown(variables: dict[str, str]) -> None:
    given = {"AIRLOOM_DATABASE_URL": "postgresql://me:hidden@db/store"}
    assert "hidden" not in repr(Installation.open(variables={**variables, **given}))


def test_port_and_host_are_remembered(variables: dict[str, str]) -> None:
    Installation.open(variables=variables, port=9400, host="0.0.0.0").save()
    again = Installation.open(variables=variables)
    assert again.address == "http://127.0.0.1:9400"
    assert again.ports == {
        "Airflow": ("0.0.0.0", 9400),
        "PostgreSQL": ("127.0.0.1", 9401),
        "the logs of running tasks": ("127.0.0.1", 9402),
    }


@pytest.mark.parametrize("port", [-1, 65534, 70000])
def test_a_number_that_leaves_no_room_for_three_ports_is_refused(variables: dict[str, str], port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{port} is not a port"):
        Installation.open(variables=variables, port=port)


def test_a_refused_port_is_not_remembered(variables: dict[str, str]) -> None:
    before = Installation.open(variables=variables).state.port
    with pytest.raises(ConfigurationError):
        Installation.open(variables=variables, port=99999)
    assert Installation.open(variables=variables).state.port == before


def test_a_server_of_the_users_own_takes_the_place_of_the_embedded_one(variables: dict[str, str]) -> None:
    given = {"AIRLOOM_DATABASE_URL": "postgresql://me:x@db/store"}
    opened = Installation.open(variables={**variables, **given})
    assert not opened.embedded
    opened.save()
    # A later `up` from a shell without the variable must not begin anew on an empty server.
    assert not Installation.open(variables=variables).embedded


def test_a_command_beside_no_installation_says_how_to_start_one(variables: dict[str, str]) -> None:
    with pytest.raises(InstallationMissing) as raised:
        Installation.existing(variables)
    assert raised.value.hint == "Start one: airloom up"


def test_a_damaged_state_is_named_and_its_content_is_not_shown(variables: dict[str, str]) -> None:
    installation = Installation.open(variables=variables)
    path = installation.home / "installation.json"
    path.write_text('{"postgres_password": "hidden"}')
    with pytest.raises(ConfigurationError, match="is damaged") as raised:
        Installation.open(variables=variables)
    assert str(path) in raised.value.message
    assert "hidden" not in str(raised.value)


def test_other_processes_find_the_installation_and_keep_what_they_have(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Installation.open(variables=variables).home
    write_environment(home, {"AIRLOOM_THREADS": "7", "AIRLOOM_DATA": "s3://a=b/c d", "AIRLOOM_HOME": str(home)})
    assert mode(home / "environment") == 0o600
    monkeypatch.setenv("AIRLOOM_HOME", str(home))
    monkeypatch.setenv("AIRLOOM_THREADS", "3")
    # Set and taken away, so that it is taken away again behind this test.
    monkeypatch.setenv("AIRLOOM_DATA", "")
    del os.environ["AIRLOOM_DATA"]
    assert load_environment()
    assert (os.environ["AIRLOOM_THREADS"], os.environ["AIRLOOM_DATA"]) == ("3", "s3://a=b/c d")


def test_without_an_installation_the_environment_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_HOME", str(tmp_path))
    before = dict(os.environ)
    assert not load_environment()
    assert dict(os.environ) == before


def test_a_variable_of_several_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AIRLOOM_PATHS holds a line break"):
        write_environment(tmp_path, {"AIRLOOM_PATHS": "[\n]"})


def test_the_home_of_another_shell_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_HOME", str(tmp_path / "of this process"))
    opened = Installation.open(variables={"AIRLOOM_ROOT": str(tmp_path)})
    assert opened.home == tmp_path / ".airloom"
