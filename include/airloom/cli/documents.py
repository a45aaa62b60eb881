"""What commands share that take documents: reading a file, printing its problems, reading `name=value`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from airloom.cli.output import console
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem

if TYPE_CHECKING:
    from airloom.spec.folder import Content

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def read_file(path: Path) -> Content:
    """Return a document's data and what is wrong with its text; raise ConfigurationError where it can't be read."""
    from airloom.spec.folder import Content

    try:
        return Content.of(path.read_bytes(), path.name)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def print_problems(problems: list[Problem]) -> None:
    """Print problems, one a line, each with what to do."""
    for problem in problems:
        colour = "red" if problem.severity == "error" else "yellow"
        place = f"{problem.node + ' ' if problem.node else ''}{problem.pointer or '/'}"
        line = f" [dim]{problem.place}[/dim]" if problem.place else ""
        severity = f"[{colour}]{problem.severity}[/{colour}]"
        code = f"[dim]{escape('[' + problem.code + ']')}[/dim]"
        console.print(f"  {severity} [bold]{escape(place)}[/bold]{line} {escape(problem.message)} {code}")
        if problem.hint:
            console.print(f"    → {escape(problem.hint)}")


def split_params(given: list[str], option: str = "--param") -> dict[str, str]:
    """Return `name=value` texts as a mapping; end with a usage error for anything else."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint=option)
        found[name] = value
    return found
