"""Which field of a node is at fault: what DuckDB, Spark or the node itself says of the whole is asked of each."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airloom.engine.relation import ColumnError, Columns, Query, Relation, name_as
from airloom.engine.shapes import QueryError, Shapes
from airloom.engine.sql_error import SqlFieldError, SqlSyntaxError
from airloom.nodes.fields import marks_of
from airloom.nodes.sdk import Node
from airloom.spec.error import AirloomError

Fault = tuple[str, AirloomError]
"""The pointer of a field within the config, and what is wrong there; an empty one is the whole config."""

# Binding a field by itself takes as long as its whole node: only where there is something to find.
_CONSTANTS = re.compile(r"'|::|(?<![<>])=|\b(cast|in|distinct|union)\b", re.IGNORECASE)
_COMPARES = re.compile(r"[=<>]|\b(and|or|not|is|in|i?like|between|true|false|exists)\b", re.IGNORECASE)

_NULL = re.compile(r"(=|<>)\s*null\b|\bnull\s*(=|<>|!=)", re.IGNORECASE)


class Blame:
    """Find the fields at fault in one node.

    `relations` are what its query reads, by input; `shapes` knows their columns.
    """

    def __init__(self, node: Node, config: Mapping[str, Any], relations: Mapping[str, Any], shapes: Shapes) -> None:
        self.node = node
        self.shapes = shapes
        self._config = config
        self._inputs = list(relations.values())
        self._relations = [found for found in self._inputs if isinstance(found, Relation)]

    @functools.cached_property
    def _marks(self) -> list[tuple[str, Mapping[str, Any], Any]]:
        return list(marks_of(type(self.node).config_schema(), dict(self._config)))

    @functools.cached_property
    def _fields(self) -> list[tuple[str, str]]:
        """The place of each field of SQL, with its text."""
        return [(at, value) for at, mark, value in self._marks if mark["is"] == "sql"]

    @functools.cached_property
    def _forms(self) -> list[tuple[str, str]]:
        """The place of each field of SQL that is ours, with what it is: a condition, a formula, a query."""
        return [(at, mark["form"]) for at, mark, _ in self._marks if mark["is"] == "sql" and mark["form"] != "foreign"]

    # An error is given

    def of_making(self, error: AirloomError, columns: Columns | None) -> list[Fault]:
        """Return what keeps the node from making its queries: every field that is wrong by itself, else the error.

        `columns` are those of its one table, if it has one that is known.
        """
        faults = [*self.wrong_columns(columns), *self._wrong_alone(error)]
        if not any(fault.message == error.message for _, fault in faults):
            faults.append((self._field_of(error), error))
        # DuckDB names the character where a text cannot be read on.
        unreadable = dict(self.unreadable())
        faults = [
            (at, unreadable.pop(at, fault) if isinstance(fault, SqlSyntaxError) else fault) for at, fault in faults
        ]
        wrong = {at for at, _ in faults}
        return [*faults, *((at, fault) for at, fault in unreadable.items() if at not in wrong)]

    def of_binding(self, error: AirloomError) -> list[Fault]:
        """Bind each SQL field alone: those that fail are at fault."""
        wrong: list[Fault] = [*self._no_conditions()]
        if not wrong and len(self._fields) == 1:
            return [(self._fields[0][0], error)]
        known = {at for at, _ in wrong}
        for at, _ in self._fields if self._relations else ():
            if at in known or (wrong and len(self._relations) > 1):
                continue
            try:
                formula = self._relations[0].formula(_value_at(self.node, at), aggregates=True)
                self.shapes.describe(self._relations[0].select(formula))
            except AirloomError as found:
                wrong.append((at, found))
        return wrong or [("", error)]

    def of_spark(self, error: AirloomError, known: Mapping[str, Columns]) -> Fault:
        """Say each SQL field alone; the first that Spark cannot be told is the one."""
        from airloom.engine.spark.query import SparkUnsupported, to_spark

        for at, _ in self._fields if self._relations else ():
            try:
                formula = self._relations[0].formula(_value_at(self.node, at), aggregates=True)
                to_spark(self._relations[0].select(name_as(formula, "value")).sql("duckdb"), known)
            except SparkUnsupported as found:
                return at, found
            except AirloomError:
                # A whole query is not a formula; it is the only field of its node.
                return at, error
        return "", error

    def _wrong_alone(self, error: AirloomError) -> list[Fault]:
        if len(self._fields) < 2 or len(self._inputs) != 1 or not self._relations:
            return []
        found = []
        for at, _ in self._fields:
            text = _value_at(self.node, at)
            plain, grouped = (_fault_of(self._relations[0], text, aggregates=allowed) for allowed in (False, True))
            # Whether the node allows aggregates here shows in the error it raised itself.
            fault = plain if plain is not None and plain.message == error.message else grouped
            if fault is not None:
                found.append((at, fault))
        return found

    def _field_of(self, error: AirloomError) -> str:
        if error.field:
            return "/" + error.field.lstrip("/")
        if isinstance(error, ColumnError):
            for at, mark, value in self._marks:
                if mark["is"] == "column" and value == error.column:
                    return at
            return next((at for at, text in self._fields if error.column in text), "")
        return self.of_binding(error)[0][0] if isinstance(error, SqlFieldError) else ""

    # No error is given

    def wrong_columns(self, columns: Columns | None) -> Iterator[Fault]:
        """Yield the fields that name a column which a table of these columns lacks; nothing where they are unknown."""
        if columns is None:
            return
        relation = Relation("rows", columns)
        for at, mark, value in self._marks:
            if mark["is"] == "column" and "{{" not in value:
                try:
                    relation.resolve(value)
                except ColumnError as error:
                    error.hint = self._with_direction(value, relation) or error.hint
                    yield at, error

    def _with_direction(self, value: str, relation: Relation) -> str | None:
        """Return how a column and its direction are written where the node takes them apart."""
        name, _, direction = value.rpartition(" ")
        parts = type(self.node).config_schema().get("$defs", {}).values()
        sorts = any({"column", "descending"} <= part.get("properties", {}).keys() for part in parts)
        if not sorts or direction.lower() not in ("asc", "desc") or name not in relation.columns:
            return None
        return f'write {{"column": "{name}", "descending": true}}' if direction.lower() == "desc" else f'write "{name}"'

    def wrong_alone(self, columns: Columns | None) -> Iterator[Fault]:
        """Yield the fields that are wrong whatever the rest of the config is."""
        yield from self.wrong_columns(columns)
        for at, _ in self._fields if columns is not None and len(self._relations) == 1 else ():
            fault = _fault_of(self._relations[0], _value_at(self.node, at), aggregates=True)
            if fault is not None:
                yield at, fault

    def unreadable(self) -> Iterator[Fault]:
        """Yield the fields of SQL that DuckDB's own parser refuses, or reads in another way than sqlglot."""
        from airloom.engine.sql_field import check_syntax

        if not self._forms:
            return
        relations = [found for given in self._inputs for found in (given if isinstance(given, list) else [given])]
        known = all(found is None or found.known for found in relations)
        columns = {name for found in relations if found is not None for name in found.columns} if known else None
        for at, form in self._forms:
            try:
                check_syntax(_value_at(self.node, at), columns, self.shapes.readings, query=form == "query")
            except SqlFieldError as fault:
                yield at, fault

    def null_comparisons(self) -> Iterator[Fault]:
        """Yield comparisons with NULL, which are never true, in fields of SQL that are right."""
        from airloom.engine.sql_field import null_comparisons

        for at, form in self._forms:
            text = _value_at(self.node, at)
            if _NULL.search(text):
                yield from ((at, fault) for fault in null_comparisons(text, query=form == "query"))

    def sure_faults(self, queries: Mapping[str, Query]) -> Iterator[Fault]:
        """Yield what fails in every run, in fields of SQL that can be bound."""
        yield from self._no_conditions()
        asked = [(at, form) for at, form in self._forms if _CONSTANTS.search(_value_at(self.node, at))]
        if not asked or self._constants_fault(*queries.values()) is None:
            return
        for at, form in asked:
            if form == "query":
                fault = self._constants_fault(*queries.values())
            elif len(self._relations) == 1:
                formula = self._relations[0].formula(_value_at(self.node, at), aggregates=True)
                fault = self._constants_fault(self._relations[0].select(name_as(formula, "value")))
            else:
                fault = None
            if fault is not None:
                yield at, fault

    def _constants_fault(self, *queries: Query) -> AirloomError | None:
        from airloom.engine.constants import check_constants

        try:
            for query in queries:
                check_constants(query, self.shapes)
        except AirloomError as error:
            return error
        return None

    def _no_conditions(self) -> Iterator[tuple[str, QueryError]]:
        """Yield the fields that should be conditions and are values of another type."""
        if len(self._relations) != 1:
            return
        relation = self._relations[0]
        for at in [at for at, form in self._forms if form == "condition"]:
            text = _value_at(self.node, at)
            if _COMPARES.search(text) or _fault_of(relation, text, aggregates=False) is not None:
                continue
            found = self.shapes.kinds(relation.select(name_as(relation.formula(text), "value")))
            kind = found[0][1] if found else "BOOLEAN"
            if kind not in ("BOOLEAN", '"NULL"'):
                hint = "compare it, as in amount > 0 or status = 'paid'"
                yield at, QueryError(f"a condition is true or false; this is {kind}", hint=hint)


def _fault_of(relation: Relation, text: str, *, aggregates: bool) -> AirloomError | None:
    try:
        relation.formula(text, aggregates=aggregates)
    except AirloomError as error:
        return error
    return None


def _value_at(node: Node, at: str) -> Any:
    value: Any = node
    for part in (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]):
        if isinstance(value, Mapping):
            value = value[part]
        elif isinstance(value, list | tuple):
            value = value[int(part)]
        else:
            value = getattr(value, part)
    return value
