"""up, down, test: an installation on this machine, and the tests of this project."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn
from xml.etree import ElementTree

import typer
from rich.markup import escape

from airloom.cli.output import Exit, console, print_error
from airloom.spec.error import AirloomError, SystemFault

if TYPE_CHECKING:
    from airloom.local.installation import Installation

app = typer.Typer()


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(help="Airflow's port; the next two are used as well. Kept for the next time. [8080]")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines in. [127.0.0.1]")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once all is healthy")] = False,
    example: Annotated[bool, typer.Option(help="Run the first example pipeline, the first time")] = True,
) -> None:
    """Start PostgreSQL, Airflow and the worker; stay in the foreground until Ctrl-C."""
    from airloom.local import lifecycle
    from airloom.local.installation import Installation

    _on_signals(_interrupt)
    try:
        installation = Installation.open(host=host, port=port)
        manager = lifecycle.start(installation, _step)
    except lifecycle.AlreadyRunning as running:
        _print_address(running.installation, "already up")
        console.print(f"  {running.hint}.")
        return
    except KeyboardInterrupt:
        console.print("Stopped before it was up.")
        raise typer.Exit(Exit.FAILED) from None
    stays = False
    try:
        succeeded = not example or installation.state.example_done or _run_example(installation)
        _print_address(installation)
        if detach:
            stays = True
            raise typer.Exit(Exit.OK if succeeded else Exit.FAILED)
        console.print("  Ctrl-C stops it.")
        if manager.wait():
            raise SystemFault(f"The process manager was killed, see {installation.logs}")
    except KeyboardInterrupt:
        console.print()
    finally:
        if not stays:
            _on_signals(signal.SIG_IGN)
            with _step("Stopping"):
                lifecycle.stop(installation)


@app.command()
def down() -> None:
    """Stop everything that `up` started; data and settings stay."""
    from airloom.local import lifecycle
    from airloom.local.installation import Installation

    installation = Installation.existing()
    _on_signals(signal.SIG_IGN)
    with _step("Stopping"):
        ran = lifecycle.stop(installation)
    if not ran:
        console.print("Nothing was running.")


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_tests(
    context: typer.Context,
    soak: Annotated[bool, typer.Option("--soak", help="Run the tests that take minutes instead")] = False,
) -> None:
    """Run this project's tests; other arguments go to pytest."""
    stages = (
        [["-n", "0", "-m", "soak"]]
        if soak
        else [["-n", "2", "-m", "not integration and not soak"], ["-n", "0", "-m", "integration and not soak"]]
    )
    totals = dict.fromkeys(("failed", "errors", "passed", "skipped"), 0)
    began = time.monotonic()
    codes = []
    for stage in stages:
        code, counts = _pytest([*stage, *context.args])
        codes.append(code)
        for name, count in counts.items():
            totals[name] += count
    shown = ", ".join(f"{count} {name}" for name, count in totals.items() if count) or "no tests ran"
    print(f"==== {shown} in {time.monotonic() - began:.2f}s ====")
    raise typer.Exit(_worst(codes))


def _pytest(arguments: list[str]) -> tuple[int, dict[str, int]]:
    """Run pytest in a process of its own; return its code and how many tests ended how."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOOM_", "AIRFLOW"))}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments],
            cwd=_project_root(),
            env=environment,
            check=False,
        )
        counts = dict.fromkeys(("failed", "errors", "passed", "skipped"), 0)
        if report.exists():
            for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314
                failed, errors, skipped, tests = (
                    int(suite.get(name, 0)) for name in ("failures", "errors", "skipped", "tests")
                )
                counts = {
                    "failed": failed,
                    "errors": errors,
                    "passed": tests - failed - errors - skipped,
                    "skipped": skipped,
                }
        return done.returncode, counts


def _worst(codes: list[int]) -> int:
    """Return the code that a run of several stages ends with; pytest's 5 says that a stage selected no test."""
    real = [code for code in codes if code != 5]
    return max(real, default=5)


def _project_root() -> Path:
    from airloom.spec.configuration import configuration

    return configuration().root


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Show a step while it is under way, then how long it took."""
    began = time.monotonic()
    if not console.is_terminal:
        console.print(f"{name} …")
    with console.status(f"{name} …"):
        yield
    console.print(f"[green]✓[/green] {name} [dim]{time.monotonic() - began:.1f} s[/dim]")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Begin to stop, once: a second Ctrl-C must not leave half of it running."""
    _on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)
    # Under nohup the end of the terminal is not to end the installation.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


def _run_example(installation: Installation) -> bool:
    """Run the first pipeline of the drop folder; return False where it failed, which ends nothing."""
    from airloom.local.example import first_pipeline, run

    pipeline = first_pipeline(installation)
    if pipeline is None:
        return True
    try:
        with _step(f"Running the example pipeline {pipeline}"):
            outcome = run(installation, pipeline)
    except AirloomError as error:
        print_error(error)
        return False
    for line in outcome.lines():
        console.print(f"  {escape(line)}")
    installation.state.example_done = True
    installation.save()
    return True


def _print_address(installation: Installation, state: str = "up") -> None:
    from airloom.local.installation import USER

    console.print(f"\nAirloom is {state} at [bold]{installation.address}[/bold]")
    console.print(f"  user {USER}, password {escape(installation.state.user_password)}")
    folder = installation.given.get("AIRLOOM_PIPELINES", "include/pipelines")
    console.print(f"  drop a pipeline into {escape(folder)} and it becomes a DAG; logs are in {installation.logs}")
