"""Connections, as far as advice goes: what one may be called, and how it is made."""

from __future__ import annotations

CONNECTION_NAME = r"[A-Za-z0-9_.-]{1,250}"


def how_to_make(name: str, kind: str | None = None) -> str:
    """Return what to do where there is no Connection of a name, of a type where that is known."""
    return (
        f"make it: airloom connection add {name} --type {kind or 'TYPE'}; or in Airflow under Admin, Connections; "
        f"or set AIRFLOW_CONN_{name.upper()}"
    )
