"""Preparing Airflow's own database for an installation: its schema, the first user, the first Connection.

Run as a module, with the arguments of `prepare` as JSON on standard input.
"""

from __future__ import annotations

import json
import sys


def prepare(user: str, password: str, warehouse: str) -> None:
    """Migrate Airflow's database and make the first user and the Connection `warehouse`, where they are missing.

    Runs in a process of its own whose environment is the installation's: importing Airflow takes seconds and stays.
    `warehouse` is the SQLAlchemy URL of the database.
    """
    from airflow.models.connection import Connection
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils import db
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.engine import make_url

    from airloom.dags.roles import make_roles

    db.upgradedb()
    with get_application_builder() as builder:
        manager = builder.sm
        make_roles(manager)
        manager.sync_roles()
        if manager.find_user(username=user) is None:
            manager.add_user(user, "Airloom", "Admin", f"{user}@localhost", manager.find_role("Admin"), password)
    parts = make_url(warehouse)
    with create_session() as session:
        connection = session.scalar(select(Connection).where(Connection.conn_id == "warehouse"))
        if connection is None:
            connection = Connection(conn_id="warehouse", conn_type="postgres", description="The local warehouse")
            session.add(connection)
        connection.host, connection.port = parts.host, parts.port
        connection.schema, connection.login = parts.database, parts.username
        connection.set_password(str(parts.password))


if __name__ == "__main__":
    prepare(**json.load(sys.stdin))
