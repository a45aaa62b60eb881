"""What can never run: nodes that need two branches at once, and ports that no value reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airloom.checks.config import CheckedNode
from airloom.checks.exclusion import Exclusion
from airloom.checks.resolved import Wire
from airloom.spec.problem import Problem, pointer


def warn_of_dead(
    nodes: Mapping[str, CheckedNode], wires: Iterable[tuple[Wire, str]], exclusion: Exclusion, problems: list[Problem]
) -> None:
    """Warn of each node and each port of a scope that is dead; `wires` come with their places in the document."""
    places = dict(wires)
    for name, (one, other) in exclusion.contradictions().items():
        problems.append(
            Problem(
                "node.never_runs",
                f"{name!r} never runs: it needs {_end(one)} and {_end(other)}, and never both of them fire",
                "warning", name, places[other],
                "lead both ways into one input, or let a merge or a concat come before it",
            )
        )  # fmt: skip
    for name, node in nodes.items():
        if node.node is None:
            continue  # what is wrong is told; what is worked out in a run may be anything
        for port, (field, reason) in node.node_class.never_fires(node.entry.config).items():
            behind = next((wire.target for wire in places if (wire.source, wire.output) == (name, port)), None)
            problems.append(
                Problem(
                    "port.never_fires",
                    f"{name!r} never fires {port!r}: {reason}"
                    + (f"; {behind!r} is never reached by it" if behind else ""),
                    "warning", name, node.at + pointer("config") + "/" + field,
                    "correct it, or leave it out",
                )
            )  # fmt: skip


def _end(wire: Wire) -> str:
    return f"{wire.source}.{wire.output}"
