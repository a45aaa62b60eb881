"""Keep runs: who or what started them, with what, and how they do; and a pipeline's pause and next run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger),
        sa.Column("actor", sa.Text),
        sa.Column("correlation_id", sa.Text),
        sa.Column("trigger", sa.Text),
        sa.Column("event", sa.JSON),
        sa.Column("params", sa.JSON),
        sa.Column("values", sa.JSON),
        sa.Column("reuse", sa.JSON),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("queued_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("seconds", sa.Float),
        sa.Column("rows", sa.BigInteger),
        sa.Column("cost", sa.Float),
    )
    op.create_index("runs_queued_at", "runs", ["queued_at", "pipeline", "run_id"])
    op.create_index("runs_pipeline_queued_at", "runs", ["pipeline", "queued_at", "run_id"])
    op.create_index("runs_state", "runs", ["state", "queued_at"])
    op.add_column("pipelines", sa.Column("paused", sa.Boolean))
    op.add_column("pipelines", sa.Column("next_run_at", TIME))
