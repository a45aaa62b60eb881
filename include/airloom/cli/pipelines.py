"""Commands for published pipelines: publish, run, list, show, versions, rollback, archive, export."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from airloom.cli.author import AsJson, print_problems, read_file, split_params
from airloom.cli.output import Exit, complaints, console, print_json
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import errors

if TYPE_CHECKING:
    from airloom.dags.platform import NodeState
    from airloom.dags.publishing import Published
    from airloom.store.records import StoredPipeline, StoredVersion
    from airloom.store.store import Store

app = typer.Typer()
Pipeline = Annotated[str, typer.Argument(help="The id of a pipeline.")]
Number = Annotated[int | None, typer.Option("--version", min=1, help="Of this version; the current one otherwise.")]
Author = Annotated[str | None, typer.Option(help="Who does it; your account's name otherwise.")]
PAGE = 200


@app.command()
def publish(
    files: Annotated[list[Path], typer.Argument(help="Pipeline documents, JSON or YAML.")],
    message: Annotated[str, typer.Option("--message", "-m", help="What is new in it.")] = "",
    author: Author = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return once Airflow would run it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check documents, and make each the current version of its pipeline. Ends with 1 where one has an error."""
    load_airflow()
    from airloom.dags import platform
    from airloom.dags.publishing import Published, publish

    results: list[tuple[Path, Published]] = []
    with open_store() as store:
        for path in files:
            data, problems = read_file(path)
            if errors(problems):
                results.append((path, Published(None, problems)))
                continue
            result = publish(store, data, author=author or getpass.getuser(), message=message)
            results.append((path, Published(result.version, [*problems, *result.problems])))
        if wait:
            for _, result in results:
                if result.version is not None:
                    platform.wait_for_version(result.version.pipeline, result.version.number)
    if as_json:
        print_json({"files": [{"file": str(path), **_published_json(result)} for path, result in results]})
    else:
        for path, result in results:
            _print_published(str(path), result)
    if any(result.version is None for _, result in results):
        raise typer.Exit(Exit.FAILED)


