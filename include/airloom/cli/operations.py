"""Commands for whoever operates an installation: doctor, prepare, remove."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.here import load_airflow, store_address
from airloom.cli.output import Exit, complaints, console, print_json
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError

app = typer.Typer()
MARKS = {"right": "[green]✓[/green]", "advice": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Examine Airflow, the databases, the machine and the pipelines. Ends with 1 where something is wrong."""
    load_airflow()
    from airloom.doctor.examination import examine

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
        warnings = sum(finding.state == "advice" for finding in findings)
        told = [f"{len(wrong)} wrong"] if wrong else []
        told += [f"{warnings} {'warning' if warnings == 1 else 'warnings'}"] if warnings else []
        console.print(f"\n{', '.join(told) or 'Nothing is wrong.'}")
    if wrong:
        raise typer.Exit(Exit.FAILED)


@app.command()
def prepare(
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the settings to this file, which only you can read, with passwords."),
    ] = None,
) -> None:
    """Make or upgrade what Airloom needs beside an Airflow of your own, and print what to set.

    That is the tables of the store, the role of tasks, and roles and rights in Airflow's user management. `up` does so
    by itself.
    """
    from airloom.store.migrate import migrate

    url = store_address()
    # Before a role has a password that is nowhere else.
    if write is not None and not os.access(write.absolute().parent, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{write.absolute().parent} is not a folder that you may write to", field="--write")
    migrate(url)
    console.print("The tables of the store are those of this release.")
    load_airflow()
    from airloom.dags.roles import add_rights, keeps_roles
    from airloom.local import settings

    if keeps_roles():
        add_rights()
        console.print("Airflow has the roles Airloom Viewer, Author, Code author and Admin.")
    else:
        console.print("Airflow's auth manager keeps no roles of ours; its own roles say who may do what.")
    variables = settings.variables()
    # Last, so that nothing can fail between the choice of its password and the file that keeps it.
    task_url = _prepare_task_role(url, may_choose=write is not None)
    if task_url is not None:
        variables["AIRLOOM_TASK_DATABASE_URL"] = task_url
    if write is not None:
        settings.write(variables, write)
    where = f", as {write} does with passwords" if write else "; `--write FILE` keeps them with passwords"
    console.print(f"\nSet for every process of Airflow and for the worker{where}:\n", markup=False)
    console.print(settings.shown(variables), markup=False)
    console.print("Then restart Airflow, and start the worker beside it: airloom worker")
    console.print(
        f"Tasks, API server and worker share {escape(configuration().data_url)}: tables between steps lie there."
    )
    console.print("What else differs from what we advise, and what that costs: airloom doctor")


@app.command()
def remove() -> None:
    """Take Airloom's roles and rights out of an Airflow of your own, and pause its pipelines, before it is uninstalled.

    The store keeps what it holds. Refuses while runs are active.
    """
    load_airflow()
    from airloom.dags import parsing, runs
    from airloom.dags.roles import keeps_roles, remove_rights
    from airloom.local import settings

    pipelines = parsing.every_pipeline()
    for pipeline in pipelines:
        parsing.set_paused(pipeline, True)
    active = {pipeline: found for pipeline in pipelines if (found := runs.active_runs(pipeline))}
    if active:
        listed = "".join(f"\n  {pipeline}: {', '.join(found)}" for pipeline, found in active.items())
        raise ConfigurationError(
            f"runs are active, which would never end without Airloom:{listed}",
            hint="The pipelines are paused now. Let these runs end, or mark them as failed in Airflow, and repeat this",
        )
    console.print(f"{len(pipelines)} {'pipeline is' if len(pipelines) == 1 else 'pipelines are'} paused.")
    if keeps_roles():
        remove_rights(pipelines)
        console.print("Airloom's roles and rights are gone from Airflow.")
    console.print("\nNow stop the worker, take these settings out, restart Airflow, and uninstall airloom:\n")
    for name in settings.variables():
        console.print(escape(name))


def _prepare_task_role(url: str, *, may_choose: bool) -> str | None:
    """Make or update the role of tasks; return its address, None where none is set and none may be chosen."""
    from sqlalchemy import make_url

    from airloom.store.migrate import ensure_task_role, has_role, task_role

    name = task_role(url)
    form = f"postgresql://{name}:PASSWORD@host:5432/database"
    given = configuration().task_database_url
    if given is not None:
        task = make_url(given.get_secret_value())
        if not task.username or not task.password:
            raise ConfigurationError(
                "this address names no role of tasks, or no password",
                field="AIRLOOM_TASK_DATABASE_URL",
                hint=f"write it as {form}",
            )
        ensure_task_role(url, str(task.password), task.username)
        task_url, name = given.get_secret_value(), task.username
    elif not may_choose:
        complaints.print(
            "[yellow]Tasks have no role of their own, so they may change the whole store: AIRLOOM_TASK_DATABASE_URL is "
            f"not set.[/yellow]\n  Set it as {form}, with a password that you choose, or let --write FILE choose one."
        )
        return None
    elif has_role(url, name):
        raise ConfigurationError(
            f"the role of tasks {name} is there, and its password is not known here",
            field="AIRLOOM_TASK_DATABASE_URL",
            hint=f"set it as the file of the first time has it, or as {form} with a new password",
        )
    else:
        task_url = ensure_task_role(url, secrets.token_urlsafe(24), name)
    console.print(f"The role {name} may do what tasks need, and no more.")
    return task_url
