"""Commands for whoever operates an installation: doctor, prepare."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape

from airloom.cli.author import AsJson
from airloom.cli.output import Exit, complaints, console, print_json
from airloom.cli.pipelines import load_airflow, store_address
from airloom.spec.error import ConfigurationError

app = typer.Typer()
MARKS = {"right": "[green]✓[/green]", "advice": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Examine Airflow, the databases, the machine and the pipelines. Ends with 1 where something is wrong."""
    load_airflow()
    from airloom.local.examination import examine

    findings = []
    area = None
    for finding in examine():
        findings.append(finding)
        if as_json:
            continue
        if finding.area != area:
            area = finding.area
            console.print(f"\n[bold]{escape(area)}[/bold]")
        style = "dim" if finding.state == "right" else "default"
        console.print(f"{MARKS[finding.state]} {escape(finding.name)} [{style}]{escape(finding.message)}[/]")
        if finding.hint:
            console.print(f"    → {escape(finding.hint)}")
    wrong = [finding for finding in findings if finding.state == "wrong"]
    if as_json:
        print_json({"right": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        console.print(f"\n{len(wrong)} wrong" if wrong else "\nNothing is wrong.")
    if wrong:
        raise typer.Exit(Exit.FAILED)


@app.command()
def prepare() -> None:
    """Make or upgrade the tables of the store, and the role of tasks; `up` does so by itself."""
    from sqlalchemy import make_url

    from airloom.spec.configuration import configuration
    from airloom.store.migrate import TASK_ROLE, ensure_task_role, migrate

    url, task_url = store_address(), configuration().task_database_url
    migrate(url)
    console.print("The tables of the store are those of this release.")
    if task_url is None:
        complaints.print("[yellow]Tasks have no role of their own: AIRLOOM_TASK_DATABASE_URL is not set.[/yellow]")
        return
    task = make_url(task_url.get_secret_value())
    if task.username != TASK_ROLE or not task.password:
        raise ConfigurationError(
            "this address names no role of tasks, or no password",
            field="AIRLOOM_TASK_DATABASE_URL",
            hint=f"write it as postgresql://{TASK_ROLE}:password@host:5432/database",
        )
    ensure_task_role(url, str(task.password))
    console.print(f"The role {TASK_ROLE} may do what tasks need, and no more.")
