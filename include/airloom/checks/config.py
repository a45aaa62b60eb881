"""Is each node right by itself? Type, config, expressions, Connections, secrets."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from airloom.checks.facts import Facts
from airloom.engine.storage import UploadMissing
from airloom.nodes.catalog import UnknownNodeType, catalog
from airloom.nodes.context import ENDING_NAMES, RUN_NAMES
from airloom.nodes.fields import SqlText, marks_of, places_of_columns, replace_at, value_at
from airloom.nodes.functions import UnknownFunction, WrongFunction, read_function
from airloom.nodes.ports import ERROR, RESERVED, Interface, InterfacePorts, Interfaces, Port, no_interfaces
from airloom.nodes.sdk import Loop, Node, Ports, ports_of
from airloom.spec.connection import how_to_make
from airloom.spec.document import IDENTIFIER, Document, Edge, NodeEntry
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.expression import (
    capture_declared,
    check_expression,
    check_sql_expressions,
    has_expression,
    references,
    render,
)
from airloom.spec.fault import problems_of
from airloom.spec.meant import as_meant
from airloom.spec.node_file import NodeFile
from airloom.spec.params import as_expression_values, column_types, read_params
from airloom.spec.problem import Problem, pointer, suggestion
from airloom.spec.scope import Scope, visits
from airloom.spec.upload import is_upload
from airloom.spec.values import value_type

SECRET_NAME = re.compile(
    r"(^|[_-])(password|passwd|secret|token|(api|private|access)[_-]?key|authorization|cookie)$", re.IGNORECASE
)
SECRET_TEXT = re.compile(
    r"://[^/\s:@]+:[^/\s@]+@"
    r"|(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_\w{50,}|xox[abeoprs]-[A-Za-z0-9-]{20,})"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)
"""A URL with a password, a signed JSON Web Token, a private key in PEM; tokens of GitHub and Slack, key ids of AWS."""
BRACES = re.compile(r"\$?\{\s*params\.(\w+)\s*\}")
ADVICE = "put it into an Airflow Connection, and name the Connection here"
FACTS_OF_RUN = frozenset(RUN_NAMES)
FACTS_OF_LAST = FACTS_OF_RUN | {*ENDING_NAMES}
"""What `finally` knows of the run that has ended."""
LOOP_NAMES = frozenset({"item", "index", "total"})
WORDS = {"name", "description", "tags", "owner", "params", "inputs", "agents"}
"""The fields of a document that hold texts of no node."""
Texts = list[tuple[str, str]]
Marks = Mapping[str, Mapping[str, Any]]
MOST_TRIES = 3
"""How often a config is corrected until it can be read."""


@dataclass
class CheckedNode:
    """A node as far as it could be read: its class, its ports, and the node itself where all of it is known."""

    entry: NodeEntry
    at: str
    node_class: type[Node]
    ports: Ports
    node: Node | None
    draft: Node | None = None
    """The node as it may be meant, or without the faulty parts of its config: for the columns alone."""
    sure: bool = True
    """Whether the draft may be meant, so that columns below it can be followed."""
    references: dict[tuple[str, ...], str] = field(default_factory=dict)
    """What its expressions read, such as `("nodes", "orders", "rows")`, each with the place of the first of them."""
    connections: dict[str, str] = field(default_factory=dict)
    """The Connections that its config names, by their places in it."""
    functions: dict[str, NodeFile] = field(default_factory=dict)
    """The files of the functions that its config names, by these names."""

    @property
    def read(self) -> Node | None:
        """Return the node as far as it could be read."""
        return self.node or self.draft


class ConfigCheck:
    """Check the nodes of one document, one after the other."""

    def __init__(self, document: Document, facts: Facts) -> None:
        self.document = document
        self.facts = facts
        constants = facts.values.constants
        self.types = column_types(document.params)
        self.types |= {("values", name): value_type(value) for name, value in constants.items()}
        defaults, _ = read_params(document.params, {})
        self.samples = {"params": as_expression_values(document.params, defaults), "values": constants}
        self._names = {
            **dict.fromkeys(constants, "values"),
            **dict.fromkeys(document.params, "params"),
            **{visit.entry.id: "nodes" for visit in visits(document)},
        }
        self.problems: list[Problem] = []
        self.scope: Scope[NodeEntry, Edge]
        self.secrets: set[str] = set()

    def check(self, entry: NodeEntry, at: str, scope: Scope[NodeEntry, Edge]) -> CheckedNode | None:
        """Return the node as far as it can be read, or None; what is wrong is added to `problems`."""
        self.scope = scope
        for word, text in (("name", entry.name), ("description", entry.description)):
            self._check_secret_text(text, at + pointer(word), entry.id)
        try:
            node_class = catalog().get(entry.type, entry.version)
        except UnknownNodeType as error:
            where = "/version" if "version" in error.message else "/type"
            self._add("node.unknown_type", error.message, at + where, entry.id, error.hint)
            return self._as_near_type(entry, at, error.near) if error.near else None
        if entry.type in self.facts.switched_off:
            self._add(
                "node.switched_off", f"the node type {entry.type!r} is switched off", at + "/type", entry.id,
                "use another type, or ask an administrator to switch it on",
            )  # fmt: skip
        self._check_installed(node_class, entry, at)
        self._check_body(node_class, entry, at)
        self._check_alone(node_class, entry, at)
        self._check_handling(node_class, entry, at)
        inside = at + pointer("config")
        marks = {place: mark for place, mark, _ in marks_of(node_class.config_schema(), entry.config)}
        texts = list(_texts(entry.config))
        found = self._check_expressions(entry, texts, inside, marks)
        self._check_secrets(node_class, entry, texts, inside, marks)
        self._check_connections(entry, texts, inside, marks)
        self._check_paths(entry, texts, inside, marks, writes=node_class.effect_of(entry.config) == "write")
        self._check_pool(entry, at)
        self._check_pipelines(entry, inside, marks)
        functions = self._check_functions(entry, inside, marks)
        sample = self._sample(entry, texts, marks)
        node, draft, sure = self._validate(node_class, entry, sample, inside)
        ports = ports_of(node_class, node if node is not None else entry.config, self._interfaces(node_class, entry))
        for port in ports.outputs:
            if port.name in RESERVED:
                self._add(
                    "port.reserved", f"no port can be called {port.name!r}", inside, entry.id,
                    f"{', '.join(sorted(RESERVED))} are what a run keeps of every node; choose another name",
                )  # fmt: skip
        named = {}
        if node is not None and any(mark.get("is") == "connection" for mark in marks.values()):
            named = {
                place: str(value)
                for place, mark, value in marks_of(node_class.config_schema(), sample)
                if mark["is"] == "connection"
            }
        return CheckedNode(entry, at, node_class, ports, node, draft, sure, found, named, functions)

    def _as_near_type(self, entry: NodeEntry, at: str, near: str) -> CheckedNode | None:
        """Return the node as one of a type of nearly the same name, where its config fits that."""
        try:
            node_class = catalog().get(near)
        except UnknownNodeType:
            return None
        marks = {place: mark for place, mark, _ in marks_of(node_class.config_schema(), entry.config)}
        sample = self._sample(entry, list(_texts(entry.config)), marks)
        try:
            draft = node_class.model_validate(sample)
        except ValidationError:
            return None
        if any(isinstance(text, _Unknown) for _, text in _texts(sample)):
            return None
        return CheckedNode(entry, at, node_class, ports_of(node_class, draft, self.facts.interface), None, draft)

    def check_words(self, document: Document) -> None:
        """Look for secrets in what Airflow shows to everybody: names, descriptions, tags, defaults of params."""
        words = document.model_dump(mode="json", include=WORDS)
        for at, text in _texts(words):
            self._check_secret_text(text, at, None)

    def _check_secret_text(self, text: str, at: str, node: str | None, *, named: bool = False) -> None:
        found = SECRET_TEXT.search(text)
        if text and (named or found):
            self.secrets.update((text, found[0]) if found else (text,))
            self._add("secret.literal", "a secret must not stand in a document", at, node, ADVICE)

    def _add(
        self, code: str, message: str, at: str, node: str | None, hint: str | None = None, *, warn: bool = False
    ) -> None:
        self.problems.append(Problem(code, message, "warning" if warn else "error", node, at, hint))

    def _check_installed(self, node_class: type[Node], entry: NodeEntry, at: str) -> None:
        if missing := node_class.missing_module():
            message = f"{entry.type!r} needs {missing.name}, which is not installed"
            self._add("node.missing_module", message, at + "/type", entry.id, missing.hint)

    def _check_body(self, node_class: type[Node], entry: NodeEntry, at: str) -> None:
        loops = node_class.declaration.role == "loop"
        if loops and entry.body is None:
            self._add("node.body_missing", f"{entry.type!r} needs a body", at, entry.id,
                      'write "body": {"nodes": […], "edges": […], "result": "…"}')  # fmt: skip
        elif entry.body is not None and not loops:
            self._add("node.body", f"{entry.type!r} takes no body", at + "/body", entry.id, "only a loop has one")

    def _check_alone(self, node_class: type[Node], entry: NodeEntry, at: str) -> None:
        """Refuse what only a node with a task of its own can have, and what this release does not run."""
        for name in ("retries", "retry_delay", "retry_backoff", "max_retry_delay", "timeout", "pool"):
            if self.scope.in_loop and getattr(entry, name) is not None:
                self._add("node.inside", f"a node inside of a body has no {name} of its own", f"{at}/{name}",
                          entry.id, f"set it on {self.scope.owner!r}, whose task runs the body")  # fmt: skip
        for name in ("timeout", "pool"):
            if self._shares_a_task and getattr(entry, name) is not None:
                message = f"a node that shares its task with others has no {name} of its own"
                hint = f"set settings.{name}, which is that of the whole task"
                self._add("node.inside", message, f"{at}/{name}", entry.id, hint)
        if entry.parallel > 1:
            self._check_parallel(node_class, entry, at)
        if node_class.declaration.role == "wait" and (self._shares_a_task or self.scope.in_loop):
            where = f"the task of {self.scope.owner!r}" if self.scope.in_loop else "a task with others"
            message = f"{entry.type!r} waits in a task of its own, and here it shares {where}"
            hint = "let it stand outside of bodies and finally, with grouping auto or none"
            self._add("node.inside", message, at, entry.id, hint)
        if node_class.declaration.role == "trigger":
            self._add("node.trigger", f"this release starts no run by {entry.type!r}", at + "/type", entry.id,
                      "start runs by schedule, by hand or by Airflow's REST API")  # fmt: skip

    def _check_parallel(self, node_class: type[Node], entry: NodeEntry, at: str) -> None:
        """Refuse tasks of its own to what has no items, or no task."""
        if not (issubclass(node_class, Loop) and node_class.parallel):
            message = f"{entry.type!r} has no items that tasks could share"
            hint = "only a loop over items has, such as for_each"
            self._add("node.parallel", message, f"{at}/parallel", entry.id, hint)
        elif self._shares_a_task or self.scope.in_loop:
            where = f"that of {self.scope.owner!r}" if self.scope.in_loop else "one with others"
            self._add("node.inside", f"its items cannot have tasks of their own, for the node's task is {where}",
                      f"{at}/parallel", entry.id, "leave parallel out")  # fmt: skip

    @property
    def _shares_a_task(self) -> bool:
        together = self.scope.at == "/finally" or (self.scope.at == "" and self.document.settings.grouping == "all")
        return together and not self.scope.in_loop

    def _check_handling(self, node_class: type[Node], entry: NodeEntry, at: str) -> None:
        if entry.on_error == "continue" and not node_class.may_be_handled:
            self._add("node.handled", f"a failure of {entry.type!r} ends the run: it has no on_error",
                      at + "/on_error", entry.id, "leave on_error out")  # fmt: skip

    def _check_pool(self, entry: NodeEntry, at: str) -> None:
        if entry.pool and self.facts.pools is not None and entry.pool not in self.facts.pools:
            self._add("pool.unknown", f"there is no pool {entry.pool!r}", at + "/pool", entry.id,
                      suggestion(entry.pool, self.facts.pools) or "create it in Airflow: Admin, Pools")  # fmt: skip

    def _interfaces(self, node_class: type[Node], entry: NodeEntry) -> Interfaces:
        """Return what gives interfaces; where no pipeline is known, a node has the ports that the document uses."""
        depends = any(isinstance(port, InterfacePorts) for port in node_class.declaration.inputs or ())
        if not depends or self.facts.calls is not None or self.facts.interface is not no_interfaces:
            return self.facts.interface
        ends = [(Edge.split(edge.source), Edge.split(edge.target)) for _, edge in self.scope.edges]
        inputs = [port or "value" for _, (target, port) in ends if target == entry.id]
        outputs = [port for (source, port), _ in ends if source == entry.id and port not in (None, ERROR)]
        read = re.findall(rf"\bnodes\.{entry.id}\.(\w+)", self.document.model_dump_json(include={"nodes", "finally_"}))
        outputs += [port for port in read if port != ERROR]
        used = Interface(
            tuple(Port(port, required=False) for port in dict.fromkeys(inputs)),
            tuple(Port(port) for port in dict.fromkeys(outputs) if port),
        )
        return lambda pipeline: used

    def _check_pipelines(self, entry: NodeEntry, inside: str, marks: Marks) -> None:
        for place, mark in marks.items():
            named = value_at(entry.config, place)
            if mark.get("is") != "pipeline" or not isinstance(named, str):
                continue
            if has_expression(named):
                self._add("pipeline.open", "an expression cannot name a pipeline, for its ports are not known then",
                          inside + place, entry.id, "write its id")  # fmt: skip
            elif self.facts.calls is not None and (circle := self._circle(named)) is not None:
                self._add("pipeline.circle", f"the pipelines run each other in a circle: {' → '.join(circle)}",
                          inside + place, entry.id, "no pipeline can wait for itself")  # fmt: skip
            elif self.facts.calls is not None and self.facts.calls(named) is None:
                self._add("pipeline.unknown", f"there is no pipeline {named!r}", inside + place, entry.id,
                          "publish it first")  # fmt: skip

    def _circle(self, named: str) -> list[str] | None:
        """Return the way from this pipeline over the one that it names back to itself, None where there is none."""
        ways = {named: [self.document.id, named]}
        waiting = [named]
        while waiting:
            current = waiting.pop()
            if current == self.document.id:
                return ways[current]
            for other in sorted((self.facts.calls and self.facts.calls(current)) or ()):
                if other not in ways:
                    ways[other] = [*ways[current], other]
                    waiting.append(other)
        return None

    def _check_functions(self, entry: NodeEntry, inside: str, marks: Marks) -> dict[str, NodeFile]:
        files: dict[str, NodeFile] = {}
        for place, mark in marks.items():
            named = value_at(entry.config, place)
            if mark.get("is") != "function" or not isinstance(named, str):
                continue
            if has_expression(named):
                self._add("code.open", "an expression cannot name a function, for its text is published with this",
                          inside + place, entry.id, "write its name")  # fmt: skip
            elif re.fullmatch(IDENTIFIER, named):
                try:
                    files[named] = read_function(named, mark["argument"])
                except (UnknownFunction, WrongFunction) as error:
                    self._add(error.code, error.message, inside + place, entry.id, error.hint)
        return files

    # Expressions

    def _check_expressions(
        self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks
    ) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {}
        for at, text in texts:
            meaning = marks.get(at, {}).get("is")
            if meaning in ("raw", "secret"):
                continue
            if not has_expression(text):
                self._check_braces(text, inside + at, entry.id)
                continue
            check = check_sql_expressions if meaning == "sql" else check_expression
            problems = check(text, self._names)
            self.problems.extend(problem.at(inside + at, entry.id) for problem in problems)
            if not problems:
                for reference in sorted(references(text)):
                    self._check_reference(reference, inside + at, entry.id)
                    found.setdefault(reference, inside + at)
        return found

    def _check_braces(self, text: str, at: str, node: str) -> None:
        """Warn of what other systems take for an expression, such as ${params.day}."""
        found = BRACES.search(text) if "{" in text else None
        if found is not None and found[1] in self.document.params:
            self._add("expression.braces", f"{found[0]!r} stays as it is", at, node,
                      f"write {{{{ params.{found[1]} }}}}", warn=True)  # fmt: skip

    def _check_reference(self, reference: tuple[str, ...], at: str, node: str) -> None:
        if len(reference) < 2:
            return
        if reference[0] == "params" and reference[1] not in self.document.params:
            hint = suggestion(reference[1], self.document.params) or "declare it in the document's params"
            self._add("expression.unknown_param", f"there is no parameter {reference[1]!r}", at, node, hint)
        elif reference[0] == "values":
            self._check_value(reference[1], at, node)
        elif reference[0] == "run":
            self._check_name(reference, FACTS_OF_LAST if self.scope.at == "/finally" else FACTS_OF_RUN, at, node)
        elif reference[0] == "loop" and self.scope.in_loop:
            self._check_name(reference, LOOP_NAMES, at, node)
        elif reference[0] == "loop":
            self._add("expression.no_loop", "loop is known only in the body of a loop", at, node)

    def _check_value(self, name: str, at: str, node: str) -> None:
        values = self.facts.values
        if values.faults:
            message = f"the values of this installation are wrong: {'; '.join(values.faults)}"
            self._add("expression.values", message, at, node)
        elif name not in values.constants:
            hint = suggestion(name, values.constants) or "add it to include/values.yaml of each installation"
            self._add("expression.unknown_value", f"this installation has no value {name!r}", at, node, hint)
        elif SECRET_TEXT.search(json.dumps(values.constants[name])):
            self._add("expression.secret", f"the value {name!r} looks like a secret", at, node, ADVICE)

    def _check_name(self, reference: tuple[str, ...], known: frozenset[str], at: str, node: str) -> None:
        name = reference[1]
        if name not in known:
            hint = suggestion(name, known) or f"{reference[0]} has {', '.join(sorted(known))}"
            self._add("expression.unknown_name", f"{reference[0]} has no {name!r}", at, node, hint)

    # Config

    def _sample(self, entry: NodeEntry, texts: Texts, marks: Marks) -> dict[str, Any]:
        """Return the config with expressions worked out for the parameters' defaults, as far as they tell."""
        sample: dict[str, Any] = copy.deepcopy(entry.config)
        for at, text in texts:
            meaning = marks.get(at, {}).get("is")
            if meaning == "sql":
                replace_at(sample, at, self._sql_sample)
            elif meaning not in ("raw", "secret") and has_expression(text):
                replace_at(sample, at, self._value_sample)
        return sample

    def _sql_sample(self, text: str) -> str:
        try:
            return SqlText.of(*capture_declared(text, self.types))
        except AirloomError:
            return text

    def _value_sample(self, text: str) -> Any:
        try:
            return render(text, self.samples)
        except AirloomError:
            return _Unknown(text)

    def _validate(
        self, node_class: type[Node], entry: NodeEntry, sample: dict[str, Any], inside: str
    ) -> tuple[Node | None, Node | None, bool]:
        """Return the node, or else a draft of it, and whether the draft may be what is meant."""
        unknown = {at for at, text in _texts(sample) if isinstance(text, _Unknown)}
        try:
            node = node_class.model_validate(sample)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            told = [fault for fault in faults if not isinstance(fault.get("input"), _Unknown)]
            problems = problems_of(told, inside, node_class, sample, "config")
            self.problems += dict.fromkeys(problem.at("", entry.id) for problem in problems)
            draft, sure = (None, False) if unknown or told != faults else _draft(node_class, sample, faults)
            return None, draft, sure
        return (None if unknown else node), None, True

    def _check_secrets(
        self,
        node_class: type[Node],
        entry: NodeEntry,
        texts: Texts,
        inside: str,
        marks: Marks,
    ) -> None:
        columns = places_of_columns(node_class.config_schema(), entry.config)
        for at, text in texts:
            key = at.rsplit("/", 1)[-1]
            meaning = marks.get(at, {}).get("is")
            # A column may be called token; what is worked out in a run is not a literal.
            literal = meaning is None and at not in columns and not has_expression(text)
            named = meaning == "secret" or (literal and SECRET_NAME.search(key))
            self._check_secret_text(text, inside + at, entry.id, named=bool(named))

    def _check_paths(self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks, *, writes: bool) -> None:
        if self.facts.files is None:
            return
        for at, text in texts:
            if marks.get(at, {}).get("is") == "path" and not has_expression(text):
                try:
                    if is_upload(text) and not writes:
                        self.facts.files.find(text)
                    else:
                        self.facts.files.resolve(text)
                except ConfigurationError as error:
                    code = error.code if isinstance(error, UploadMissing) else "path.outside"
                    self._add(code, error.message, inside + at, entry.id, error.hint)

    def _check_connections(self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks) -> None:
        known = self.facts.connections
        if known is None:
            return
        for at, text in texts:
            mark = marks.get(at, {})
            if mark.get("is") != "connection" or has_expression(text):
                continue
            if text not in known:
                hint = suggestion(text, known) or how_to_make(text, mark.get("type"))
                self._add("connection.unknown", f"there is no Connection {text!r}", inside + at, entry.id, hint)
            elif mark.get("type") and known[text] != mark["type"]:
                fitting = sorted(name for name, kind in known.items() if kind == mark["type"])
                self._add(
                    "connection.type", f"the Connection {text!r} is of type {known[text]!r}, not {mark['type']!r}",
                    inside + at, entry.id,
                    f"Connections that fit: {', '.join(fitting)}" if fitting else how_to_make("NAME", mark["type"]),
                )  # fmt: skip


def _draft(node_class: type[Node], sample: dict[str, Any], faults: list[Any]) -> tuple[Node | None, bool]:
    """Return the node as it may be meant, else without what is faulty, and whether it may be meant."""
    all_sure = True
    for _ in range(MOST_TRIES):
        meant = as_meant(sample, faults, node_class)
        if meant is None:
            break
        sample, sure = meant
        all_sure = all_sure and sure
        try:
            return node_class.model_validate(sample), all_sure
        except ValidationError as error:
            faults = error.errors(include_url=False)
    return None, False


class _Unknown(str):
    """An expression whose value only a run can tell."""


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, at + pointer(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, at + pointer(index))
    elif isinstance(value, str):
        yield at, value
