"""Commands for runs: run, runs, logs, backfill."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson, split_params
from airloom.cli.output import Exit, complaints, console, print_json, print_table, shown_time
from airloom.cli.pipelines import Pipeline
from airloom.cli.reach import NodeEnd, PreviewedRun, reach
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.dags.logs import LogLine, TaskAttempt
    from airloom.store.records import StoredRun

app = typer.Typer()
Params = Annotated[list[str] | None, typer.Option(help="A parameter, as name=value; may be repeated.")]
Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id; the newest run otherwise.")]
COLOURS = {"success": "green", "reused": "cyan", "failed": "red", "skipped": "magenta"}
PARTS = {
    "run": "Run",
    "again": "Computed again, for what they gave was not kept",
    "reused": "Reused",
    "skipped": "Skipped, for nothing leads to them",
    "silent": "Silent, for they write or stand in finally",
    "left_out": "Left out",
}
"""What is said of each part of a run of a part of a pipeline."""
ENDED = ("success", "failed")
FEW_NODES = 4
LOOK_EVERY = 1.0
"""Seconds between two looks at a log that is followed."""


@app.command()
def run(
    pipeline: Pipeline,
    param: Params = None,
    day: Annotated[
        str | None,
        typer.Option(
            "--date",
            help="Its logical date, such as 2026-01-31 or 2026-01-31T06:00, in the schedule's time zone.",
        ),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="NODE", help="Run this node alone.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Run this node and all that follow it.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="NODE", help="Run this node and all that it needs.")] = None,
    reuse: Annotated[
        str | None, typer.Option(metavar="RUN", help="The run whose outputs and params a part of the pipeline takes.")
    ] = None,
    writes: Annotated[
        bool, typer.Option("--writes", help="In a part of the pipeline, run nodes that write, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what a part of the pipeline would run and reuse.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has ended; with 1 where it failed.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="The longest time to wait, in seconds.")] = 3600,
    as_json: AsJson = False,
) -> None:
    """Start a run of a pipeline's current version, or of a part of it, which takes the rest from another run.

    In a part of a pipeline, nodes that write are silent unless --writes is given.
    """
    from airloom.plan.partial import Wish
    from airloom.spec.params import parse_given

    wish = Wish(only, first, until, reuse, writes)
    is_partial = wish != Wish()
    if dry_run and not is_partial:
        raise typer.BadParameter("it goes with --only, --from or --until", param_hint="--dry-run")
    with reach() as installation:
        document = installation.version(pipeline).document
        given = parse_given(document.get("params", {}), split_params(param or []))
        logical_date = None if day is None else _moment(day, _zone(document), "--date")
        if dry_run:
            _print_parts(installation.preview_run(pipeline, given, wish), pipeline, as_json)
            return
        run_id = installation.start_run(pipeline, given, logical_date, wish if is_partial else None)
        if installation.is_paused(pipeline):
            _print_paused(pipeline, "the run waits")
        if not wait:
            print_json({"pipeline": pipeline, "run_id": run_id}) if as_json else console.print(escape(run_id))
            return
        if not as_json:
            console.print(f"{escape(run_id)} runs")
        ended = installation.wait_for_run(pipeline, run_id, timeout)
    if as_json:
        print_json(ended.report)
    else:
        for node in ended.nodes:
            _print_node(node)
        console.print(f"The run ended as [bold]{ended.state}[/bold].")
    if ended.state != "success":
        raise typer.Exit(Exit.FAILED)


@app.command()
def runs(
    pipeline: Annotated[str | None, typer.Argument(metavar="[ID]", help="Of this pipeline; of all otherwise.")] = None,
    state: Annotated[
        Literal["starting", "queued", "running", "success", "failed"] | None,
        typer.Option(help="Only those in this state."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    with reach() as installation:
        found = installation.runs(pipeline, state, limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        console.print("There is no run yet." if state is None else f"There is no run in state {state}.")
        return
    print_table(
        ["pipeline", "run", "state", "started by", "began", "seconds", "rows written"],
        [
            [
                one.pipeline,
                one.run_id,
                one.state,
                _started_by(one),
                shown_time(one.started_at or one.queued_at),
                "" if one.seconds is None else f"{one.seconds:,.1f}",
                "" if one.rows is None else f"{one.rows:,}",
            ]
            for one in found
        ],
    )
    if len(found) == limit:
        console.print(f"[dim]The newest {limit}; --limit shows more.[/dim]")


@app.command()
def logs(
    pipeline: Pipeline,
    run_id: Run = None,
    node: Annotated[str | None, typer.Option(help="Only of the task that this node runs in.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what Airflow says of its own work, and where errors were raised.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the logs of a run's tasks, attempt by attempt."""
    if follow and as_json:
        raise typer.BadParameter("--follow prints lines as they come, --json one value at the end", param_hint="--json")
    with reach() as installation:
        run_id = run_id or installation.newest_run(pipeline)
        if run_id is None:
            raise ConfigurationError(f"pipeline {pipeline!r} has no run yet", hint=f"start one: airloom run {pipeline}")
        state, plan = installation.run_state(pipeline, run_id), installation.plan_of(pipeline, run_id)
        task = None if node is None else _task_of(plan, node)
        if as_json:
            tasks = [
                {
                    **asdict(attempt),
                    "lines": [
                        asdict(line)
                        for line in installation.log_lines(pipeline, run_id, attempt)
                        if everything or not line.folded
                    ],
                }
                for attempt in installation.attempts(pipeline, run_id)
                if task in (None, attempt.task)
            ]
            print_json({"pipeline": pipeline, "run_id": run_id, "state": state, "tasks": tasks})
            return
        printer = _LogPrinter(plan, everything)
        console.print(f"[bold]{escape(run_id)}[/bold] {state}")
        while True:
            last = installation.run_state(pipeline, run_id)
            for attempt in installation.attempts(pipeline, run_id):
                if task in (None, attempt.task):
                    printer.print(attempt, installation.log_lines(pipeline, run_id, attempt))
            if last in ENDED or not follow:
                break
            time.sleep(LOOK_EVERY)
    if follow and last != state:
        console.print(f"The run ended as [bold]{last}[/bold].")


