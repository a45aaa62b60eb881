"""Name the items of loops by an index path, where the index of a mapped task stood."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.alter_column(
        "node_runs",
        "map_index",
        new_column_name="index_path",
        type_=sa.Text,
        server_default="",
        postgresql_using="case when map_index < 0 then '' else map_index::text end",
    )
