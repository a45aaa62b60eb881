"""The examination of an installation: all that differs from what pipelines need, and what to do."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from airloom.dags import deployment
from airloom.doctor.airflow import examine_airflow, examine_database, examine_parts
from airloom.doctor.finding import Finding, advice, right, without_secrets, wrong
from airloom.doctor.store import examine_store
from airloom.engine.filesystem import open_filesystem
from airloom.spec.configuration import Configuration, configuration
from airloom.spec.error import ConfigurationError

MACHINE, FOLDERS = "machine", "folders"
GIGABYTE = 1_000_000_000
LEAST_DISK, LITTLE_DISK = GIGABYTE, 5 * GIGABYTE
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def examine() -> Iterator[Finding]:
    """Examine this machine, its folders, Airflow and the store, as this process's variables name them."""
    airflow = deployment.settings(["database.sql_alchemy_conn", "core.parallelism", "core.executor"])
    yield from examine_machine(int(airflow["core.parallelism"].value or 1))
    yield from examine_folders(shared="Local" not in (airflow["core.executor"].value or ""))
    yield from examine_airflow()
    server = list(examine_database(airflow["database.sql_alchemy_conn"].value or ""))
    yield from server
    answers = server[0].state != "wrong"
    if answers:
        yield from examine_parts()
    yield from examine_store(airflow_answers=answers)


def examine_machine(parallelism: int) -> Iterator[Finding]:
    """Examine memory, disk and what the kernel offers to box users' code; `parallelism` steps may run at once."""
    from airloom.engine.box import available

    settings = configuration()
    memory, step = _memory(), int(settings.memory_limit)
    text = f"{memory / GIGABYTE:.1f} GB; a table step may use {step / GIGABYTE:.1f} GB"
    lower = "lower AIRLOOM_MEMORY_LIMIT"
    if step > memory:
        yield wrong(MACHINE, "memory", text, lower)
    elif step * parallelism > memory:
        yield advice(MACHINE, "memory", f"{text}, and {parallelism} may run at once", f"{lower}, or core.parallelism")
    else:
        yield right(MACHINE, "memory", text)
    yield from _disks(settings)
    walls = available()
    missing = [f"{wall.name}: {wall.missing}" for wall in walls if wall.missing]
    if not walls:
        text = "this system can't box Python nodes, so they refuse to run"
        yield advice(MACHINE, "box", text, "see docs/python-nodes.md")
    elif missing:
        yield advice(
            MACHINE,
            "box",
            f"Python nodes run in a weaker box, without {'; '.join(missing)}",
            "see docs/python-nodes.md",
        )
    else:
        yield right(MACHINE, "box", "Python nodes run in a box")


def examine_folders(*, shared: bool) -> Iterator[Finding]:
    """Examine the folders that pipelines come from and write to; `shared` says that tasks run on several machines."""
    settings = configuration()
    if "://" in settings.data_url:
        yield _reachable("AIRLOOM_DATA", settings.data_url)
    elif shared:
        text = f"tables between steps lie in {settings.data_url}, which every machine has to share"
        yield advice(FOLDERS, "AIRLOOM_DATA", text, "set it to a URL such as s3://bucket/folder, or mount the folder")
    else:
        yield _writable("AIRLOOM_DATA", Path(settings.data_url))
    for path in settings.allowed_paths:
        if "://" not in path:
            yield _readable("AIRLOOM_PATHS", Path(path))
            yield from _covered(settings, Path(path))
    if "://" in settings.uploads_url and settings.uploads is not None:
        yield _reachable("AIRLOOM_UPLOADS", settings.uploads_url)
    folders = {
        "AIRLOOM_PIPELINES": settings.pipelines_folder,
        "AIRLOOM_NODES": settings.nodes_folder,
        "AIRLOOM_CODE": settings.code_folder,
    }
    for name, folder in folders.items():
        yield _readable(name, folder)


def _covered(settings: Configuration, allowed: Path) -> Iterator[Finding]:
    for folder in settings.protected_folders:
        if folder.resolve().is_relative_to(allowed.resolve()) or allowed.resolve().is_relative_to(folder.resolve()):
            text = f"{allowed} and {folder} lie in each other: pipelines are refused what lies in {folder}"
            yield advice(FOLDERS, "AIRLOOM_PATHS", text, "allow pipelines a folder of its own, such as include/data")


def _disks(settings: Configuration) -> Iterator[Finding]:
    """Examine the disks of the home, of the tables between steps, and of what a step spills, each disk once."""
    data = settings.home_folder if "://" in settings.data_url else Path(settings.data_url)
    uses = (
        ("disk", settings.home_folder, "make room, or set AIRLOOM_HOME to another place"),
        ("disk of tables", data, "make room, or set AIRLOOM_DATA to another place"),
        ("disk of temporary files", Path(tempfile.gettempdir()), "make room, or set TMPDIR to another place"),
    )
    seen = set()
    for name, folder, hint in uses:
        place = _existing(folder)
        disk = place.stat().st_dev
        if disk in seen:
            continue
        seen.add(disk)
        free = shutil.disk_usage(place).free
        text = f"{free / GIGABYTE:.1f} GB are free at {folder}"
        if free < LITTLE_DISK:
            yield (wrong if free < LEAST_DISK else advice)(MACHINE, name, text, hint)
        else:
            yield right(MACHINE, name, text)


def _reachable(name: str, url: str) -> Finding:
    """Ask a remote folder for something that is not there, as a task's first question does."""
    shown = without_secrets(url, url)
    try:
        system, path = open_filesystem(url)
        system.exists(f"{path}/airloom-doctor")
    except ConfigurationError as error:
        return wrong(FOLDERS, name, f"{shown}: {error.message}", str(error.hint))
    except Exception as error:  # noqa: BLE001 each package has errors of its own
        text = f"{shown} does not answer: {without_secrets(str(error), url)}"
        return wrong(FOLDERS, name, text, "docs/operate.md says which variables a bucket needs")
    return right(FOLDERS, name, shown)


def _readable(name: str, folder: Path) -> Finding:
    if not folder.exists():
        return right(FOLDERS, name, f"{folder} is not there yet")
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return wrong(FOLDERS, name, f"{folder} can't be read", "let the user who runs Airflow and the worker read it")
    return right(FOLDERS, name, str(folder))


def _writable(name: str, folder: Path) -> Finding:
    place = _existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return wrong(
            FOLDERS, name, f"{folder} can't be written", "let the user who runs Airflow and the worker write it"
        )
    return right(FOLDERS, name, str(folder))


def _existing(path: Path) -> Path:
    """Return the path, or the nearest one above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def _memory() -> int:
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in CGROUP_LIMITS:
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue  # No such file outside of a container; "max" is not a number.
    return min(limits)
