"""Does something read the ports that a config asks for? Rows that leave by a port without a reader are lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from airloom.checks.config import CheckedNode
from airloom.checks.resolved import Wire
from airloom.nodes.ports import Maybe
from airloom.spec.problem import Problem, pointer


def check_unread(
    nodes: Mapping[str, CheckedNode], wires: Sequence[Wire], ends: Collection[str], problems: list[Problem]
) -> None:
    """Warn where a table port that a field asks for, such as `rejects`, is read by nothing.

    `ends` are the `node.port`s that the document, or a body, gives as its own.
    """
    read = {f"{wire.source}.{wire.output}" for wire in wires} | set(ends)
    whole: set[str] = set()
    for node in nodes.values():
        for reference in node.references:
            if reference[0] == "nodes":
                read.add(".".join(reference[1:3]))
                whole.update(reference[1:2] if len(reference) == 2 else ())
    for name, node in nodes.items():
        present = {port.name for port in node.ports.outputs}
        for declared in node.node_class.declaration.outputs or ():
            if not isinstance(declared, Maybe) or declared.port.kind != "table":
                continue
            port = declared.port.name
            if port in present and f"{name}.{port}" not in read and name not in whole:
                problems.append(
                    Problem(
                        "port.unread",
                        f"rows that leave {name!r} by {port!r} are lost, for nothing reads that port",
                        "warning",
                        name,
                        node.at + pointer("config", declared.when),
                        f'add an edge such as {{"from": "{name}.{port}", "to": "…"}}, or set {declared.when}: false, '
                        "which lets such a row end the run",
                    )
                )
