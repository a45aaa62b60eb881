"""Keep which node types are switched off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "switches",
        sa.Column("type", sa.Text, primary_key=True),
        sa.Column("switched_by", sa.Text, nullable=False),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
