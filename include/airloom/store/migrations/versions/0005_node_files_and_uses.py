"""Keep the text of users' node types, and what each version uses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "node_files",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "uses",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.ForeignKeyConstraint(["pipeline", "version"], ["versions.pipeline", "versions.number"]),
    )
    op.create_index("uses_pipeline_version", "uses", ["pipeline", "version"])
    op.create_index("uses_kind_name", "uses", ["kind", "name"])
