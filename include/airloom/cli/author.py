"""Commands for whoever writes pipelines: validate, try."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from airloom.cli.connections import connections_of, installed_connections, read_connections
from airloom.cli.documents import AsJson, print_problems, read_file, split_params
from airloom.cli.output import Exit, console, print_json
from airloom.cli.reach import is_afar, reach_afar
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem, errors

if TYPE_CHECKING:
    from airloom.runtime.pinned import Pins

app = typer.Typer()
CELL_WIDTH = 40
"""Characters of a value that a table shows."""
STATISTICS = ("nulls", "distinct", "minimum", "maximum", "mean")


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Pipeline documents, JSON or YAML.")],
    as_json: AsJson = False,
) -> None:
    """Say all that is wrong with documents. Ends with 1 where one has an error."""
    reports = []
    for path in files:
        content = read_file(path)
        problems = content.problems
        if not errors(problems):
            problems = [*problems, *content.located(_problems_of(content.data))]
        identifier = content.data.get("id") if isinstance(content.data, dict) else None
        reports.append((path, identifier, problems))
    if as_json:
        print_json(
            {
                "files": [
                    {"file": str(path), "id": identifier, "problems": [problem.to_json() for problem in problems]}
                    for path, identifier, problems in reports
                ]
            }
        )
    else:
        for path, _, problems in reports:
            mark = "[red]✗[/red]" if errors(problems) else "[green]✓[/green]"
            console.print(f"{mark} {escape(str(path))}")
            print_problems(problems)
    if any(errors(problems) for _, _, problems in reports):
        raise typer.Exit(Exit.FAILED)


def _problems_of(data: object) -> list[Problem]:
    """Check a document; its Connections too, where it names some and there is an installation that knows them."""
    if is_afar():
        with reach_afar() as installation:
            return installation.check(data)
    from airloom.checks.check import check
    from airloom.checks.facts import Facts
    from airloom.checks.uses import uses_of
    from airloom.engine.storage import Files
    from airloom.spec.configuration import configuration
    from airloom.spec.values import read_values

    facts = Facts(files=Files.of(configuration()), values=read_values(configuration().values_file), run_tests=True)
    report = check(data, facts)
    if report.resolved is None or not any(use.kind == "connection" for use in uses_of(report.resolved)):
        return report.problems
    try:
        with contextlib.redirect_stdout(sys.stderr):
            known = installed_connections()
    except ConfigurationError as error:
        return [*report.problems, Problem("connection.unchecked", error.message, "warning", hint=error.hint)]
    return report.problems if known is None else check(data, dataclasses.replace(facts, connections=known)).problems


@app.command("try")
def try_(
    file: Annotated[Path, typer.Argument(help="A pipeline document, JSON or YAML.")],
    node: Annotated[str | None, typer.Option(help="Run this node and what it needs.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Rows to show of each table.")] = 10,
    rows: Annotated[int | None, typer.Option(min=1, help="Take the first rows of each source only.")] = None,
    statistics: Annotated[bool, typer.Option(help="Sum each column up: nulls, range, mean.")] = False,
    pin: Annotated[
        Path | None, typer.Option(help="A JSON or YAML file: node → its outputs, as --json shows them; it is not run.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter, as name=value; may be repeated.")] = None,
    connections: Annotated[
        Path | None, typer.Option(help="A JSON or YAML file: name → URI, or the fields of a Connection.")
    ] = None,
    write: Annotated[bool, typer.Option(help="Run nodes that write, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a document here and now, without Airflow: the quick loop of whoever writes one."""
    from airloom.runtime.trial import Trial, try_document
    from airloom.spec.configuration import configuration

    _log_progress()
    given = read_connections(connections) if connections else {}
    params = split_params(param or [])
    content = read_file(file)
    pinned = _read_pins(pin) if pin else {}
    trial = Trial({}, [])
    if not errors(content.problems):
        trial = try_document(
            content.data,
            configuration(),
            rows=rows,
            statistics=statistics,
            pinned=pinned,
            params=params,
            until=node,
            sample=limit,
            write=write,
            connections=connections_of(given),
            on_node=print_node if not as_json else lambda name, report: None,
        )
    trial.problems[:] = [*content.problems, *content.located(trial.problems)]
    if as_json:
        print_json(trial.to_json())
    else:
        print_problems(trial.problems)
        if trial.held_back:
            console.print(f"[dim]Not run, for it writes: {escape(', '.join(trial.held_back))}; --write runs it.[/dim]")
    if not trial.ok:
        raise typer.Exit(Exit.FAILED)


