"""The launcher `./airloom`, as far as it goes without installing an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
AS_PYTHON_3_10 = """
import runpy, sys
sys.version_info = (3, 10, 1)
sys.argv = sys.argv[1:]
runpy.run_path({!r}, run_name="__main__")
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder that holds what the launcher reads, and no environment."""
    for name in ("airloom", "requirements.txt", "requirements-uv.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def launcher(clone: Path) -> ModuleType:
    """Return the launcher of the clone as a module."""
    specification = spec_from_loader("launcher", SourceFileLoader("launcher", str(clone / "airloom")))
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_old_python_is_told_which_ones_do(clone: Path) -> None:
    done = run(sys.executable, "-c", AS_PYTHON_3_10.format(str(clone / "airloom")), "airloom", "up", PATH="/nowhere")
    assert done.returncode == 3
    assert "needs Python 3.11, 3.12 or 3.13; this is Python 3.10" in done.stderr


def test_an_old_python_hands_over_to_a_fitting_one(clone: Path) -> None:
    program(clone / "bin" / "python3.13", "exit 127")
    program(clone / "bin" / "python3.12", '[ "$1" = -c ] || echo "handed over: $*"')
    old = AS_PYTHON_3_10.format(str(clone / "airloom"))
    done = run(sys.executable, "-c", old, "airloom", "up", "--detach", PATH=str(clone / "bin"))
    assert done.stdout == f"handed over: {clone / 'airloom'} up --detach\n"


def test_a_python_without_venv_and_pip_names_the_package_to_install(clone: Path) -> None:
    for name in ("ensurepip", "pip"):
        (clone / f"{name}.py").write_text("raise ImportError\n")
    done = run(sys.executable, str(clone / "airloom"), "up", PATH="/nowhere", PYTHONPATH=str(clone))
    assert done.returncode == 3
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"Install one package of the system: apt-get install python{version}-venv" in done.stderr


def test_an_environment_is_current_until_the_requirements_or_the_place_change(
    launcher: ModuleType, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not launcher.is_current()
    program(clone / ".venv" / "bin" / "python", "")
    (clone / ".venv" / "airloom.stamp").write_text(launcher.expected_stamp())
    assert launcher.is_current()
    monkeypatch.setattr(launcher, "ROOT", str(shutil.copytree(clone, clone / "moved")))
    assert not launcher.is_current()
    monkeypatch.undo()
    with (clone / "requirements.txt").open("a") as file:
        file.write("another==1\n")
    assert not launcher.is_current()


def test_uv_is_told_what_pip_is_configured_with(
    launcher: ModuleType, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("UV_")] + ["SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(clone))
    python = program(
        clone / "bin" / "python",
        "echo \"global.index-url='https://mirror.example/simple'\"\n"
        "echo \"global.extra-index-url='https://a.example/simple https://b.example/simple'\"\n"
        "echo \"global.find-links='/wheels /more'\"\n"
        "echo \"global.timeout='60'\"",
    )
    monkeypatch.setattr(sys, "executable", str(python))
    assert launcher.settings_of_pip() == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert launcher.settings_of_pip() == {}


@pytest.mark.parametrize(
    ("own", "fetched", "taken"),
    [
        ("uv 99.0.1 (abc 2030-01-01)", None, "own"),
        ("uv {pin} (x86_64)", None, "own"),
        ("uv 0.1.0", "uv {pin}", "fetched"),
        ("a word", "uv {pin}", "fetched"),
        (None, "uv {pin}", "fetched"),
        (None, "uv 0.1.0", "installed"),
        ("uv 0.1.0", None, "installed"),
    ],
)
def test_the_installer_is_the_pinned_one_or_a_newer_one_of_the_machine(
    own: str | None,
    fetched: str | None,
    taken: str,
    launcher: ModuleType,
    clone: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pin = ".".join(map(str, launcher.pinned_uv()))
    ours = clone / ".uv" / "bin" / "python"
    if own:
        program(clone / "bin" / "uv", f"echo '{own.format(pin=pin)}'")
    if fetched:
        program(ours, f"echo '{fetched.format(pin=pin)}'")
    monkeypatch.setenv("PATH", f"{clone / 'bin'}:/bin:/usr/bin")
    ran: list[list[str]] = []
    monkeypatch.setattr(launcher, "run", lambda what, command, variables=None: ran.append(command))
    command = launcher.find_uv()
    assert command == ([str(clone / "bin" / "uv")] if taken == "own" else [str(ours), "-m", "uv"])
    if taken == "installed":
        assert ran[-1][-3:] == ["--require-hashes", "--requirement", str(clone / "requirements-uv.txt")]
    else:
        assert ran == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-uv.txt"])
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    for package, *rest in lines:
        assert "==" in package
        assert any(word.startswith("--hash=sha256:") for word in rest), package


def test_what_is_pinned_is_what_the_package_asks_for() -> None:
    pins = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if "==" in line and not line.startswith("#"):
            requirement = Requirement(line.rstrip(" \\"))
            pins[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["local"], *extras["test"], *extras["pandas"], *extras["polars"]]:
        asked = Requirement(text)
        if asked.name != "airloom":
            assert asked.specifier.contains(pins[canonicalize_name(asked.name)]), text
