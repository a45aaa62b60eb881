"""The command line `airloom`. A command imports what is heavy only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import gc
import sys

import typer

from airloom.cli import (
    author,
    code,
    connections,
    explain,
    extra,
    local,
    migration,
    new,
    node,
    nodes,
    operations,
    pipelines,
    runs,
    uploads,
    worker,
)
from airloom.cli.output import print_error
from airloom.cli.reach import URL, refuse_afar
from airloom.spec.error import AirloomError, TransientError

app = typer.Typer(
    name="airloom",
    help="Pipelines written as JSON, compiled into Apache Airflow DAGs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    local,
    author,
    code,
    nodes,
    pipelines,
    runs,
    explain,
    connections,
    uploads,
    migration,
    new,
    node,
    extra,
    operations,
    worker,
):
    app.add_typer(group.app)

# These begin or end an installation, or run beside it: they must not take its variables for ones the user gave.
WITHOUT_INSTALLATION = frozenset({"up", "down", "test"})


@app.callback()
def begin(context: typer.Context) -> None:
    """Pipelines written as JSON, compiled into Apache Airflow DAGs."""
    if context.invoked_subcommand not in WITHOUT_INSTALLATION:
        from airloom.local.installation import load_environment

        load_environment()
    refuse_afar(context.invoked_subcommand)


def main() -> None:
    """Run the command line; end with a code of `airloom.cli.output.Exit`."""
    # Imports make many objects that stay: looking through them for garbage took a tenth of a command's start.
    gc.set_threshold(50_000, 20, 100)
    try:
        app()
    except AirloomError as error:
        sys.exit(print_error(error))
    except ConnectionError as error:
        # The clients' own: it names the host that does not answer.
        sys.exit(print_error(TransientError(str(error), hint=f"is it up, and does {URL} name it?")))
    except Exception as error:
        from sqlalchemy.exc import OperationalError

        # The store's own are AirloomErrors.
        if not isinstance(error, OperationalError):
            raise
        reason = str(error.orig).strip().partition("\n")[0]
        hint = "is PostgreSQL running, and does AIRFLOW__DATABASE__SQL_ALCHEMY_CONN name it?"
        sys.exit(print_error(TransientError(f"Airflow's database does not answer: {reason}", hint=hint)))
