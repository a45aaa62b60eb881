"""Make the first tables, and the function through which a task leaves an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)

# The rights of the function's owner are used, so its search path is fixed: a caller's own tables must not be met.
EVENT_FUNCTION = """
create function airloom_event(kind text, payload jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if kind is null or kind !~ '^[a-z][a-z0-9_]{0,99}$' then
    raise exception 'the kind of an event is a word of small letters, digits and _' using errcode = '22023';
  end if;
  if payload is null or jsonb_typeof(payload) <> 'object' or octet_length(payload::text) > 1000000 then
    raise exception 'the payload of an event is an object of at most one megabyte' using errcode = '22023';
  end if;
  insert into public.outbox (kind, payload) values (kind, payload::json);
end
$$
"""


def upgrade() -> None:
    revisions = op.create_table(
        "revision",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="revision_has_one_row"),
    )
    op.bulk_insert(revisions, [{"id": 1, "value": 0}])
    op.create_table(
        "pipelines",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.CheckConstraint(
            "source = 'api' and path is null or source = 'file' and path is not null", name="source_path"
        ),
    )
    op.create_index("pipelines_revision", "pipelines", ["revision"])
    op.create_index("pipelines_path", "pipelines", ["path"])
    op.create_table(
        "versions",
        sa.Column("pipeline", sa.Text, sa.ForeignKey("pipelines.id"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False, unique=True),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("plan_hash", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
    )
    op.create_index("versions_pipeline_revision", "versions", ["pipeline", "revision"])
    op.create_table(
        "drafts",
        sa.Column("pipeline", sa.Text, primary_key=True),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text),
        sa.Column("synchronised_at", TIME, nullable=False),
        sa.Column("missing_since", TIME),
    )
    op.create_table(
        "problems",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text),
        sa.Column("problems", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("resolved", sa.Boolean, nullable=False),
    )
    op.create_index("problems_revision", "problems", ["revision"])
    op.create_table(
        "node_runs",
        sa.Column("dag_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("map_index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("fired", sa.JSON, nullable=False),
        sa.Column("outputs", sa.JSON, nullable=False),
        sa.Column("statistics", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("seconds", sa.Float),
        sa.Column("rows", sa.BigInteger),
    )
    op.create_index("node_runs_ended_at", "node_runs", ["ended_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("available_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("attempts", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("outbox_available_at", "outbox", ["available_at"])
    op.execute(EVENT_FUNCTION)
    op.execute("revoke all on function airloom_event(text, jsonb) from public")
