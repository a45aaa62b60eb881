"""A part of a pipeline, run by itself: which nodes run, which are taken as another run left them, and which do not run.

The unit is the node: one that has the same hash in both runs, and reads the same params, is the same, in whatever
version of the pipeline. Nodes that write are silent unless somebody asks for them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airloom.plan.plan import FAILED, FINALLY, GROUP, NOT_RUN, SKIPPED, SUCCESS, Plan, PlanNode, PlanStep
from airloom.plan.rule import Outcome, decide
from airloom.spec.expression import references, texts
from airloom.spec.problem import Problem, suggestion
from airloom.spec.scope import visits

Part = Literal["run", "again", "reused", "skipped", "silent", "left_out"]
"""What becomes of a node: it runs; it is computed again, for its output was not kept; it is as the other run left it;
nothing leads to it; it writes, and nobody asked for that; nobody asked for it."""
WORKING = ("run", "again")
REUSED = "reused"
"""The state of a node that another run has done, and the key of that run's id in the node's statistics."""


@dataclass(frozen=True)
class Wish:
    """Say which nodes are to run: one, those from one on, those until one, or those between two."""

    only: str | None = None
    first: str | None = None
    until: str | None = None
    reuse: str | None = None
    """The run whose outputs are reused."""
    writes: bool = False
    """Whether nodes that write run, too."""

    @property
    def nodes(self) -> dict[str, str]:
        """Return the nodes that are named, by the word that names them."""
        named = {"only": self.only, "from": self.first, "until": self.until}
        return {word: node for word, node in named.items() if node is not None}


@dataclass(frozen=True)
class Earlier:
    """Say how a node ended in the run that is reused; `kept` tells whether what it gave has left its step."""

    hash: str
    state: str
    fired: tuple[str, ...] = ()
    kept: bool = True


@dataclass(frozen=True)
class Reuse:
    """Name a run, say how its nodes ended and which params had other values in it.

    `gone` says which output of a node is no longer there, `changed` which file that it read is not as it was; both
    return None where there is none.
    """

    run: str
    nodes: Mapping[str, Earlier]
    params: Collection[str] = ()
    gone: Callable[[str], str | None] = lambda node: None
    changed: Callable[[str], str | None] = lambda node: None


@dataclass(frozen=True)
class Selection:
    """Say what becomes of each node that has a task; it stands only where there is no problem."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def select(plan: Plan, document: Mapping[str, Any], wish: Wish, reuse: Reuse | None) -> Selection:
    """Return what becomes of each node where a part of a pipeline runs, with all that is in the way of it."""
    return _Selecting(plan, document, wish, reuse).selection()


def cut(step: PlanStep, plan: Plan, parts: Mapping[str, str]) -> PlanStep:
    """Return a step with the nodes of it that work, and the ends of them as its exits."""
    working = tuple(node for node in step.nodes if parts.get(node) in WORKING)
    if working == step.nodes or not step.exits:
        return replace(step, nodes=working)
    read = {source for node in working for source in _sources(plan, plan.nodes[node])}
    exits = tuple(node for node in working if node in step.exits or node not in read)
    return replace(step, nodes=working, exits=exits)


