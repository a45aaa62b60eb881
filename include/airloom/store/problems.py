"""Problems that keep a file of the drop folder from being served, as the bundle shows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Engine, Row, or_, select
from sqlalchemy.dialects.postgresql import insert

from airloom.spec.problem import Problem
from airloom.store.records import StoredProblems
from airloom.store.revision import raise_revision
from airloom.store.tables import PipelineRow, ProblemsRow

FOLDER = "drop folder"
"""The path under which the problems of the folder itself are kept; no file has it, for it lacks a suffix."""


class Problems:
    """Read and write the problems of paths."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set(self, path: str, problems: Sequence[Problem], pipeline: str | None = None) -> bool:
        """Show problems under a path in place of those it had; return whether they differ, which raises a revision."""
        if not problems:
            raise ValueError("clear is what resolves a path's problems")
        values = {"pipeline": pipeline, "problems": [problem.to_json() for problem in problems], "resolved": False}
        return self._change(path, values)

    def clear(self, path: str) -> bool:
        """Resolve the problems of a path; return whether it had some (and a revision was raised)."""
        return self._change(path, {"pipeline": None, "problems": [], "resolved": True})

    def all(self) -> list[StoredProblems]:
        """Return the problems that are not resolved, by path."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(ProblemsRow).where(~ProblemsRow.resolved).order_by(ProblemsRow.path)).all()
        return [stored_problems(row) for row in rows]

    def page(
        self, *, ids: Collection[str] | None = None, after: str | None = None, limit: int = 100
    ) -> list[StoredProblems]:
        """Return the problems of paths, by path: the first, or those behind the path `after`.

        Where `ids` are not None, those are left out that concern a pipeline which is not among them, by the id that the
        file declares or as the one that comes from it; and those of the folder itself, which name files of all.
        """
        query = select(ProblemsRow).where(~ProblemsRow.resolved)
        if ids is not None:
            concerned = or_(PipelineRow.id == ProblemsRow.pipeline, PipelineRow.path == ProblemsRow.path)
            others = select(PipelineRow.id).where(concerned, PipelineRow.id.not_in(list(ids))).exists()
            query = query.where(ProblemsRow.path != FOLDER, ~others)
        if after is not None:
            query = query.where(ProblemsRow.path > after)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(ProblemsRow.path).limit(limit)).all()
        return [stored_problems(row) for row in rows]

    def count(self, paths: Collection[str]) -> dict[str, int]:
        """Return how many problems each of these paths has; those that have none are left out."""
        if not paths:
            return {}
        query = select(ProblemsRow.path, ProblemsRow.problems)
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(~ProblemsRow.resolved, ProblemsRow.path.in_(list(paths)))).all()
        return {row.path: len(row.problems) for row in rows}

    def _change(self, path: str, values: dict[str, Any]) -> bool:
        def unchanged() -> bool:
            row = connection.execute(select(ProblemsRow).where(ProblemsRow.path == path)).one_or_none()
            if row is None:
                return bool(values["resolved"])
            return all(getattr(row, field) == value for field, value in values.items())

        with self._engine.connect() as connection:
            # Asked without the counter's lock first, which every publisher waits for.
            with connection.begin():
                if unchanged():
                    return False
            with connection.begin() as transaction:
                revision = raise_revision(connection)
                if unchanged():
                    transaction.rollback()
                    return False
                row = {"file_name": problem_file_name(path), "revision": revision, **values}
                connection.execute(
                    insert(ProblemsRow)
                    .values(path=path, **row)
                    .on_conflict_do_update(index_elements=[ProblemsRow.path], set_=row)
                )
        return True


def problem_file_name(path: str) -> str:
    """Return the name of the bundle's file for the problems of a path; different paths get different names."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")[:80] or "folder"
    return f"{readable}-{hashlib.sha256(path.encode()).hexdigest()[:10]}.py"


def stored_problems(row: Row[*tuple[Any, ...]]) -> StoredProblems:
    """Return the problems that a row of the table holds."""
    problems = [Problem.from_json(problem) for problem in row.problems]
    return StoredProblems(row.path, row.file_name, row.pipeline, problems, row.revision)
