"""What stands in several files of the deployment agrees: Compose, the secrets, the pins of the image."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from airloom.local.airflow import PLATFORM, configuration_file
from airloom.local.deployment import SECRETS

ROOT = Path(__file__).parents[2]
COMPILE = (
    "write the pins anew: uv pip compile pyproject.toml --extra celery --extra pandas --extra polars --universal "
    "--python-version 3.11 --generate-hashes --constraint requirements.txt --no-header --no-annotate "
    "--output-file docker/requirements.txt"
)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def pins(file: str) -> dict[str, set[str]]:
    """Return the packages of a requirements file, each with its pins."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / file).read_text().splitlines():
        name, equals, version = line.removesuffix(" \\").partition("==")
        if not equals:  # a hash of the line before, or a comment
            continue
        found.setdefault(name, set()).add(version)
    return found


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested, image = pins("requirements.txt"), pins("docker/requirements.txt")
    both = tested.keys() & image.keys()
    assert {name: image[name] for name in both} == {name: tested[name] for name in both}, COMPILE


@pytest.mark.parametrize("file", ["requirements.txt", "docker/requirements.txt", "requirements-spark.txt"])
def test_every_pin_has_a_hash(file: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / file).read_text().strip())
    bare = [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert bare == [], COMPILE


def test_the_image_has_every_package_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["celery"], *extras["pandas"], *extras["polars"]]
    names = {re.split(r"[<>=!\[; ]", requirement, maxsplit=1)[0].lower() for requirement in wanted}
    assert names - pins("docker/requirements.txt").keys() == set(), COMPILE


def test_every_secret_is_asked_for_and_judged() -> None:
    example = re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(example) == set(SECRETS) == set(SERVICES["secrets"]["environment"])


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    for name in SECRETS:
        assert set(re.findall(rf"\$\{{{name}[^}}]*\}}", text)) == {f"${{{name}:-}}"}


def test_nothing_that_keeps_a_secret_starts_before_the_secrets_are_judged() -> None:
    def waits_for_secrets(name: str) -> bool:
        before = SERVICES[name].get("depends_on", {})
        return "secrets" in before or any(waits_for_secrets(other) for other in before)

    keepers = {name for name, service in SERVICES.items() if "_PASSWORD:-}" in str(service.get("environment"))}
    assert {"postgres", "redis", "minio", "init", "celery-worker"} <= keepers
    assert [name for name in keepers - {"secrets"} if not waits_for_secrets(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "AIRLOOM_DATABASE_URL",
        "ADMINISTRATOR_DATABASE_URL",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    ],
)
def test_what_runs_tasks_sees_no_more_than_a_task_may(name: str) -> None:
    assert name not in SERVICES["celery-worker"]["environment"]


def test_the_store_is_open_to_few() -> None:
    open_to = {name for name, service in SERVICES.items() if "AIRLOOM_DATABASE_URL" in service.get("environment", {})}
    assert open_to == {"init", "api-server", "worker"}


def test_the_airflow_of_the_image_is_set_as_pipelines_need_it() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(configuration_file())
    for name, value in PLATFORM.items():
        section, _, option = name.partition(".")
        assert parser.get(section, option) == value
