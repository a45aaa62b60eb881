"""Is each node right by itself? Type, config, expressions, Connections, secrets."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from airloom.checks.facts import Facts
from airloom.nodes.catalog import UnknownNodeType, catalog
from airloom.nodes.fields import SqlText, marks_of, places_of_columns, replace_at
from airloom.nodes.ports import RESERVED
from airloom.nodes.sdk import Node, Ports, ports_of
from airloom.spec.document import Document, NodeEntry, problem_of
from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.expression import (
    capture_declared,
    check_expression,
    check_sql_expressions,
    has_expression,
    references,
    render,
)
from airloom.spec.params import Schemas, as_expression_values, column_types, read_params
from airloom.spec.problem import Problem, pointer, suggestion

SECRET_NAME = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|private_?key|access_?key)$", re.IGNORECASE)
SECRET_TEXT = re.compile(
    r"://[^/\s:@]+:[^/\s@]+@"
    r"|(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_\w{50,}|xox[abeoprs]-[A-Za-z0-9-]{20,})"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)
"""A URL with a password, a signed JSON Web Token, a private key in PEM; tokens of GitHub and Slack, key ids of AWS."""
ADVICE = "put it into an Airflow Connection, and name the Connection here"
RUN_NAMES = frozenset({"id", "logical_date", "started_at", "attempt"})
Texts = list[tuple[str, str]]
Marks = Mapping[str, Mapping[str, Any]]
MOST_FAULTS = 100
"""Faults of one node's fields that are told one by one."""


@dataclass
class CheckedNode:
    """A node as far as it could be read: its class, its ports, and the node itself where all of it is known."""

    entry: NodeEntry
    at: str
    node_class: type[Node]
    ports: Ports
    node: Node | None
    references: dict[tuple[str, ...], str] = field(default_factory=dict)
    """What its expressions read, such as `("nodes", "orders", "rows")`, each with the place of the first of them."""


