"""Let a task ask which part of its pipeline its run is to do, and with which outputs of another run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

# The rights of the function's owner are used, so its search path is fixed: a caller's own tables must not be met.
FUNCTION = """
create function airloom_run_reuse(dag_id text, run_id text) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select runs.reuse from public.runs where runs.pipeline = $1 and runs.run_id = $2
$$
"""
NAME = "airloom_run_reuse(text, text)"

MAY_ASK = """
select grantee::regrole::text from pg_proc, aclexplode(proacl)
where oid = 'public.airloom_run_started(text, text)'::regprocedure and grantee <> 0 and grantee <> proowner
"""


def upgrade() -> None:
    roles = list(op.get_bind().execute(sa.text(MAY_ASK)).scalars())
    op.execute(FUNCTION)
    op.execute(f"revoke all on function {NAME} from public")
    for role in roles:
        op.execute(f"grant execute on function {NAME} to {role}")
