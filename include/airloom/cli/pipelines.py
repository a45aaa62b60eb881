"""Commands for published pipelines: publish, list, show, diff, pause, versions, rollback, archive, export."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson, print_problems, read_file
from airloom.cli.here import open_store
from airloom.cli.output import Exit, complaints, console, print_json, print_table, shown_time
from airloom.cli.reach import reach
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import errors

if TYPE_CHECKING:
    from airloom.dags.publishing import Published
    from airloom.spec.difference import Change
    from airloom.store.records import StoredRun, StoredVersion

app = typer.Typer()
Pipeline = Annotated[str, typer.Argument(help="The id of a pipeline.")]
Pipelines = Annotated[list[str], typer.Argument(metavar="PIPELINE", help="The ids of pipelines.")]
Number = Annotated[int | None, typer.Option("--version", min=1, help="Of this version; the current one otherwise.")]
Author = Annotated[str | None, typer.Option(help="Who does it; your account's name otherwise.")]


@app.command()
def publish(
    files: Annotated[list[Path], typer.Argument(help="Pipeline documents, JSON or YAML.")],
    message: Annotated[str, typer.Option("--message", "-m", help="What is new in it.")] = "",
    author: Author = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return once Airflow would run it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check documents, and make each the current version of its pipeline. Ends with 1 where one has an error."""
    from airloom.dags.publishing import Published

    results: list[tuple[Path, Published]] = []
    with reach() as installation:
        for path in files:
            content = read_file(path)
            if errors(content.problems):
                results.append((path, Published(None, content.problems)))
                continue
            result = installation.publish(content.data, author=author, message=message)
            problems = [*content.problems, *content.located(result.problems)]
            results.append((path, Published(result.version, problems)))
        if wait:
            for _, result in results:
                if result.version is not None:
                    installation.wait_for_version(result.version.pipeline, result.version.number)
    if as_json:
        print_json({"files": [{"file": str(path), **_published_json(result)} for path, result in results]})
    else:
        for path, result in results:
            _print_published(str(path), result)
    if any(result.version is None for _, result in results):
        raise typer.Exit(Exit.FAILED)


