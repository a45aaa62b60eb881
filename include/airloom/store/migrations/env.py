"""Run Alembic's migrations on the connection that `airloom.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from airloom.store.tables import Base

connection = context.config.attributes["connection"]
# A name of our own: Airflow keeps its own `alembic_version`, and both may live in one database.
context.configure(connection=connection, target_metadata=Base.metadata, version_table="store_schema")
with context.begin_transaction():
    context.run_migrations()
