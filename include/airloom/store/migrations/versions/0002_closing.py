"""Let an archived pipeline be served until its runs have ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("pipelines", sa.Column("closing", sa.Boolean, server_default=sa.false(), nullable=False))
