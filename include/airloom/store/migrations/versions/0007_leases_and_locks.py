"""Let events be held by leases, wait for each other by key, and wake workers; keep locks in rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WAKE_FUNCTION = """
create function airloom_wake() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('airloom_outbox', new.kind);
  return null;
end
$$
"""


def upgrade() -> None:
    for name in ("key", "deduplication", "claimed_by"):
        op.add_column("outbox", sa.Column(name, sa.Text))
    op.add_column("outbox", sa.Column("lease_until", sa.DateTime(timezone=True)))
    op.create_index("outbox_key", "outbox", ["key", "id"], postgresql_where=sa.text("key is not null"))
    op.create_index(
        "outbox_deduplication",
        "outbox",
        ["deduplication"],
        unique=True,
        postgresql_where=sa.text("claimed_by is null"),
    )
    # Events of before know no key; those of one run have waited for each other so far.
    op.execute(
        "update outbox set key = 'run ' || (payload->>'dag_id') || ' ' || (payload->>'run_id') "
        "where kind in ('run_started', 'run_ended')"
    )
    op.execute(WAKE_FUNCTION)
    op.execute("revoke all on function airloom_wake() from public")
    op.execute("create trigger outbox_wake after insert on outbox for each row execute function airloom_wake()")
    # Where this is the first migration of all, the lock that keeps others out of it stands there already.
    op.create_table("locks", sa.Column("name", sa.Text, primary_key=True), if_not_exists=True)
