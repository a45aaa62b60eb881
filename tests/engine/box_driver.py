"""Run code in boxes in a process of its own, as another account if asked for: jobs as JSON in, how they ended out."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

NEW_MOUNTS, PRIVATE, RECURSIVE, BIND = 0x20000, 1 << 18, 1 << 14, 1 << 12
NOBODY = 65534


def main() -> None:
    """Do the jobs of standard input: a list of code with `value`, `seconds`, `memory`, `walls`, `boxed`."""
    request = json.load(sys.stdin)
    from airloom.engine import box

    log = logging.getLogger("driver")
    with ThreadPoolExecutor(3) as pool:
        print(json.dumps(list(pool.map(lambda job: done(box, log, job), request))))


def done(box: Any, log: logging.Logger, job: dict[str, Any]) -> dict[str, Any]:
    """Return how one job ended: its result, or the class and text of its error."""
    from airloom.spec.error import AirloomError

    box.walls.WALLS = tuple(job["walls"])
    code = box.Code(job["source"], "run", {}, job["seconds"], job["memory"])
    try:
        return {"result": box.run_value(code, job["value"], log)}
    except AirloomError as error:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint}


def become(account: int) -> None:
    """Become an ordinary account in a process that still finds Python and this project, wherever they lie."""
    needed = [Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[2]]
    closed = {path: [folder for folder in path.parents if not folder.stat().st_mode & 1] for path in needed}
    hidden = {path: folders[-1] for path, folders in closed.items() if folders}
    if hidden:
        open_up(hidden)
    os.setgroups([])
    os.setresgid(account, account, account)
    os.setresuid(account, account, account)


def open_up(hidden: dict[Path, Path]) -> None:
    """Let everybody in this process's own mounts reach paths that lie in closed folders."""
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    checked(libc.unshare(NEW_MOUNTS))
    checked(libc.mount(None, b"/", None, ctypes.c_ulong(PRIVATE | RECURSIVE), None))
    opened = {path: os.open(path, os.O_PATH) for path in hidden}
    for folder in set(hidden.values()):
        checked(libc.mount(b"tmpfs", bytes(folder), b"tmpfs", ctypes.c_ulong(0), b"mode=755"))
    for path, number in opened.items():
        path.mkdir(parents=True, exist_ok=True)
        source = f"/proc/self/fd/{number}".encode()
        checked(libc.mount(source, bytes(path), None, ctypes.c_ulong(BIND | RECURSIVE), None))


if __name__ == "__main__":
    if "--ordinary" in sys.argv:
        become(NOBODY)
        with contextlib.suppress(KeyError):
            del os.environ["HOME"]
        os.execv(sys.executable, [sys.executable, __file__])
    main()