@app.command()
def backfill(
    pipeline: Pipeline,
    since: Annotated[str, typer.Option("--from", help="The first day or time, in the schedule's time zone.")],
    until: Annotated[str, typer.Option("--to", help="The last day, whole, or the last time.")],
    param: Params = None,
    repeat: Annotated[
        Literal["none", "failed", "completed"],
        typer.Option(help="Which times that have a run already are run again."),
    ] = "none",
    at_once: Annotated[
        int | None, typer.Option(min=1, help="So many runs at a time; the pipeline's max_active_runs otherwise.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the times.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline for the times of its schedule in the past."""
    from airloom.dags.backfill import Backfill
    from airloom.spec.params import parse_given

    with reach() as installation:
        document = installation.version(pipeline).document
        zone = _zone(document)
        wanted = Backfill(
            _moment(since, zone, "--from"),
            _moment(until, zone, "--to", end=True),
            parse_given(document.get("params", {}), split_params(param or [])),
            repeat=repeat,
            at_once=at_once,
        )
        times = installation.backfill(pipeline, wanted, dry_run=dry_run)
        waits = bool(times) and not dry_run and installation.is_paused(pipeline)
    if as_json:
        print_json({"pipeline": pipeline, "started": not dry_run, "times": times})
        return
    for moment in times:
        console.print(escape(f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"))
    if not times:
        console.print("There is nothing to run: no time of the schedule in this range, or all of them have a run.")
    elif dry_run:
        console.print(f"{_count(times)} would start.")
    else:
        console.print(f"{_count(times)} started; see airloom runs {escape(pipeline)}.")
        if waits:
            _print_paused(pipeline, "they wait")


class _LogPrinter:
    """Print logs as they grow, each task's attempt under a line that names it."""

    def __init__(self, plan: dict[str, Any], everything: bool) -> None:
        self._nodes = {step["id"]: step["nodes"] for step in plan["steps"]}
        self._everything = everything
        self._printed: dict[tuple[str, int, int], int] = {}
        self._under: tuple[str, int, int] | None = None

    def print(self, attempt: TaskAttempt, lines: list[LogLine]) -> None:
        """Print what is new in the log of an attempt."""
        key = (attempt.task, attempt.map_index, attempt.number)
        shown = [line for line in lines if self._everything or not line.folded]
        new = shown[self._printed.get(key, 0) :]
        ended_silently = key not in self._printed and not lines and attempt.state in ("skipped", "upstream_failed")
        if not new and not ended_silently:
            return
        self._printed[key] = len(shown)
        if self._under != key:
            self._under = key
            self._print_heading(attempt)
        for line in new:
            at = f"{line.at.astimezone():%H:%M:%S} " if line.at else ""
            colour = {"warning": "yellow", "error": "red", "critical": "red"}.get(line.level, "default")
            level = "" if line.level in ("info", "debug") else f"{line.level}: "
            style = "dim" if line.folded else colour
            console.print(f"  [dim]{at}[/dim][{style}]{escape(level + line.text)}[/]")

    def _print_heading(self, attempt: TaskAttempt) -> None:
        index = f"[{attempt.index}]" if attempt.index else ""
        nodes = self._nodes.get(attempt.task, [])
        inner = f" ({', '.join(nodes) if len(nodes) <= FEW_NODES else f'{len(nodes)} nodes'})" if len(nodes) > 1 else ""
        number = f", attempt {attempt.number}" if attempt.number > 1 else ""
        name = escape(f"{attempt.task}{index}")
        state = (attempt.state or "waiting").replace("_", " ")
        colour = COLOURS.get(attempt.state or "", "default")
        console.print(f"\ntask [bold]{name}[/bold] [{colour}]{state}[/]{number}[dim]{escape(inner)}[/dim]")


def _task_of(plan: dict[str, Any], node: str) -> str:
    from airloom.spec.problem import suggestion

    planned = plan["nodes"].get(node)
    if planned is None or not planned["step"]:
        with_task = [name for name, found in plan["nodes"].items() if found["step"]]
        raise ConfigurationError(
            f"no task of this run has a node {node!r}",
            hint=suggestion(node, with_task) or f"nodes: {', '.join(with_task)}",
        )
    return str(planned["step"])


def _zone(document: dict[str, Any]) -> ZoneInfo:
    return ZoneInfo((document.get("schedule") or {}).get("timezone", "UTC"))


def _moment(text: str, zone: ZoneInfo, option: str, *, end: bool = False) -> datetime:
    """Return the time that a text names; of a day alone its beginning, or its end where `end` says so."""
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except ValueError:
        message = f"{text!r} is not a date such as 2026-01-31 or 2026-01-31T06:00"
        raise typer.BadParameter(message, param_hint=option) from None
    if not end:
        return datetime.combine(day, time_of_day(), zone)
    return datetime.combine(day + timedelta(days=1), time_of_day(), zone) - timedelta(microseconds=1)


def _count(times: list[datetime]) -> str:
    return "1 run" if len(times) == 1 else f"{len(times):,} runs"


def _started_by(run: StoredRun) -> str:
    by = f" ({run.actor})" if run.actor and run.trigger != "clock" else ""
    return f"{run.trigger or ''}{by}"


def _print_parts(previewed: PreviewedRun, pipeline: str, as_json: bool) -> None:
    """Print what becomes of the nodes of a part; end with 1 where something is in the way."""
    if as_json:
        problems = [problem.to_json() for problem in previewed.problems]
        print_json({"pipeline": pipeline, "nodes": dict(previewed.parts), "problems": problems})
    else:
        for part, words in PARTS.items():
            if nodes := [node for node, found in previewed.parts.items() if found == part]:
                console.print(f"[bold]{words}[/bold]: {escape(', '.join(nodes))}")
        for problem in previewed.problems:
            complaints.print(f"[red]{escape(problem.message)}[/red]")
            if problem.hint:
                complaints.print(f"  → {escape(problem.hint)}")
    if previewed.problems:
        raise typer.Exit(Exit.FAILED)


def _print_paused(pipeline: str, consequence: str) -> None:
    text = f"The pipeline is paused: {consequence} until airloom unpause {pipeline}."
    complaints.print(f"[yellow]{escape(text)}[/yellow]")


def _print_node(node: NodeEnd) -> None:
    colour = COLOURS.get(node.state, "dim")
    counted = {port: count for port, count in (node.statistics.get("rows") or {}).items() if count is not None}
    rows = f"[dim]{', '.join(f'{port}: {count:,} rows' for port, count in counted.items())}[/dim]"
    console.print(f"[{colour}]{node.state:8}[/] [bold]{escape(node.node)}[/bold] {rows}")
    if node.error:
        console.print(f"  [red]{escape(str(node.error['message']))}[/red]")
        if node.error.get("hint"):
            console.print(f"  → {escape(node.error['hint'])}")
