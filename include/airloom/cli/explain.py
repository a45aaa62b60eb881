"""explain: a pipeline from its document to what a run of it left, stage by stage."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from airloom.cli.documents import AsJson
from airloom.cli.here import load_airflow, open_store
from airloom.cli.output import console, print_json, print_table
from airloom.cli.pipelines import Pipeline

if TYPE_CHECKING:
    from airloom.dags.node_states import NodeState
    from airloom.store.records import StoredVersion

app = typer.Typer()
JSON_IN_FILE = re.compile(r"json\.loads\(r'''\n.*?\n'''\)", re.DOTALL)
VALUE_WIDTH = 200


@app.command()
def explain(
    pipeline: Pipeline,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id; its newest run otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what becomes of a pipeline: its document, the plan, the DAG file, and what a run's tasks left."""
    load_airflow()
    from airloom.dags.files import pipeline_text
    from airloom.dags.node_states import node_results
    from airloom.dags.runs import newest_run, run_of
    from airloom.spec.text import write_text

    with open_store() as store:
        run_id = run_id or newest_run(pipeline)
        run = run_of(pipeline, run_id) if run_id else None
        version = store.version(pipeline) if run is None else store.version_at(pipeline, run.revision or 0)
        functions = store.functions(version)
    nodes = node_results(pipeline, run.run_id, version.plan) if run else []
    text = pipeline_text(version.document, version.plan)
    if as_json:
        print_json(
            {
                "version": version.number,
                "document": version.document,
                "functions": {name: file.text for name, file in functions.items()},
                "plan": version.plan,
                "file": text,
                "run": run and asdict(run),
                "nodes": [node.to_json() for node in nodes],
            }
        )
        return
    _heading(f"Document: version {version.number}, by {version.author}")
    console.print(escape(write_text(version.document, "yaml").rstrip()))
    for file in functions.values():
        _heading(f"Code: {file.name}, as version {version.number} runs it")
        console.print(escape(file.text.rstrip()))
    _heading(f"Plan: {len(version.plan['steps'])} steps, each one task of Airflow")
    _print_plan(version.plan)
    _heading(f"DAG file: {pipeline}.py, as Airflow's Code tab shows it")
    console.print(escape(JSON_IN_FILE.sub("json.loads(r'''…''')", text).strip()))
    if run is None:
        _heading("No run yet")
        return
    _heading(f"Run: {run.run_id}, {run.state}, by revision {run.revision} of the store")
    _print_tasks(version, nodes)
    _heading("References: what the nodes of the run left")
    for node in nodes:
        _print_references(node)


def _heading(text: str) -> None:
    console.print(f"\n[bold]{escape(text)}[/bold]")


def _print_plan(plan: dict[str, Any]) -> None:
    rows = []
    for step in plan["steps"]:
        leads = ", ".join(f"{port} → {', '.join(tasks)}" for port, tasks in step["follow"].items())
        parallel = step.get("parallel", 1)
        kind = step["kind"] if parallel == 1 else f"{step['kind']} behind {parallel} tasks that share its items"
        rows.append([step["id"], kind, ", ".join(step["nodes"]), ", ".join(step["upstream"]), leads])
    rows += [[gate["id"], "gate", "", gate["upstream"], f"{gate['node']}.{gate['port']}"] for gate in plan["gates"]]
    print_table(["task", "kind", "nodes", "after", "leads to"], rows)
    for name, node in plan["nodes"].items():
        for port, query in node["sql"].items():
            console.print(f"[dim]{escape(f'{name}.{port}')}[/dim] {escape(query)}")


def _print_tasks(version: StoredVersion, nodes: list[NodeState]) -> None:
    rows = []
    for step in version.plan["steps"]:
        for node in (node for node in nodes if node.node == step["nodes"][-1]):
            task = f"{step['id']}[{node.index_path}]" if node.index_path else step["id"]
            seconds = (node.ended_at - node.started_at).total_seconds() if node.started_at and node.ended_at else None
            states = ", ".join(f"{found.node} {found.state}" for found in nodes if found.task == step["id"])
            rows.append([task, str(node.attempt), "" if seconds is None else f"{seconds:.1f}", states])
    print_table(["task", "attempt", "seconds", "nodes"], rows)


def _print_references(node: NodeState) -> None:
    for port, reference in node.outputs.items():
        name = escape(f"{node.node}.{port}")
        if reference["kind"] == "table":
            columns = ", ".join(f"{column} {kind}" for column, kind in reference["columns"])
            rows = "rows not counted" if reference["rows"] is None else f"{reference['rows']:,} rows"
            files = [file["uri"] for file in reference.get("scan", {}).get("files", [])] or [reference.get("uri")]
            console.print(f"{name} table, {rows} [dim]({escape(columns)})[/dim]")
            for uri in files:
                console.print(f"    {escape(str(uri))}")
        elif "uri" in reference:
            console.print(
                f"{name} {escape(reference['kind'])}, {reference['bytes']:,} bytes\n    {escape(reference['uri'])}"
            )
        else:
            text = json.dumps(reference["value"], ensure_ascii=False)
            shown = text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}…"
            console.print(f"{name} {escape(reference['kind'])} {escape(shown)}")
    if node.error:
        console.print(f"{escape(node.node)} [red]{escape(str(node.error['message']))}[/red]")