@app.command()
def run(
    pipeline: Pipeline,
    param: Annotated[list[str] | None, typer.Option(help="A parameter, as name=value; may be repeated.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has ended; with 1 where it failed.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="The longest time to wait, in seconds.")] = 3600,
    as_json: AsJson = False,
) -> None:
    """Start a run of a pipeline's current version."""
    load_airflow()
    from airloom.dags import platform
    from airloom.dags.runs import nodes_of_run, start_run
    from airloom.spec.params import parse_given

    with open_store() as store:
        schemas = store.version(pipeline).document.get("params", {})
        given = parse_given(schemas, split_params(param or []))
        run_id = start_run(store, pipeline, given, user=getpass.getuser())
        if platform.is_paused(pipeline):
            complaints.print("[yellow]The pipeline is paused: the run waits until you unpause it in Airflow.[/yellow]")
        if not wait:
            print_json({"pipeline": pipeline, "run_id": run_id}) if as_json else console.print(escape(run_id))
            return
        if not as_json:
            console.print(f"{escape(run_id)} runs")
        state = platform.wait_for_run(pipeline, run_id, timeout)
        nodes = nodes_of_run(store, pipeline, run_id)
    if as_json:
        print_json({**asdict(state), "nodes": [asdict(node) for node in nodes]})
    else:
        for node in nodes:
            _print_node(node)
        console.print(f"The run ended as [bold]{state.state}[/bold].")
    if state.state != "success":
        raise typer.Exit(Exit.FAILED)


@app.command("list")
def list_pipelines(
    archived: Annotated[bool, typer.Option("--archived", help="List those that are archived.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the published pipelines."""
    found: list[StoredPipeline] = []
    with open_store() as store:
        while page := store.pipelines(archived=archived, limit=PAGE, offset=len(found)):
            found += page
    if as_json:
        print_json([asdict(pipeline) for pipeline in found])
        return
    rows = [
        [pipeline.id, str(pipeline.version), pipeline.path or "", pipeline.owner, _time(pipeline.updated_at)]
        for pipeline in found
    ]
    print_table(["pipeline", "version", "file", "owner", "changed"], rows)


@app.command()
def show(pipeline: Pipeline, number: Number = None, as_json: AsJson = False) -> None:
    """Show a pipeline: what it is, its nodes, and the tasks that Airflow runs them in."""
    with open_store() as store:
        stored, version = store.pipeline(pipeline), store.version(pipeline, number)
    if as_json:
        print_json({"pipeline": asdict(stored), "version": asdict(version)})
        return
    document = version.document
    console.print(f"[bold]{escape(stored.name)}[/bold]" + (" [red]archived[/red]" if stored.archived else ""))
    published = f"version {version.number} of {stored.version}, by {version.author}, {_time(version.created_at)}"
    console.print(escape(published + (f", from the file {stored.path}" if stored.path else "")))
    if document.get("schedule"):
        console.print(escape("runs " + ", ".join(f"{key} {value}" for key, value in document["schedule"].items())))
    task_of = {node: planned["step"] for node, planned in version.plan["nodes"].items()}
    rows = [[node["id"], node["type"], task_of.get(node["id"], "")] for node in document.get("nodes", [])]
    print_table(["node", "type", "task"], rows)


@app.command()
def versions(pipeline: Pipeline, as_json: AsJson = False) -> None:
    """List the versions of a pipeline, the newest first."""
    found: list[StoredVersion] = []
    with open_store() as store:
        current = store.pipeline(pipeline).version
        while page := store.versions(pipeline, limit=PAGE, offset=len(found)):
            found += page
    if as_json:
        print_json([{**_version_json(version), "current": version.number == current} for version in found])
        return
    rows = []
    for version in found:
        mark = " *" if version.number == current else ""
        rows.append([f"{version.number}{mark}", version.author, _time(version.created_at), version.message])
    print_table(["version", "author", "published", "message"], rows)


@app.command()
def rollback(
    pipeline: Pipeline,
    number: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The version to go back to.")],
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier version of a pipeline again, as a new one."""
    load_airflow()
    from airloom.dags.publishing import rollback

    with open_store() as store:
        result = rollback(store, pipeline, number, author=author or getpass.getuser())
    if as_json:
        print_json(_published_json(result))
    else:
        _print_published(pipeline, result)
    if result.version is None:
        raise typer.Exit(Exit.FAILED)


@app.command()
def archive(
    pipeline: Pipeline,
    force: Annotated[bool, typer.Option("--force", help="Let active runs stop where they are.")] = False,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Take a pipeline out of Airflow, where no new run starts; publishing it again brings it back."""
    load_airflow()
    from airloom.dags.publishing import archive

    with open_store() as store:
        active = archive(store, pipeline, author=author or getpass.getuser(), force=force)
    if as_json:
        print_json(
            {
                "pipeline": pipeline,
                "archived": True,
                "ending_runs": [] if force else active,
                "stopped_runs": active if force else [],
            }
        )
        return
    console.print(f"{escape(pipeline)} is archived.")
    for run_id in active:
        what = "stopped where it was" if force else "may end first; --force stops it"
        complaints.print(f"[yellow]Its run {escape(run_id)} {what}.[/yellow]")


@app.command()
def export(
    pipeline: Pipeline,
    number: Number = None,
    form: Annotated[Literal["json", "yaml"], typer.Option("--format", help="The form to write.")] = "json",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file to write; printed otherwise.")] = None,
) -> None:
    """Write the document of a pipeline, as it can be published elsewhere."""
    from airloom.spec.text import write_text

    with open_store() as store:
        text = write_text(store.version(pipeline, number).document, "json" if as_json else form)
    if output is None:
        console.out(text, end="", highlight=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None


def load_airflow() -> None:
    """Import Airflow so that its log leaves standard output to the command's answer."""
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    from airloom.dags import platform

    with contextlib.redirect_stdout(sys.stderr):
        platform.load()


@contextlib.contextmanager
def open_store() -> Iterator[Store]:
    """Open the installation's store; raise ConfigurationError where none is configured."""
    from airloom.store.store import Store

    with contextlib.closing(Store(store_address())) as store:
        yield store


def store_address() -> str:
    """Return the URL of the installation's store; raise ConfigurationError where none is configured."""
    from airloom.spec.configuration import configuration

    url = configuration().database_url
    if url is None:
        raise ConfigurationError(
            "no store is configured",
            field="AIRLOOM_DATABASE_URL",
            hint="start an installation with airloom up, or set it to the URL of a PostgreSQL database",
        )
    return url.get_secret_value()


def _published_json(result: Published) -> dict[str, Any]:
    return {
        "version": None if result.version is None else _version_json(result.version),
        "problems": [problem.to_json() for problem in result.problems],
    }


def _version_json(version: StoredVersion) -> dict[str, Any]:
    return {key: value for key, value in asdict(version).items() if key not in ("document", "plan")}


def _print_published(name: str, result: Published) -> None:
    if result.version is None:
        console.print(f"[red]✗[/red] {escape(name)}")
    else:
        console.print(f"[green]✓[/green] {escape(name)}: {result.version.pipeline}, version {result.version.number}")
    print_problems(result.problems)


def _print_node(node: NodeState) -> None:
    colours = {"success": "green", "failed": "red", "skipped": "magenta"}
    colour = colours.get(node.state, "dim")
    counted = {port: count for port, count in (node.statistics.get("rows") or {}).items() if count is not None}
    rows = f"[dim]{', '.join(f'{port}: {count:,} rows' for port, count in counted.items())}[/dim]"
    console.print(f"[{colour}]{node.state:8}[/] [bold]{escape(node.node)}[/bold] {rows}")
    if node.error:
        console.print(f"  [red]{escape(str(node.error['message']))}[/red]")
        if node.error.get("hint"):
            console.print(f"  → {escape(node.error['hint'])}")


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print rows of text under the names of their columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _time(moment: Any) -> str:
    return str(moment.astimezone().strftime("%Y-%m-%d %H:%M"))
