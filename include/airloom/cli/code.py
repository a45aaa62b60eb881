"""test-code: the tests of the functions that Python nodes name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.output import Exit, console, print_json
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.checks.code_tests import Tested

app = typer.Typer()


@app.command("test-code")
def check_functions(
    functions: Annotated[list[str] | None, typer.Argument(help="Functions; all of the folder otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests of functions in the box, as publishing does. Ends with 1 where one fails."""
    from airloom.checks.code_tests import outcome_of
    from airloom.nodes.functions import WrongFunction, names, read_function
    from airloom.spec.configuration import configuration

    wanted = functions or names()
    if not wanted:
        folder = configuration().code_folder
        raise ConfigurationError(f"there is no function in {folder}", hint="write clean.py with a function clean there")
    reports = []
    for name in wanted:
        try:
            reports.append(_report(name, outcome_of(read_function(name))))
        except WrongFunction as error:
            reports.append(_report(name, None, [{"test": None, "message": error.message}]))
    if as_json:
        print_json({"functions": reports})
    else:
        for report in reports:
            _print(report)
    if any(report["failures"] for report in reports):
        raise typer.Exit(Exit.FAILED)


def _report(name: str, found: Tested | None, failures: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return what came of a function's tests; `file` is theirs, null where there are none."""
    if found is not None:
        failures = [{"test": failure.test or None, "message": failure.message} for failure in found.failures]
    file = found.file.name if found is not None and found.file is not None else None
    return {"function": name, "file": file, "tests": found.tests if found else 0, "failures": failures or []}


def _print(report: dict[str, Any]) -> None:
    count = report["tests"]
    shown = f"{count} test{'' if count == 1 else 's'}" if report["file"] else "no tests"
    if not report["failures"]:
        mark = "[green]✓[/green]" if report["file"] else "[yellow]–[/yellow]"
        console.print(f"{mark} {escape(report['function'])} [dim]{shown}[/dim]")
        return
    console.print(f"[red]✗[/red] {escape(report['function'])} [dim]{shown if count else ''}[/dim]".rstrip())
    for failure in report["failures"]:
        test = f"[bold]{escape(failure['test'])}[/bold] " if failure["test"] else ""
        console.print(f"  {test}{escape(failure['message'])}")
