"""Node types that an administrator has switched off: no new version may use them."""

from __future__ import annotations

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from airloom.store.tables import SwitchRow


class Switches:
    """Switch node types off and on again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def off(self) -> frozenset[str]:
        """Return the types that are switched off."""
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(select(SwitchRow.type)))

    def switch_off(self, name: str, *, by: str) -> None:
        """Switch a type off."""
        with self._engine.begin() as connection:
            connection.execute(insert(SwitchRow).values(type=name, switched_by=by).on_conflict_do_nothing())

    def switch_on(self, name: str) -> None:
        """Switch a type on."""
        with self._engine.begin() as connection:
            connection.execute(delete(SwitchRow).where(SwitchRow.type == name))
