"""Let a task say one thing by each function, in place of any event by one for all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# The rights of the functions' owner are used, so their search path is fixed: a caller's own tables must not be met.
# Keys and payloads are as `airloom.worker.runs` has them.
FUNCTION = """
create function airloom_{kind}(dag_id text, run_id text{more}) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(dag_id, '') = '' or coalesce(run_id, '') = '' or length(dag_id) > 250 or length(run_id) > 250 then
    raise exception 'the ids of a DAG and of a run have 1 to 250 characters' using errcode = '22023';
  end if;
  if {state} is null or {state} not in ({states}) then
    raise exception 'the state of such a run is one of {named}' using errcode = '22023';
  end if;
  insert into public.outbox (kind, payload, key, deduplication)
  values (
    '{kind}', json_build_object('dag_id', dag_id, 'run_id', run_id, 'state', {state}),
    'run ' || dag_id || ' ' || run_id, '{kind} ' || dag_id || ' ' || run_id
  )
  on conflict (deduplication) where claimed_by is null do nothing;
end
$$
"""

MAY_SAY = """
select grantee::regrole::text from pg_proc, aclexplode(proacl)
where oid = 'public.airloom_event(text, jsonb)'::regprocedure and grantee <> 0 and grantee <> proowner
"""


def upgrade() -> None:
    started = {"kind": "run_started", "more": "", "state": "'running'", "states": "'running'", "named": "running"}
    ended = {"kind": "run_ended", "more": ", state text", "state": "state", "states": "'success', 'failed'",
             "named": "success, failed"}  # fmt: skip
    names = {"airloom_run_started(text, text)": started, "airloom_run_ended(text, text, text)": ended}
    roles = list(op.get_bind().execute(sa.text(MAY_SAY)).scalars())
    for name, parts in names.items():
        op.execute(FUNCTION.format(**parts))
        op.execute(f"revoke all on function {name} from public")
        for role in roles:
            op.execute(f"grant execute on function {name} to {role}")
    op.execute("drop function airloom_event(text, jsonb)")
