"""migrate: what the newest node types make of published pipelines."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson, print_problems
from airloom.cli.here import load_airflow, open_store
from airloom.cli.output import Exit, console, print_json
from airloom.cli.pipelines import Author

if TYPE_CHECKING:
    from airloom.dags.upgrade import Migration
    from airloom.store.records import StoredRelease

app = typer.Typer()


@app.command()
def migrate(
    apply: Annotated[bool, typer.Option("--apply", help="Publish the pipelines that come from no file.")] = False,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Show what this release changed, and what the newest node types would make of the pipelines.

    Ends with 1 where a pipeline cannot be migrated as it is.
    """
    load_airflow()
    from airloom.dags.actor import administrator
    from airloom.dags.publishing import publish
    from airloom.dags.upgrade import migrations

    actor = administrator(author or getpass.getuser())
    published: dict[str, int] = {}
    failed = False
    with open_store() as store:
        release = store.releases.latest()
        found = list(migrations(store))
        for migration in found:
            failed = failed or bool(migration.problems)
            if apply and migration.path is None and not migration.problems:
                message = "migrated to the newest node types"
                result = publish(store, migration.document, actor=actor, message=message)
                if result.version is None:
                    failed = True
                else:
                    published[migration.pipeline] = result.version.number
    if as_json:
        entries = [{**asdict(migration), "published": published.get(migration.pipeline)} for migration in found]
        print_json({"release": release and asdict(release), "migrations": entries})
    else:
        _print_release(release)
        for migration in found:
            _print_migration(migration, published.get(migration.pipeline), applied=apply)
        if not found:
            console.print("Every pipeline uses the newest node types.")
        elif not apply and any(migration.path is None and not migration.problems for migration in found):
            console.print("\nNothing is changed yet: --apply publishes what comes from no file.")
    if failed:
        raise typer.Exit(Exit.FAILED)


def _print_release(release: StoredRelease | None) -> None:
    if release is None:
        console.print(
            "No worker has looked at the pipelines with this release yet: `airloom worker` does when it starts."
        )
        return
    console.print(f"Release {escape(release.release)}, {release.created_at:%Y-%m-%d %H:%M}")
    for entry in release.report:
        if entry["problems"]:
            console.print(f"[yellow]![/yellow] {entry['pipeline']} goes on by the plan of an earlier release:")
        else:
            console.print(f"[green]✓[/green] {entry['pipeline']} is planned anew:")
        for line in entry["problems"] or entry["changes"]:
            console.print(f"    {escape(line)}")
    if not release.report:
        console.print("It changed no pipeline.")


def _print_migration(migration: Migration, published: int | None, *, applied: bool) -> None:
    console.print(f"\n[bold]{migration.pipeline}[/bold]")
    for change in migration.changes:
        console.print(f"  {escape(change)}")
    for line in migration.diff.splitlines():
        style = {"+": "green", "-": "red"}.get(line[:1], "dim")
        console.print(f"  [{style}]{escape(line)}[/]")
    if migration.problems:
        print_problems(migration.problems)
    elif published is not None:
        console.print(f"  published as version {published}")
    elif migration.path is not None and applied:
        console.print(f"  not published: write it into its file, {escape(migration.path)}")