@app.command("list")
def list_pipelines(
    archived: Annotated[bool, typer.Option("--archived", help="List those that are archived.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the published pipelines."""
    with reach() as installation:
        found = installation.pipelines(archived=archived)
    if as_json:
        print_json(
            [
                {
                    **asdict(one.pipeline),
                    "schedule": one.schedule,
                    "last_run": None if one.last_run is None else asdict(one.last_run),
                }
                for one in found
            ]
        )
        return
    print_table(
        ["pipeline", "version", "schedule", "next run", "last run", "file", "owner", "changed"],
        [
            [
                one.pipeline.id,
                str(one.pipeline.version),
                schedule_text(one.schedule),
                "paused" if one.pipeline.paused else shown_time(one.pipeline.next_run_at),
                _last_run(one.last_run),
                one.pipeline.path or "",
                one.pipeline.owner,
                shown_time(one.pipeline.updated_at),
            ]
            for one in found
        ],
    )


@app.command()
def show(pipeline: Pipeline, number: Number = None, as_json: AsJson = False) -> None:
    """Show a pipeline: what it is, its nodes, and the tasks that Airflow runs them in."""
    with reach() as installation:
        stored, version = installation.pipeline(pipeline), installation.version(pipeline, number)
    if as_json:
        print_json({"pipeline": asdict(stored), "version": asdict(version)})
        return
    document = version.document
    console.print(f"[bold]{escape(stored.name)}[/bold]" + (" [red]archived[/red]" if stored.archived else ""))
    published = f"version {version.number} of {stored.version}, by {version.author}, {shown_time(version.created_at)}"
    console.print(escape(published + (f", from the file {stored.path}" if stored.path else "")))
    if document.get("schedule"):
        console.print(escape(f"runs {schedule_text(document['schedule'], details=True)}"))
    if stored.paused:
        console.print(f"[yellow]paused; airloom unpause {escape(stored.id)} lets it run again[/yellow]")
    task_of = {node: planned["step"] for node, planned in version.plan["nodes"].items()}
    rows = [[node["id"], node["type"], task_of.get(node["id"], "")] for node in document.get("nodes", [])]
    print_table(["node", "type", "task"], rows)


@app.command()
def diff(
    pipeline: Pipeline,
    before: Annotated[int, typer.Argument(metavar="A", min=1, help="The earlier version.")],
    after: Annotated[
        int | None, typer.Argument(metavar="[B]", min=1, help="The later version; the current one otherwise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how two versions of a pipeline differ: nodes, edges and settings, and what runs otherwise."""
    with reach() as installation:
        found = installation.compare(pipeline, before, after)
    changes, planned = found.changes, found.plan
    if as_json:
        print_json(
            {
                "pipeline": pipeline,
                "before": found.before,
                "after": found.after,
                "changes": [change.to_json() for change in changes],
                "plan": planned,
            }
        )
        return
    console.print(f"[bold]{escape(pipeline)}[/bold] version {found.before} → {found.after}")
    print_changes(changes)
    if planned:
        console.print("[dim]what runs otherwise:[/dim]")
        for line in planned:
            console.print(f"  {escape(line)}")
    if not changes and not planned:
        console.print("The two say the same.")


@app.command()
def pause(
    pipelines: Pipelines,
    as_json: AsJson = False,
) -> None:
    """Let no run of pipelines start until they are unpaused; active runs start no further task."""
    _set_paused(pipelines, True, as_json)


@app.command()
def unpause(
    pipelines: Pipelines,
    as_json: AsJson = False,
) -> None:
    """Let runs of paused pipelines start again, those that wait at once."""
    _set_paused(pipelines, False, as_json)


@app.command()
def versions(pipeline: Pipeline, as_json: AsJson = False) -> None:
    """List the versions of a pipeline, the newest first."""
    with reach() as installation:
        current, found = installation.pipeline(pipeline).version, installation.versions(pipeline)
    if as_json:
        print_json([{**asdict(version), "current": version.number == current} for version in found])
        return
    rows = []
    for version in found:
        mark = " *" if version.number == current else ""
        rows.append([f"{version.number}{mark}", version.author, shown_time(version.created_at), version.message])
    print_table(["version", "author", "published", "message"], rows)


@app.command()
def rollback(
    pipeline: Pipeline,
    number: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The version to go back to.")],
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier version of a pipeline again, as a new one."""
    with reach() as installation:
        result = installation.rollback(pipeline, number, author=author)
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
    with reach() as installation:
        active = installation.archive(pipeline, author=author, force=force)
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
def detach(pipeline: Pipeline, author: Author = None, as_json: AsJson = False) -> None:
    """Part a pipeline from its file in the drop folder: it is changed by commands and the API from now on."""
    with open_store() as store:
        path = store.pipeline(pipeline).path
        if path is None:
            raise ConfigurationError(f"pipeline {pipeline!r} comes from no file")
        store.detach(path, author or getpass.getuser())
    if as_json:
        print_json({"pipeline": pipeline, "path": path})
        return
    console.print(f"{escape(pipeline)} no longer comes from {escape(path)}; a change of that file is refused.")


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

    with reach() as installation:
        text = write_text(installation.version(pipeline, number).document, "json" if as_json else form)
    if output is None:
        console.out(text, end="", highlight=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None


def _set_paused(pipelines: list[str], paused: bool, as_json: bool) -> None:
    with reach() as installation:
        for pipeline in pipelines:
            if installation.pipeline(pipeline).archived:
                raise ConfigurationError(f"pipeline {pipeline!r} is archived, so it does not run anyway")
        installation.set_paused(pipelines, paused)
    if as_json:
        print_json([{"pipeline": pipeline, "paused": paused} for pipeline in pipelines])
        return
    for pipeline in pipelines:
        console.print(f"{escape(pipeline)} {'is paused' if paused else 'runs again'}.")


def schedule_text(schedule: dict[str, Any] | None, *, details: bool = False) -> str:
    """Return when a pipeline runs, for people: its clock and time zone; with details start and end, too."""
    if not schedule:
        return ""
    words = [str(schedule["cron"]) if schedule.get("cron") else f"every {schedule['every']}"]
    if schedule.get("cron") and schedule.get("timezone", "UTC") != "UTC":
        words.append(schedule["timezone"])
    if details:
        words += [f"{word} {schedule[key]}" for key, word in (("start", "from"), ("end", "to")) if schedule.get(key)]
    return " ".join(words)


def print_changes(changes: list[Change]) -> None:
    """Print how two documents differ, what changed in a node under the node."""
    marks = {"added": "[green]+[/green]", "removed": "[red]-[/red]", "changed": "[yellow]~[/yellow]"}
    shown = None
    for change in changes:
        name = f"{change.what} [bold]{escape(change.name)}[/bold]"
        if change.change != "changed":
            value = change.before if change.change == "removed" else change.after
            text = "" if change.what == "edge" else f" {escape(_value_text(value))}"
            console.print(f"{marks[change.change]} {name}{text}")
        elif change.what == "node":
            if shown != change.name:
                console.print(f"{marks['changed']} {name}")
            console.print(f"    {escape(change.field)}: {escape(_from_to(change))}")
        else:
            console.print(f"{marks['changed']} {name}: {escape(_from_to(change))}")
        shown = change.name if change.what == "node" else None


def _from_to(change: Change) -> str:
    return f"{_value_text(change.before)} → {_value_text(change.after)}"


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) and value and "\n" not in value else json.dumps(value, ensure_ascii=False)


def _last_run(run: StoredRun | None) -> str:
    return "" if run is None else f"{run.state} {shown_time(run.started_at or run.queued_at)}"


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
