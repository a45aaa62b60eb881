"""upload add, list, delete: files that are sent for pipelines to read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.output import console, print_json, print_table, shown_time
from airloom.cli.reach import reach
from airloom.spec.error import ConfigurationError
from airloom.spec.upload import PREFIX

app = typer.Typer()
group = typer.Typer(help="Send, list and delete files that nodes read as upload:ID.", no_args_is_help=True)
app.add_typer(group, name="upload")


@group.command()
def add(
    file: Annotated[Path, typer.Argument(help="The file to send.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's own name otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a file to the installation; a node reads it by the path that is printed."""
    try:
        content = file.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    with content, reach() as installation:
        upload = installation.keep_upload(content, name or file.name)
    if as_json:
        print_json(asdict(upload))
        return
    console.print(f"{escape(upload.name)} is kept ({upload.bytes:,} bytes). Nodes read it as")
    console.print(f"{PREFIX}{upload.id}")


@group.command("list")
def list_uploads(as_json: AsJson = False) -> None:
    """List the files that were sent, the newest first."""
    with reach() as installation:
        found = installation.uploads()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [[one.id, one.name, f"{one.bytes:,}", one.owner, shown_time(one.created_at)] for one in found]
    print_table(["id", "name", "bytes", "owner", "sent"], rows)


@group.command()
def delete(
    upload: Annotated[str, typer.Argument(metavar="ID", help="The id of an upload.")],
    force: Annotated[
        bool, typer.Option("--force", help="Though pipelines use it: their runs fail from then on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a file that was sent. Ends with 1 where a pipeline uses it."""
    with reach() as installation:
        installation.delete_upload(upload, force=force)
    if as_json:
        print_json({"id": upload, "deleted": True})
        return
    console.print(f"The upload {escape(upload)} is deleted.")