class _Selecting:
    def __init__(self, plan: Plan, document: Mapping[str, Any], wish: Wish, reuse: Reuse | None) -> None:
        self.plan = plan
        self.wish = wish
        self.reuse = reuse
        self.order = [node for step in plan.steps for node in step.nodes]
        self.steps = {step.id: step for step in plan.steps}
        self.last = {node for node in self.order if plan.nodes[node].step == FINALLY}
        self.sources = {node: _sources(plan, plan.nodes[node]) for node in self.order}
        self.readers: dict[str, list[str]] = {node: [] for node in self.order}
        for node, sources in self.sources.items():
            for source in sources:
                self.readers[source].append(node)
        self.reads = _reads(document, plan)
        self.problems: list[Problem] = []
        self.parts: dict[str, Part] = {}

    def selection(self) -> Selection:
        for word, node in self.wish.nodes.items():
            self._check_name(word, node)
        if not self.wish.nodes or (self.wish.only is not None and len(self.wish.nodes) > 1):
            message = "a part of a pipeline is only one node, or begins at a node, or ends at one, or both"
            self.problems.append(
                Problem("partial.nodes", message, hint="name only, or from, or until, or the last two")
            )
        if self.problems:
            return Selection(problems=tuple(self.problems))
        self._choose()
        self._reuse()
        self._follow()
        return Selection({node: self.parts.get(node, "left_out") for node in self.order}, tuple(self.problems))

    def _check_name(self, word: str, node: str) -> None:
        if node in self.order and node not in self.last:
            return
        hint: str | None
        if node in self.last:
            text, hint = "stands in `finally`, which runs as a whole at the end of a run that writes", "choose another"
        elif node in self.plan.nodes:
            readers = [name for name, other in self.plan.nodes.items() if node in _wired(other)]
            text, hint = "is wired to another node, and runs with that", f"choose {_quoted(readers)}"
        elif (around := _around(self.plan, node)) is not None:
            text, hint = f"stands inside of node {around!r}, which runs as a whole", f"choose {around!r}"
        else:
            text, hint = "is not there", suggestion(node, self.order) or f"nodes: {', '.join(self.order[:20])}"
        self.problems.append(Problem("partial.node", f"{word}: the node {node!r} {text}", node=node, hint=hint))

    def _choose(self) -> None:
        """Mark the nodes that are asked for: they run, or are silent."""
        wish = self.wish
        chosen = {wish.only} if wish.only else set(self.order) - self.last
        if wish.first:
            chosen &= _closure(wish.first, self.readers)
        if wish.until:
            chosen &= _closure(wish.until, self.sources)
        for node in self.order:
            if node in chosen or (node in self.last and wish.writes):
                writes = self.plan.nodes[node].effect == "write"
                self.parts[node] = "silent" if writes and not wish.writes else "run"
            elif node in self.last:
                self.parts[node] = "silent"
        if not chosen:
            message = f"nothing leads from node {wish.first!r} to node {wish.until!r}"
            self.problems.append(Problem("partial.nodes", message, node=wish.first, hint="choose two on one way"))
        elif "run" not in self.parts.values():
            names = [node for node in self.order if node in chosen]
            hint = "ask for writes, too: they happen outside of the run, and cannot be taken back"
            self.problems.append(
                Problem("partial.silent", f"nothing would run: {_quoted(names)} writes", node=names[0], hint=hint)
            )

    def _reuse(self) -> None:
        """Settle what the chosen nodes read and is not chosen: reused, or computed again."""
        working = {node for node, part in self.parts.items() if part == "run" and node not in self.last}
        cut = {self.plan.nodes[node].step for node in working if self.steps[self.plan.nodes[node].step].kind != GROUP}
        needed = {source for node in working for source in self._needs(node)}
        above = set(needed)
        for node in reversed(self.order):
            if node not in above or node in self.parts or node in self.last:
                continue
            above.update(self.sources[node])
            if node not in needed:
                self.parts[node] = self._as_it_was(node)
                continue
            step = self.plan.nodes[node].step
            part = self._needed(node, inside=step in cut)
            if part == "again":
                needed.update(self._needs(node))
                above.update(self._needs(node))
                cut.add(step)
            if part is not None:
                self.parts[node] = part

    def _needs(self, node: str) -> set[str]:
        """Return the nodes that another one reads, by edges or expressions."""
        named = {path[1] for path in self.reads.get(node, ()) if path[0] == "nodes" and len(path) > 1}
        return {*self.sources[node], *named.intersection(self.sources)}

    def _needed(self, node: str, *, inside: bool) -> Part | None:
        """Return what becomes of a node that others read; `inside` tells whether it shares its step with them."""
        if self.reuse is None:
            self._refuse(node, "is read by what is to run", "name the run whose outputs are to be reused")
            return None
        earlier, run = self.reuse.nodes.get(node), f"run {self.reuse.run!r}"
        if earlier is None:
            self._refuse(node, f"has no state in {run}")
        elif not self._is_same(node, earlier):
            self._refuse(
                node, f"is not as it was in {run}: it, a node before it, or a param that they read has changed"
            )
        elif earlier.state == SKIPPED:
            return "skipped"
        elif not earlier.fired and earlier.state in (FAILED, NOT_RUN):
            self._refuse(node, f"{'failed' if earlier.state == FAILED else 'did not run'} in {run}")
        elif inside or not earlier.kept:
            return self._again(node, earlier, self.reuse)
        elif gone := self.reuse.gone(node):
            self._refuse(node, f"gave in {run} what is gone: {gone}")
        else:
            return "reused"
        return None

    def _again(self, node: str, earlier: Earlier, reuse: Reuse) -> Part | None:
        planned = self.plan.nodes[node]
        reads_files = planned.method == "scan"
        if not reads_files and (planned.effect != "pure" or planned.role != "work"):
            self._refuse(node, f"gave in run {reuse.run!r} what was not kept")
        elif reads_files and (changed := reuse.changed(node)):
            self._refuse(node, f"is to read again what it read in run {reuse.run!r}, and {changed}")
        else:
            return "again"
        return None

    def _refuse(self, node: str, text: str, hint: str | None = None) -> None:
        hint = hint or f"run from node {node!r}, or reuse another run"
        self.problems.append(Problem("partial.reuse", f"node {node!r} {text}", node=node, hint=hint))

    def _as_it_was(self, node: str) -> Part:
        """Return what becomes of a node that nobody reads, and that comes before what runs."""
        earlier = None if self.reuse is None else self.reuse.nodes.get(node)
        if earlier is None or not self._is_same(node, earlier):
            return "left_out"
        if earlier.state == SKIPPED:
            return "skipped"
        return "reused" if earlier.fired or earlier.state in (SUCCESS, REUSED) else "left_out"

    def _is_same(self, node: str, earlier: Earlier) -> bool:
        digest = self.plan.nodes[node].hash
        return bool(digest) and digest == earlier.hash and node not in self._tainted

    @functools.cached_property
    def _tainted(self) -> set[str]:
        """Return the nodes that read a param which had another value, or a node that does."""
        changed = set(self.reuse.params) if self.reuse else set()
        tainted: set[str] = set()
        for node in self.order if changed else ():
            paths = [path for path in self.reads.get(node, ()) if path[0] == "params"]
            if tainted & self._needs(node) or any(len(path) == 1 or path[1] in changed for path in paths):
                tainted.add(node)
        return tainted

    def _follow(self) -> None:
        """Mark the nodes that are chosen and that nothing leads to."""
        outcomes: dict[str, Outcome] = {}
        for node in self.order:
            part = self.parts.get(node)
            if part in WORKING:
                known = {source: outcomes[source] for source in self.sources[node] if source in outcomes}
                if node not in self.last and decide(self.plan.nodes[node], known) == "skipped":
                    part = self.parts[node] = "skipped"
            if part in WORKING:
                errors = ("error",) if self.plan.nodes[node].error_port else ()
                outcomes[node] = Outcome(SUCCESS, (*self.plan.nodes[node].ports, *errors))
            elif part == "reused" and self.reuse is not None:
                outcomes[node] = Outcome(SUCCESS, self.reuse.nodes[node].fired)
            elif part is not None:
                outcomes[node] = Outcome(SKIPPED)


