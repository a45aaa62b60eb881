"""Do the functions that a document names pass their tests? These run in the box, as the functions do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from airloom.checks.resolved import Resolved, ResolvedNode
from airloom.engine.box import Code, FailedTest, NoBoxHere, run_tests
from airloom.nodes.fields import marks_of
from airloom.nodes.functions import WrongFunction, read_tests
from airloom.spec.node_file import NodeFile
from airloom.spec.problem import Problem
from airloom.spec.scope import visits

log = logging.getLogger(__name__)
SECONDS = 60.0
MEMORY = 1_000_000_000
"""Bytes, as a node has them where it says nothing."""
MOST_PASSED = 1000

_passed: dict[tuple[NodeFile, NodeFile], int] = {}
"""How many tests passed of a function's text and a text of its tests: the same texts are not run again."""


@dataclass(frozen=True)
class Tested:
    """Say what the tests of a function came to: their file, how many there are, and those that failed."""

    file: NodeFile | None
    tests: int
    failures: list[FailedTest]


def outcome_of(file: NodeFile) -> Tested:
    """Run the tests of a function, which stand beside its file, where there are some.

    Raises WrongFunction where they cannot be read, NoBoxHere where nothing can run.
    """
    name = file.name.removesuffix(".py")
    tests = read_tests(name)
    if tests is None:
        return Tested(None, 0, [])
    if (file, tests) not in _passed:
        code = Code(file.text, name, {}, SECONDS, MEMORY, file.name)
        count, failures = run_tests(code, tests.text, tests.name, log)
        if failures:
            return Tested(tests, count, failures)
        while len(_passed) >= MOST_PASSED:
            _passed.pop(next(iter(_passed)), None)
        _passed[file, tests] = count
    return Tested(tests, _passed[file, tests], [])


def problems_of_tests(resolved: Resolved) -> list[Problem]:
    """Return a problem for each failing test of each function that a document names, at the node that names it."""
    places = {visit.entry.id: f"{visit.at}/config" for visit in visits(resolved.document)}
    return [
        problem.at(places[name], name)
        for name, node in resolved.every_node.items()
        if node.functions
        for problem in _problems_of(node)
    ]


def _problems_of(node: ResolvedNode) -> Iterator[Problem]:
    for at, mark, value in marks_of(node.node_class.config_schema(), node.entry.config):
        if mark["is"] != "function" or value not in node.functions:
            continue
        try:
            tested = outcome_of(node.functions[value])
        except (WrongFunction, NoBoxHere) as error:
            message = f"the tests of {value} cannot be run: {error.message}"
            yield Problem(error.code, message, pointer=at, hint=error.hint)
            continue
        hint = f"correct it, or the tests; `airloom test-code {value}` runs them"
        for failure in tested.failures:
            name = failure.test or "the file of tests"
            yield Problem("code.test", f"{name} failed: {failure.message}", pointer=at, hint=hint)
