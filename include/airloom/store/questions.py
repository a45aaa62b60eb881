"""Questions to the worker, which alone opens Connections: a row each, with the answer in it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from airloom.store.outbox import Outbox
from airloom.store.tables import QuestionRow

LOOK = 0.05
"""Seconds between two looks for an answer."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""Whoever asked so long ago is gone."""


class Questions:
    """Ask, and answer."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine
        self._outbox = outbox

    def ask(self, kind: str, question: Any, *, timeout: float) -> Any | None:
        """Return the answer to an event of this kind, a JSON value, or None where none comes in `timeout` seconds."""
        with self._engine.begin() as connection:
            connection.execute(delete(QuestionRow).where(QuestionRow.asked_at < func.now() - FORGOTTEN_AFTER))
            added = insert(QuestionRow).values(question=question).returning(QuestionRow.id)
            identifier = connection.execute(added).scalar_one()
        try:
            self._outbox.enqueue(kind, {"question": identifier})
            return self._wait(identifier, time.monotonic() + timeout)
        finally:
            with self._engine.begin() as connection:
                connection.execute(delete(QuestionRow).where(QuestionRow.id == identifier))

    def get(self, identifier: int) -> Any | None:
        """Return a question, or None where nobody waits for its answer."""
        with self._engine.connect() as connection:
            asked = select(QuestionRow.question).where(QuestionRow.id == identifier)
            return connection.execute(asked).scalar_one_or_none()

    def answer(self, identifier: int, answer: Any) -> None:
        """Answer a question, if somebody waits."""
        with self._engine.begin() as connection:
            connection.execute(update(QuestionRow).where(QuestionRow.id == identifier).values(answer=answer))

    def _wait(self, identifier: int, deadline: float) -> Any | None:
        query = select(QuestionRow.answer).where(QuestionRow.id == identifier)
        while True:
            with self._engine.connect() as connection:
                answer = connection.execute(query).scalar_one_or_none()
            if answer is not None or time.monotonic() > deadline:
                return answer
            time.sleep(LOOK)