def _sources(plan: Plan, node: PlanNode) -> list[str]:
    """Return the nodes with a task that a node has edges from."""
    names = (source.partition(".")[0] for source in (*(s for port in node.inputs for s in port.sources), *node.after))
    return [name for name in dict.fromkeys(names) if name in plan.nodes and plan.nodes[name].step]


def _wired(node: PlanNode) -> set[str]:
    return {source.partition(".")[0] for port in node.inputs for source in port.sources}


def _reads(document: Mapping[str, Any], plan: Plan) -> dict[str, set[tuple[str, ...]]]:
    """Return what the expressions of each node refer to, those in its body and in what is wired to it among them."""
    reads: dict[str, set[tuple[str, ...]]] = {}
    for visit in visits(document):
        name, scope = visit.entry["id"], visit.scope
        while scope.owner is not None and scope.outer is not None:
            name, scope = scope.owner, scope.outer
        paths = {path for _, text in texts(visit.entry.get("config", {})) for path in references(text)}
        for user in _users(name, plan):
            reads.setdefault(user, set()).update(paths)
    return reads


def _users(name: str, plan: Plan) -> list[str]:
    """Return the nodes in whose tasks a node is at work: itself, or those that it is wired to."""
    if name not in plan.nodes or plan.nodes[name].step:
        return [name]
    return [user for other, node in plan.nodes.items() if name in _wired(node) for user in _users(other, plan)]


def _around(plan: Plan, node: str) -> str | None:
    """Return the node of a plan in whose body, however deep, another one stands."""
    for name, planned in plan.nodes.items():
        if planned.body is not None and (node in planned.body.nodes or _around(planned.body, node)):
            return name
    return None


def _closure(start: str, following: Mapping[str, list[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(following[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return reached


def _quoted(names: Collection[str]) -> str:
    return ", ".join(repr(name) for name in names)
