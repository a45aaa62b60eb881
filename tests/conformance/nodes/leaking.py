"""A node type that says whatever its Connection holds, in each way that a node can say something."""

from __future__ import annotations

import logging
from typing import Any, Literal

from airloom.engine.child import run_in_child
from airloom.nodes.sdk import Action, Columns, ConnectionId, Context
from airloom.spec.error import DataError

Postgres = ConnectionId["postgres"]


def _texts(connection: Any) -> list[str]:
    fields = (connection.password, connection.extra, connection.host, connection.login, connection.get_uri())
    return [str(field) for field in fields]


def _say(texts: list[str]) -> None:
    for text in texts:
        logging.getLogger("some.driver").warning("in the child: %s", text)
    raise RuntimeError(f"in the child: {texts}")


class Leak(Action):
    """Say what a Connection holds."""

    connection: Postgres = "leaky"
    how: Literal["error", "data", "child", "value", "large", "columns"] = "error"
    text: str = ""

    def describe(self, context: Context) -> Columns | None:
        """Say it when the columns are asked for."""
        if self.how == "columns":
            raise ValueError(f"no columns by {_texts(context.connection(self.connection))}")
        return None

    def run(self, context: Context) -> dict[str, Any]:
        """Say it in the log, as progress, and then by an error or by the value that is given."""
        connection = context.connection(self.connection)
        texts = _texts(connection)
        for text in texts:
            context.log.info("it is %s", text)
            context.emit({"progress": text})
            logging.getLogger("some.driver").warning("connecting to %s", text)
        try:
            raise ValueError(f"no way to {texts}")
        except ValueError as error:
            logging.getLogger("some.driver").exception("this failed")
            if self.how == "error":
                raise KeyError(texts[0]) from error
            if self.how == "data":
                raise DataError(f"{texts}", field=texts[0], hint=texts[0]) from error
        if self.how == "child":
            run_in_child(_say, texts, timeout=60)
        return {"texts": texts * (500 if self.how == "large" else 1), texts[0]: 1}
