"""A faulty configuration as it may be meant, so that what depends on it can be checked, too."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from airloom.spec.fault import descends, meant_field, meant_value, path_in


def as_meant(
    given: dict[str, Any], faults: Iterable[Any], model: type[BaseModel]
) -> tuple[dict[str, Any], bool] | None:
    """Return a configuration without the faults that Pydantic has found in it, and whether it may be meant so.

    What a message proposes is put in the place of what is wrong; what has no such proposal is left out, and then it is
    not what is meant. None is returned where neither is possible.
    """
    changed = copy.deepcopy(given)
    sure = True
    renamed: set[tuple[str | int, ...]] = set()
    for fault in sorted(faults, key=lambda fault: fault["type"] == "missing"):
        *inside, last = fault["loc"] or ("",)
        path = path_in(given, inside)
        holder = _at(changed, path)
        if fault["type"] == "extra_forbidden":
            value = holder.pop(last, None) if isinstance(holder, dict) else None
            near = meant_field(fault, model, given)
            if near is None or near in holder:
                sure = False
                continue
            if str(last).startswith(f"{near}:"):
                value = str(last).partition(":")[2]  # YAML's `to:kept`, without the space
            downwards = descends(str(last), value) if near == "descending" else None
            holder[near] = value if downwards is None else downwards
            renamed.add((*inside, near))
        elif fault["type"] == "missing":
            if fault["loc"] in renamed:
                continue
            sure = False
            if not _left_out(changed, path):
                return None
        else:
            path = path_in(given, fault["loc"])
            if fault["type"] == "union_tag_invalid":
                path.append(fault["ctx"]["discriminator"].strip("'"))
            meant = meant_value(fault, model, given)
            if meant is not None and path:
                holder = _at(changed, path[:-1])
                if holder is not None:
                    holder[path[-1]] = meant
                continue
            sure = False
            if not _left_out(changed, path):
                return None
    return changed, sure


def _at(value: Any, path: list[str | int]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _left_out(value: Any, path: list[str | int]) -> bool:
    """Leave a value out, unless others would take its place, as in a list."""
    holder = _at(value, path[:-1]) if path else None
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
        return True
    return holder is None and bool(path)