class ConfigCheck:
    """Check the nodes of one document, one after the other."""

    def __init__(self, document: Document, facts: Facts) -> None:
        self.document = document
        self.facts = facts
        self.types = column_types(document.params)
        defaults, _ = read_params(document.params, {})
        self.samples = {"params": as_expression_values(document.params, defaults)}
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()

    def check(self, entry: NodeEntry, at: str) -> CheckedNode | None:
        """Return the node as far as it can be read, or None; what is wrong is added to `problems`."""
        try:
            node_class = catalog().get(entry.type, entry.version)
        except UnknownNodeType as error:
            where = "/version" if "version" in error.message else "/type"
            self._add("node.unknown_type", error.message, at + where, entry.id, error.hint)
            return None
        self._check_installed(node_class, entry, at)
        inside = at + pointer("config")
        marks = {place: mark for place, mark, _ in marks_of(node_class.config_schema(), entry.config)}
        texts = list(_texts(entry.config))
        found = self._check_expressions(entry, texts, inside, marks)
        self._check_secrets(node_class, entry, texts, inside, marks)
        self._check_connections(entry, texts, inside, marks)
        self._check_paths(entry, texts, inside, marks)
        self._check_pool(entry, at)
        sample = self._sample(entry, texts, marks)
        node = self._validate(node_class, entry, sample, inside)
        ports = ports_of(node_class, node if node is not None else entry.config)
        for port in ports.outputs:
            if port.name in RESERVED:
                self._add(
                    "port.reserved", f"no port can be called {port.name!r}", inside, entry.id,
                    f"{', '.join(sorted(RESERVED))} are what a run keeps of every node; choose another name",
                )  # fmt: skip
        return CheckedNode(entry, at, node_class, ports, node, found)

    def check_params(self, params: Schemas) -> None:
        """Look for secrets in the params: a run's page in Airflow shows their defaults to everybody."""
        for at, text in _texts(params, "/params"):
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
        extra = node_class.missing_extra()
        if extra:
            self._add(
                "node.missing_extra", f"{entry.type!r} needs a package that is not installed", at + "/type", entry.id,
                f"pip install 'airloom[{extra}]'",
            )  # fmt: skip

    def _check_pool(self, entry: NodeEntry, at: str) -> None:
        if entry.pool and self.facts.pools is not None and entry.pool not in self.facts.pools:
            self._add("pool.unknown", f"there is no pool {entry.pool!r}", at + "/pool", entry.id,
                      suggestion(entry.pool, self.facts.pools) or "create it in Airflow: Admin, Pools")  # fmt: skip

    # Expressions

    def _check_expressions(
        self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks
    ) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {}
        for at, text in texts:
            meaning = marks.get(at, {}).get("is")
            if meaning in ("raw", "secret") or not has_expression(text):
                continue
            problems = check_sql_expressions(text) if meaning == "sql" else check_expression(text)
            self.problems.extend(problem.at(inside + at, entry.id) for problem in problems)
            if not problems:
                for reference in sorted(references(text)):
                    self._check_reference(reference, inside + at, entry.id)
                    found.setdefault(reference, inside + at)
        return found

    def _check_reference(self, reference: tuple[str, ...], at: str, node: str) -> None:
        if len(reference) < 2:
            return
        if reference[0] == "params" and reference[1] not in self.document.params:
            hint = suggestion(reference[1], self.document.params) or "declare it in the document's params"
            self._add("expression.unknown_param", f"there is no parameter {reference[1]!r}", at, node, hint)
        elif reference[0] == "run" and reference[1] not in RUN_NAMES:
            hint = suggestion(reference[1], RUN_NAMES) or f"run has {', '.join(sorted(RUN_NAMES))}"
            self._add("expression.unknown_name", f"run has no {reference[1]!r}", at, node, hint)
        elif reference[0] == "loop":
            self._add("expression.no_loop", "loop is known only in the body of a loop", at, node)

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

    def _validate(self, node_class: type[Node], entry: NodeEntry, sample: dict[str, Any], inside: str) -> Node | None:
        unknown = {at for at, text in _texts(sample) if isinstance(text, _Unknown)}
        try:
            node = node_class.model_validate(sample)
        except ValidationError as error:
            faults = [
                fault for fault in error.errors(include_url=False) if not isinstance(fault.get("input"), _Unknown)
            ]
            problems = (problem_of(fault, inside, node_class, sample, "config") for fault in faults[:MOST_FAULTS])
            self.problems += dict.fromkeys(problem.at("", entry.id) for problem in problems)
            if len(faults) > MOST_FAULTS:
                message = f"{len(faults) - MOST_FAULTS} more of its fields are wrong"
                self._add("config.more", message, inside, entry.id, "mend those that are told first")
            return None
        return None if unknown else node

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
            # A column may be called token; what is worked out in a run is no literal.
            literal = meaning is None and at not in columns and not has_expression(text)
            named = meaning == "secret" or (literal and SECRET_NAME.search(key))
            self._check_secret_text(text, inside + at, entry.id, named=bool(named))

    def _check_paths(self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks) -> None:
        if self.facts.files is None:
            return
        for at, text in texts:
            if marks.get(at, {}).get("is") == "path" and not has_expression(text):
                try:
                    self.facts.files.resolve(text)
                except ConfigurationError as error:
                    self._add("path.outside", error.message, inside + at, entry.id, error.hint)

    def _check_connections(self, entry: NodeEntry, texts: Texts, inside: str, marks: Marks) -> None:
        known = self.facts.connections
        if known is None:
            return
        for at, text in texts:
            mark = marks.get(at, {})
            if mark.get("is") != "connection" or has_expression(text):
                continue
            if text not in known:
                hint = suggestion(text, known) or "create it in Airflow: Admin, Connections"
                self._add("connection.unknown", f"there is no Connection {text!r}", inside + at, entry.id, hint)
            elif mark.get("type") and known[text] != mark["type"]:
                fitting = sorted(name for name, kind in known.items() if kind == mark["type"])
                self._add(
                    "connection.type", f"the Connection {text!r} is of type {known[text]!r}, not {mark['type']!r}",
                    inside + at, entry.id, f"Connections that fit: {', '.join(fitting)}" if fitting else None,
                )  # fmt: skip


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
