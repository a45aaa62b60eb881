"""Keep who may do what, the tokens by which programs act for people, and what a draft was made from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TIME = sa.DateTime(timezone=True)
AUTHORS = ("Airloom Author", "Airloom Code author")


def upgrade() -> None:
    grants = op.create_table(
        "grants",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("object", sa.Text, primary_key=True),
        sa.Column("subject_kind", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("granted_by", sa.Text, nullable=False),
        sa.Column("granted_at", TIME, nullable=False, server_default=sa.func.now()),
    )
    op.create_index("grants_subject", "grants", ["subject_kind", "subject", "kind"])
    # The example pipelines write to it, and whoever makes a first pipeline wants to.
    op.bulk_insert(
        grants,
        [
            {"kind": "connection", "object": "warehouse", "subject_kind": "role", "subject": role, "level": "use",
             "granted_by": "airloom"}
            for role in AUTHORS
        ],
    )  # fmt: skip
    # Whoever made a pipeline before there were grants keeps it.
    op.execute(
        "insert into grants (kind, object, subject_kind, subject, level, granted_by) "
        "select 'pipeline', id, 'user', created_by, 'publisher', 'airloom' from pipelines where source = 'api'"
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("pipelines", sa.JSON),
        sa.Column("tags", sa.JSON),
        sa.Column("created_at", TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", TIME),
        sa.Column("used_at", TIME),
        sa.Column("revoked_at", TIME),
    )
    op.create_index("tokens_user_id", "tokens", ["user_id"])
    op.add_column("drafts", sa.Column("base_version", sa.BigInteger, nullable=False, server_default="0"))
