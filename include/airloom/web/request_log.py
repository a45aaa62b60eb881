"""The log of requests, as lines of JSON or text on standard error: what was asked for, and how it was answered."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.types import Scope

Form = Literal["none", "text", "json"]
Record = Callable[[Scope, int, float, str], None]


def request_log(form: Form) -> Record | None:
    """Return what writes a line for a request by its scope, status, seconds and correlation id; None for no lines.

    A line names the route, not the path: addresses of downloads are secret, and queries may hold what people look for.
    """
    if form == "none":
        return None
    log = logging.Logger("airloom.requests", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)

    def record(scope: Scope, status: int, seconds: float, correlation_id: str) -> None:
        entry: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "error" if status >= 500 else "info",
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", None),
            "pipeline": scope.get("path_params", {}).get("pipeline"),
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "correlation_id": correlation_id,
        }
        if form == "json":
            log.info(json.dumps(entry, ensure_ascii=False))
        else:
            log.info(" ".join(f"{name}={value}" for name, value in entry.items() if value is not None))

    return record
