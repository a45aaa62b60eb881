"""How the nodes of DAG runs ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from airloom.store.records import NodeRun
from airloom.store.tables import NodeRunRow


class NodeRuns:
    """Read and write how nodes ended, run by run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, dag_id: str, run_id: str, runs: Sequence[NodeRun]) -> None:
        """Keep how the nodes of a DAG run ended, in place of what was kept of it: a cleared run ends again."""
        with self._engine.begin() as connection:
            connection.execute(delete(NodeRunRow).where(NodeRunRow.dag_id == dag_id, NodeRunRow.run_id == run_id))
            if runs:
                connection.execute(insert(NodeRunRow).on_conflict_do_nothing(), [asdict(run) for run in runs])

    def of(self, dag_id: str, run_id: str) -> list[NodeRun]:
        """Return how the nodes of a DAG run ended, by node and index path."""
        query = (
            select(NodeRunRow)
            .where(NodeRunRow.dag_id == dag_id, NodeRunRow.run_id == run_id)
            .order_by(NodeRunRow.node, NodeRunRow.index_path)
        )
        with self._engine.connect() as connection:
            return [NodeRun(**row._mapping) for row in connection.execute(query)]

    def remove(self, dag_id: str, run_id: str) -> None:
        """Forget how the nodes of a DAG run ended."""
        with self._engine.begin() as connection:
            connection.execute(delete(NodeRunRow).where(NodeRunRow.dag_id == dag_id, NodeRunRow.run_id == run_id))
