"""The walls of a box, raised by a process around itself for good: files, network, rights, limits, system calls.

Two walls keep files away, each enough alone: an empty file system of its own (namespaces), and Landlock. The filter of
system calls keeps everything else away, and has to stand. So a box stands on any Linux from 5.13 on that allows one of
the two, as root and as an ordinary user, in a container, too.

Imports the standard library alone, for it runs in the box's own interpreter.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from airloom.engine.syscalls import filter_system_calls

NAMESPACES, LANDLOCK, SYSTEM_CALLS = "namespaces", "landlock", "system calls"
WALLS = (NAMESPACES, LANDLOCK, SYSTEM_CALLS)
SCRATCH = 256 << 20
"""Bytes of the folder for temporary files, which a file system of its own has room for; it lies in memory."""
DEVICE = "/dev/null"
_SCRATCH_FOLDER = "/tmp"  # noqa: S108 in the box's own file system

_THREADS = 512
_OPEN_FILES = 256

_NEW_MOUNTS, _NEW_NAMES, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
_NO_SET_UID, _NO_DEVICES, _NO_PROGRAMS, _BIND, _RECURSIVE, _FOLLOWER = 2, 4, 8, 4096, 16384, 1 << 19
_DETACH = 2
_SET_MOUNT, _PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
_AT_RECURSIVE, _READ_ONLY = 0x8000, 1

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP, _SCOPES = 0b11, 0b11
_WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
_SCRATCH_RIGHTS = 0b1_1111 << 1 | 1 << 7 | 1 << 8
_TRUNCATE = 1 << 14

_SET_DEATH_SIGNAL, _SET_DUMPABLE, _KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES = 1, 4, 8, 38
_CAPABILITY_VERSION = 0x20080522
_READ_ANY_FILE = 1 << 2
_OWN_ACCOUNTS, _NOBODY = 0x70000000, 65534

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Bounds:
    """Bound a process: bytes of memory (and of each file that it writes), bytes of addresses, seconds of computing."""

    memory: int
    addresses: int
    seconds: float


@dataclass(frozen=True)
class Rooms:
    """Say what the box may reach: the paths that it may read, and an empty folder to build its file system on."""

    readable: Sequence[str]
    folder: str


class NoBox(Exception):
    """Raise when this system does not offer what a box needs."""


def raise_walls(rooms: Rooms, bounds: Bounds, offered: Sequence[str], parent: int) -> dict[str, str]:
    """Raise every wall of `offered` that can be had around this process; return why each other one is missing.

    The process dies with `parent`. Raises NoBox, with nothing to be run afterwards, where what stands is not a box.
    """
    missing: dict[str, str] = {}
    threads_before = _threads_of_account() if os.getuid() != 0 else 0
    give_way()
    readable = [path for path in rooms.readable if os.path.exists(path)]

    def attempt(wall: str, action: Callable[[], None]) -> None:
        if wall not in offered:
            missing[wall] = "switched off"
            return
        try:
            action()
        except OSError as error:
            missing[wall] = f"{error.strerror or error}"

    attempt(NAMESPACES, lambda: _enter_namespaces(readable, rooms.folder))
    _leave_rights()
    die_with(parent)
    writable = _SCRATCH_FOLDER if NAMESPACES not in missing else None
    attempt(LANDLOCK, lambda: _restrict_files([*readable, *([writable] if writable else [])], writable))
    limit_process(bounds, _THREADS + threads_before)
    attempt(SYSTEM_CALLS, filter_system_calls)
    if SYSTEM_CALLS in missing or {NAMESPACES, LANDLOCK} <= missing.keys() or os.getuid() == 0:
        raise NoBox("; ".join([f"{wall}: {reason}" for wall, reason in missing.items()] or ["root cannot be left"]))
    if writable:
        os.environ.update(TMPDIR=writable, HOME=writable)
    return missing


def give_way() -> None:
    """Let the kernel take this process rather than another one when it is short of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def die_with(parent: int) -> None:
    """Let the kernel end this process when `parent` ends."""
    _control(_SET_DEATH_SIGNAL, 9)
    if os.getppid() != parent:
        os._exit(1)


def limit_process(bounds: Bounds, threads: int | None) -> None:
    """Set the limits of this process: the given bounds, open files, and threads where a number is given."""
    limits = {
        resource.RLIMIT_DATA: bounds.memory,
        resource.RLIMIT_AS: bounds.addresses,
        resource.RLIMIT_FSIZE: bounds.memory,
        resource.RLIMIT_CPU: int(bounds.seconds * (os.cpu_count() or 1)) + 1,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_STACK: 8 << 20,
    }
    if threads is not None:
        limits[resource.RLIMIT_NPROC] = threads
    for kind, wanted in limits.items():
        highest = resource.getrlimit(kind)[1]
        value = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
        resource.setrlimit(kind, (value, value))