def _read_pins(path: Path) -> Pins:
    from airloom.runtime.pinned import read_pins

    content = read_file(path)
    if problems := errors(content.problems):
        place = f" ({problems[0].place})" if problems[0].place else ""
        raise ConfigurationError(f"{path} cannot be read: {problems[0].message}{place}", hint=problems[0].hint)
    return read_pins(content.data)


def _log_progress() -> None:
    """Let what nodes log stand on standard error; that a node failed stands in its report."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.levelno < logging.ERROR)
    log = logging.getLogger("airloom.run")
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)


def print_node(name: str, report: dict[str, Any]) -> None:
    """Print how a node ended, and what it gave."""
    colours = {"success": "green", "failed": "red", "skipped": "magenta", "not_run": "dim"}
    state = report["state"]
    fired = f" → {', '.join(report['fired'])}" if report["fired"] else ""
    console.print(
        f"[{colours[state]}]{state:8}[/] [bold]{escape(name)}[/bold]{escape(fired)} [dim]{report['seconds']}s[/dim]"
    )
    if report["error"]:
        error = report["error"]
        console.print(
            f"  [red]{escape(str(error['message']))}[/red]" + (f" ({error['field']})" if error["field"] else "")
        )
        if error["hint"]:
            console.print(f"  → {escape(error['hint'])}")
    for port, output in report["outputs"].items():
        if output["kind"] == "table":
            _print_table(port, output)
        elif port != "error":
            text = json.dumps(output["value"], ensure_ascii=False)
            console.print(f"  {escape(port)}: {escape(text[:500])}")


def _print_table(port: str, output: dict[str, Any]) -> None:
    columns, sample = output["columns"], output["sample"]
    fits = _columns_that_fit(columns, sample)
    title = f"{port}: {output['rows']:,} rows"
    if len(sample) < output["rows"]:
        title += f", the first {len(sample)}" if sample else ""
    table = Table(title=title, title_justify="left", title_style="dim", box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for column in columns[:fits]:
        table.add_column(
            f"{escape(column['name'])}\n[dim]{escape(column['type'])}[/dim]",
            no_wrap=True,
            overflow="ellipsis",
            max_width=CELL_WIDTH,
        )
    for row in sample:
        table.add_row(*("[dim]null[/dim]" if value is None else escape(str(value)) for value in [*row.values()][:fits]))
    console.print(table)
    if "statistics" in output:
        _print_statistics(output["statistics"])
    if more := [f"{column['name']} {column['type']}" for column in columns[fits:]]:
        console.print(f"  [dim]and {escape(', '.join(more))}[/dim]")


def _print_statistics(columns: dict[str, dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim", style="dim")
    for heading in ("column", *STATISTICS):
        table.add_column(heading, justify="left" if heading == "column" else "right", max_width=CELL_WIDTH)
    for name, found in columns.items():
        shown = ("" if found.get(measure) is None else str(found[measure]) for measure in STATISTICS)
        table.add_row(escape(name), *map(escape, shown))
    console.print(table)


def _columns_that_fit(columns: list[dict[str, str]], sample: list[dict[str, Any]]) -> int:
    """Return how many columns stand beside each other; the others are named below."""
    left = console.width
    for at, column in enumerate(columns):
        texts = [column["name"], column["type"], *(str([*row.values()][at]) for row in sample)]
        left -= min(max(map(len, texts)), CELL_WIDTH) + 4
        if left < 0:
            return max(at, 1)
    return len(columns)
