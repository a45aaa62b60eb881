"""new, templates: documents to begin a pipeline from."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.output import complaints, console, print_json, print_table
from airloom.cli.reach import ListedTemplate, is_afar, reach
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.spec.template import Template

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
    from airloom.spec.text import write_text

    if not re.match(IDENTIFIER, pipeline):
        hint = "small letters, digits and _, a letter first, up to 100 of them"
        raise ConfigurationError(f"{pipeline!r} cannot be the id of a pipeline", hint=hint)
    document = _find(template).begin(pipeline)
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
    """List what a pipeline can begin from: templates of Airloom, and published pipelines with the tag `template`."""
    found = _listed()
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [[one.id, one.category, one.owner or "", one.description.partition("\n")[0] or one.name] for one in found]
    print_table(["template", "category", "owner", "what it does"], rows)


def _find(identifier: str) -> Template:
    from airloom.spec.template import PREFIX, template, templates

    if identifier.startswith(PREFIX) or is_afar():
        with reach() as installation:
            return installation.template(identifier)
    return template(identifier, templates())


def _listed() -> list[ListedTemplate]:
    """Return the templates of the installation, or those of the package where none is configured or it is down."""
    from airloom.cli.here import listed_template
    from airloom.spec.configuration import configuration
    from airloom.spec.template import templates

    if is_afar() or configuration().database_url is not None:
        from airloom.store.records import StoreUnavailable

        try:
            with reach() as installation:
                return installation.templates()
        except StoreUnavailable as error:
            complaints.print(f"[yellow]Without those that are pipelines: {escape(error.message)}[/yellow]")
    return [listed_template(one) for one in templates().values()]
