"""new, templates: a document to begin a pipeline from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.output import console, print_json, print_table
from airloom.spec.error import ConfigurationError

app = typer.Typer()


@app.command()
def new(
    pipeline: Annotated[str, typer.Argument(help="The id of the pipeline, such as daily_sales.")],
    template: Annotated[str, typer.Option(help="What to begin from; airloom templates lists them.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, .json or .yaml; ID.yaml otherwise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a document to begin a pipeline from; then change it, and try it."""
    from airloom.spec.document import IDENTIFIER
    from airloom.spec.template import template as find
    from airloom.spec.text import write_text

    if not re.match(IDENTIFIER, pipeline):
        hint = "small letters, digits and _, a letter first, up to 100 of them"
        raise ConfigurationError(f"{pipeline!r} cannot be the id of a pipeline", hint=hint)
    document = find(template).begin(pipeline)
    path = output or Path(f"{pipeline}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(write_text(document, "json" if path.suffix == ".json" else "yaml"))
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already", hint="name another with --output") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"pipeline": pipeline, "template": template, "file": str(path)})
        return
    console.print(escape(str(path)))
    console.print(f"Next: airloom try {escape(str(path))}")


@app.command("templates")
def list_templates(as_json: AsJson = False) -> None:
    """List the templates that a pipeline can begin from."""
    from airloom.spec.template import templates

    found = list(templates().values())
    if as_json:
        shown: list[dict[str, Any]] = [
            {"id": one.id, "name": one.name, "category": one.category, "description": one.description} for one in found
        ]
        print_json(shown)
        return
    rows = [[one.id, one.category, one.description.partition("\n")[0]] for one in found]
    print_table(["template", "category", "what it does"], rows)
