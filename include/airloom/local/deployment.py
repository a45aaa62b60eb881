"""A deployment of several machines: its secrets are checked, then its databases made, from its variables alone.

Run as a module: `check` before anything starts, `prepare` when PostgreSQL answers.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Mapping

from airloom.local.databases import Databases, make_owned_databases
from airloom.local.installation import USER
from airloom.spec.error import AirloomError, ConfigurationError

SECRETS = (
    "POSTGRES_PASSWORD",
    "AIRFLOW_DATABASE_PASSWORD",
    "AIRLOOM_DATABASE_PASSWORD",
    "AIRLOOM_TASK_DATABASE_PASSWORD",
    "WAREHOUSE_DATABASE_PASSWORD",
    "REDIS_PASSWORD",
    "MINIO_PASSWORD",
    "FERNET_KEY",
    "JWT_SECRET",
    "API_SECRET_KEY",
    "ADMIN_PASSWORD",
)
SHORTEST = 16
# Signing keys of HS512 are weaker than the signature where they are shorter.
SHORTEST_OF = {"JWT_SECRET": 32, "API_SECRET_KEY": 32}
FEWEST_CHARACTERS = 8
"""Different characters of a secret: a word, a date or a repeated key has fewer."""


def check(variables: Mapping[str, str]) -> None:
    """Raise ConfigurationError that names every secret which is missing, weak or used twice; it shows none of them."""
    faults = {name: fault for name in SECRETS if (fault := _fault(name, variables.get(name, "")))}
    first: dict[str, str] = {}
    for name in SECRETS:
        if name not in faults and (other := first.setdefault(variables[name], name)) != name:
            faults[name] = f"is the same as {other}"
    if faults:
        listed = "".join(f"\n  {name} {fault}" for name, fault in faults.items())
        raise ConfigurationError(
            f"The secrets of this deployment can't be used:{listed}",
            hint="Write them into the file .env; docker/make-env makes one with new ones",
        )


def prepare(variables: Mapping[str, str]) -> None:
    """Bring the databases of a deployment to this version; make the first user and the Connection `warehouse`.

    Needs the URLs of the server's superuser (ADMINISTRATOR_DATABASE_URL), of Airflow's database, the store, the store
    as tasks see it, and the warehouse, and ADMIN_PASSWORD. May be repeated: passwords become those of the URLs; that of
    the first user is kept.
    """
    from sqlalchemy.engine import make_url

    from airloom.dags.preparation import prepare as prepare_airflow
    from airloom.store.migrate import ensure_task_role, migrate

    administrator = variables["ADMINISTRATOR_DATABASE_URL"]
    where = Databases(
        variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        variables["AIRLOOM_DATABASE_URL"],
        variables["WAREHOUSE_DATABASE_URL"],
    )
    make_owned_databases(administrator, where)
    migrate(where.store)
    beside = make_url(administrator).set(database=make_url(where.store).database)
    task = make_url(variables["AIRLOOM_TASK_DATABASE_URL"])
    ensure_task_role(beside.render_as_string(hide_password=False), str(task.password), task.username)
    prepare_airflow(USER, variables["ADMIN_PASSWORD"], where.warehouse)


def _fault(name: str, secret: str) -> str | None:
    shortest = SHORTEST_OF.get(name, SHORTEST)
    if not secret:
        return "is missing"
    # They stand in URLs, where other characters would end a password.
    if not re.fullmatch(r"[A-Za-z0-9_.~=-]+", secret):
        return "holds other characters than letters, digits and _ . ~ = -"
    if name == "FERNET_KEY" and not _is_fernet_key(secret):
        return "is not a Fernet key: 32 random bytes in URL-safe Base64"
    if len(secret) < shortest:
        return f"is shorter than {shortest} characters"
    if len(set(secret)) < FEWEST_CHARACTERS:
        return "is too easy to guess"
    return None


def _is_fernet_key(secret: str) -> bool:
    try:
        return len(base64.b64decode(secret, altchars=b"-_", validate=True)) == 32
    except binascii.Error:
        return False


def main(arguments: list[str]) -> int:
    """Do what the first argument names, with this process's variables; return the exit code."""
    try:
        {"check": check, "prepare": prepare}[arguments[0]](os.environ)
    except AirloomError as error:
        print(error.message, error.hint or "", sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