# A file system, a network and processes' messages of its own


def _enter_namespaces(readable: Sequence[str], folder: str) -> None:
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_MOUNTS | _NEW_NETWORK | _NEW_IPC | _NEW_NAMES
    _checked(_libc.unshare(flags if user == 0 else flags | _NEW_USER))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount(None, "/", None, _FOLLOWER | _RECURSIVE)
    _mount("tmpfs", folder, "tmpfs", _NO_SET_UID | _NO_DEVICES, "mode=755,size=1m,nr_inodes=10k")
    os.mkdir(folder + _SCRATCH_FOLDER)
    options = f"mode=1777,size={SCRATCH},nr_inodes=10k"
    _mount("tmpfs", folder + _SCRATCH_FOLDER, "tmpfs", _NO_SET_UID | _NO_DEVICES | _NO_PROGRAMS, options)
    # After the scratch folder, for packages may be installed below it.
    for path in _outermost(readable):
        _show(path, folder + path)
    _set_mount(folder, _READ_ONLY)
    os.chdir(folder)
    _call(_PIVOT_ROOT[os.uname().machine], b".", b".")
    # The old root now lies over the new one; where it was, only the new one stays.
    _checked(_libc.umount2(b".", _DETACH))
    os.chdir(_SCRATCH_FOLDER)


def _outermost(paths: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(outer + "/") for outer in kept):
            kept.append(path)
    return kept


def _show(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    _mount(source, target, None, _BIND | _RECURSIVE)
    if source != DEVICE:
        _set_mount(target, _READ_ONLY | _NO_SET_UID | _NO_DEVICES, recursive=True)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    _checked(_libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]))


def _set_mount(path: str, attributes: int, *, recursive: bool = False) -> None:
    request = struct.pack("QQQQ", attributes, 0, 0, 0)
    here = -100
    _call(_SET_MOUNT, here, path.encode(), _AT_RECURSIVE if recursive else 0, request, len(request))


# The account: no capability but that of reading what root may read, and for root another account


def _leave_rights() -> None:
    kept = 0
    if os.getuid() == 0:
        # Which files it may be, the walls say: Python may be installed where only root can read it.
        kept = _READ_ANY_FILE
        _control(_KEEP_CAPABILITIES, 1)
        with contextlib.suppress(OSError):
            os.setgroups([])
        # Nobody else's processes count towards the limit of an account that nobody else has.
        for account in (_OWN_ACCOUNTS + os.getpid(), _NOBODY):
            with contextlib.suppress(OSError):
                os.setresgid(account, account, account)
                os.setresuid(account, account, account)
                break
    for capabilities in (kept, 0):
        with contextlib.suppress(OSError):
            _set_capabilities(capabilities)
            break
    _control(_NO_NEW_PRIVILEGES, 1)
    _control(_SET_DUMPABLE, 0)


def _set_capabilities(capabilities: int) -> None:
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    _checked(_libc.capset(header, struct.pack("6I", capabilities, capabilities, 0, 0, 0, 0)))


def _threads_of_account() -> int:
    """Return how many threads this account has now, in all its processes: a limit counts these, too."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, KeyError, ValueError):
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
            if int(status["Uid"].split()[0]) == os.getuid():
                total += int(status["Threads"])
    return total


# Landlock


def landlock_version() -> int:
    """Return which version of Landlock the kernel has; raise OSError where it has none."""
    return _call(_LANDLOCK_CREATE, None, 0, 1)


def _restrict_files(readable: Sequence[str], writable: str | None) -> None:
    version = landlock_version()
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    parts = [rights, *([_TCP] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"{len(parts)}Q", *parts)
    rules = _call(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    try:
        for path in readable:
            allowed = _READ_FILE | (_READ_FOLDER if os.path.isdir(path) else 0)
            if path == DEVICE:
                allowed |= _WRITE_FILE
            if path == writable:
                allowed = (_SCRATCH_RIGHTS | _TRUNCATE) & rights
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                _call(_LANDLOCK_ADD, rules, 1, struct.pack("<Qi", allowed, opened), 0)
            finally:
                os.close(opened)
        _call(_LANDLOCK_RESTRICT, rules, 0)
    finally:
        os.close(rules)


# Calls of the C library and of the kernel


def _control(option: int, value: int) -> None:
    _checked(_libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))))


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *given))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
