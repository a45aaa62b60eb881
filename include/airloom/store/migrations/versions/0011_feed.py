"""Keep what happens to pipelines and runs for those who watch, in the order in which it becomes visible."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    counter = op.create_table(
        "feed_counter",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "value": 0}])
    op.create_table(
        "feed",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at", TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.CheckConstraint("octet_length(payload::text) <= 4096", "feed_payload_size"),
    )
    op.create_index("feed_at", "feed", ["at"])
    op.create_index("feed_run", "feed", ["pipeline", "run_id", "id"], postgresql_where=sa.text("run_id is not null"))
    # Null of what was there before: nobody watches the past.
    op.add_column("runs", sa.Column("changed_at", TIME))
    op.alter_column("runs", "changed_at", server_default=sa.text("clock_timestamp()"))
    op.create_index("runs_changed_at", "runs", ["changed_at"])
