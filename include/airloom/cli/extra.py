"""add: an optional extra of this package, into the environment that it runs in."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from airloom.cli.output import console
from airloom.nodes.modules import PACKAGE, extras
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.spec.problem import suggestion

app = typer.Typer()


@app.command()
def add(
    names: Annotated[list[str] | None, typer.Argument(metavar="[EXTRA]", help="Names of extras.")] = None,
) -> None:
    """Install optional extras, which some node types need; without a name, list them."""
    known = {name: _requirements(name) for name in extras()}
    if not names:
        for name, requirements in known.items():
            mark = "[green]✓[/green]" if all(map(_is_installed, requirements)) else " "
            console.print(f"{mark} [bold]{escape(name)}[/bold] [dim]{escape(', '.join(requirements))}[/dim]")
        return
    for extra in names:
        if extra not in known:
            hint = suggestion(extra, known) or f"extras: {', '.join(known)}"
            raise ConfigurationError(f"there is no extra {extra!r}", hint=hint)
    missing = [text for extra in names for text in known[extra] if not _is_installed(text)]
    if not missing:
        console.print(f"{escape(', '.join(names))}: installed already.")
        return
    _install(missing)
    console.print(f"{escape(', '.join(names))}: installed. An installation that runs sees it once it is started anew.")


def _requirements(extra: str) -> list[str]:
    """Return what an extra needs beside the package itself, as pip writes it."""
    from packaging.requirements import Requirement

    found = []
    for text in importlib.metadata.requires(PACKAGE) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
            continue
        requirement.marker = None
        found.append(str(requirement))
    return found


def _is_installed(text: str) -> bool:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    try:
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False


def _install(requirements: Sequence[str]) -> None:
    """Install packages and leave all that is installed as it is."""
    command, settings = _installer()
    pins = sorted({f"{one.name}=={one.version}" for one in importlib.metadata.distributions() if one.name != PACKAGE})
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
        arguments = [*command, "--constraint", str(constraints), *requirements]
        try:
            code = subprocess.run(arguments, env={**os.environ, **settings}, check=False).returncode  # noqa: S603
        except OSError as error:
            raise SystemFault(f"{command[0]} cannot be run: {error.strerror}") from None
    if code != 0:
        raise SystemFault(f"installing {', '.join(requirements)} failed ({code})", hint="its own message stands above")


def _installer() -> tuple[list[str], dict[str, str]]:
    """Return the command that installs into this environment, and variables for it: of the launcher, or pip."""
    from airloom.spec.configuration import configuration

    launcher = configuration().root / PACKAGE
    if launcher.is_file():
        parts = runpy.run_path(str(launcher), run_name="launcher")
        return [*parts["find_uv"](), "pip", "install", "--python", sys.executable], parts["settings_of_pip"]()
    if importlib.util.find_spec("pip") is None:
        raise ConfigurationError(
            "this environment has no pip", hint=f"install it with the tool that made {sys.prefix}, such as uv"
        )
    return [sys.executable, "-m", "pip", "install"], {}
