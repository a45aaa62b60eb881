"""A Docker engine, as far as containers of nodes go: each is walled in, labelled, and leaves nothing behind.

Files go in and out by the engine's archive calls and two volumes, so the engine may run on another machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import signal
import tarfile
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from airloom.engine import box
from airloom.engine.child import MemoryExceeded
from airloom.nodes.context import RunFacts
from airloom.spec.configuration import configuration
from airloom.spec.error import AirloomError, ConfigurationError, DataError, SystemFault, TransientError

IN, OUT = "/airloom/in", "/airloom/out"
"""Where a container finds what comes in, to read alone, and where it puts what goes out."""
SCRATCH = f"{box.SCRATCH}container-"
"""What the names of the folders begin with that files are put together in."""
LABEL = "airloom."
TLS = {"ca_cert", "client_cert", "client_key"}
SAME_WORK = [LABEL + name for name in ("pipeline", "run", "node", "index")]
GRACE = 600
"""Seconds beyond its time limit after which a container is nobody's."""
MOST_PROCESSES = 512
KILLED = 128 + signal.SIGKILL
"""The exit code of a program that was killed."""
TEMPORARY = {"/tmp": "rw,nosuid,nodev,size=256m,mode=1777"}  # noqa: S108 in the container
IS_UP = "is it up, and does the extra of the Connection name it?"
_LOOK = 0.3
_MOST_LINES, _LONGEST_LINE = 1000, 2000
_GIVEN = 0o444
_TAKEN = 0o1777


class ContainerFailed(SystemFault):
    """Raise when a container ended with another exit code than 0, or took too long; another attempt may end well."""

    code = "container"


@dataclass(frozen=True)
class Walls:
    """Say what a container may take: `network` is the name of one of the engine's networks, or none."""

    user: str
    memory: int
    cpus: float
    seconds: float
    network: str


@dataclass(frozen=True)
class Ran:
    """Say how a container ended that ended well."""

    image: str
    seconds: float


@contextlib.contextmanager
def opened(connection: Any) -> Iterator[Engine]:
    """Give the engine that a Connection of type docker names in its extra; every fault of it becomes one of ours."""
    # The hook raises it, and it has no address of its own that nodes may import.
    from airflow.providers.docker.hooks.docker import AirflowException, DockerHook  # type: ignore[attr-defined]

    url, tls = connection.extra_dejson.get("engine"), connection.extra_dejson.get("tls")
    if not url:
        raise ConfigurationError(
            f"the Connection {connection.conn_id!r} names no engine",
            field="connection",
            hint='its extra is to hold it: {"engine": "tcp://docker.internal:2376"}, or unix:///var/run/docker.sock',
        )
    if tls and (not isinstance(tls, dict) or set(tls) != TLS):
        hint = f"its extra holds {', '.join(sorted(TLS))}, each the path of a file"
        raise ConfigurationError("the tls of the Connection cannot be read", field="connection", hint=hint)
    with _understood():
        # Its Connection would be looked up in Airflow, which a try has not; and its log-in would be everybody's.
        config = DockerHook.construct_tls_config(**tls) if tls else None
        try:
            client = DockerHook(docker_conn_id=None, base_url=url, version="auto", tls=config).api_client
        except AirflowException as error:
            raise TransientError(f"the Docker engine does not answer: {error}", hint=IS_UP) from None
        try:
            yield Engine(client, connection)
        finally:
            client.close()


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    from docker.errors import APIError, DockerException, ImageNotFound
    from requests.exceptions import RequestException

    try:
        yield
    except AirloomError:
        raise
    except ImageNotFound as error:
        raise ConfigurationError(f"the image cannot be had: {_said(error)}", field="image") from None
    except APIError as error:
        if error.status_code is not None and error.status_code < 500:
            raise ConfigurationError(f"the Docker engine refuses: {_said(error)}") from None
        raise TransientError(f"the Docker engine failed: {_said(error)}") from None
    except (DockerException, RequestException) as error:
        raise TransientError(f"the Docker engine does not answer: {error}", hint=IS_UP) from None


def _said(error: Any) -> str:
    return str(error.explanation or error)[:500]


def labels_of(run: RunFacts, seconds: float) -> dict[str, str]:
    """Return the labels of what is made for a node of a run, by which it is found again."""
    facts = {
        "installation": installation(),
        "pipeline": run.pipeline,
        "run": run.run_id,
        "node": run.node,
        "index": run.index,
        "attempt": str(run.attempt),
        "until": str(int(time.time() + seconds + GRACE)),
    }
    return {LABEL + name: value for name, value in facts.items()}


def installation() -> str:
    """Return what tells this installation from others that use the same engine."""
    return hashlib.sha256(configuration().data_url.encode()).hexdigest()[:16]


class Engine:
    """Talk to one Docker engine."""

    def __init__(self, client: Any, connection: Any) -> None:
        self._client = client
        self._connection = connection

    # What others left

    def remove_left(self, labels: Mapping[str, str]) -> None:
        """Remove what earlier attempts of the same work left, and what is long beyond its time."""
        for item in self._ours():
            theirs = item["labels"]
            same = all(
                theirs.get(LABEL + name) == labels[LABEL + name] for name in ("pipeline", "run", "node", "index")
            )
            # Tries have no attempts: another one of the same document may be at work.
            earlier = (
                same and labels[LABEL + "run"] != "try" and _number(theirs, "attempt") < _number(labels, "attempt")
            )
            if earlier or _number(theirs, "until") < time.time():
                self._remove(item)

    def remove_of_run(self, pipeline: str, run_id: str) -> int:
        """Remove what a run that has ended left; return how many containers and volumes that were."""
        wanted = {LABEL + "pipeline": pipeline, LABEL + "run": run_id}
        left = [item for item in self._ours() if wanted.items() <= item["labels"].items()]
        for item in left:
            self._remove(item)
        return len(left)

    def _ours(self) -> list[dict[str, Any]]:
        filters = {"label": f"{LABEL}installation={installation()}"}
        containers = self._client.containers(all=True, filters=filters)
        volumes = self._client.volumes(filters=filters)["Volumes"] or []
        return [
            *({"container": container["Id"], "labels": container["Labels"]} for container in containers),
            *({"volume": volume["Name"], "labels": volume["Labels"] or {}} for volume in volumes),
        ]

    def _remove(self, item: Mapping[str, Any]) -> None:
        from docker.errors import APIError

        try:
            if "container" in item:
                self._client.remove_container(item["container"], v=True, force=True)
            else:
                self._client.remove_volume(item["volume"], force=True)
        except APIError as error:
            # It is gone, or somebody else is removing it: whoever looks next takes what may be left.
            if error.status_code not in (404, 409):
                raise

    # One container

    def provide(self, image: str, pull: str) -> None:
        """See to it that the engine has an image: `pull` is missing, always or never."""
        from docker.errors import ImageNotFound

        if pull != "always":
            try:
                self._client.inspect_image(image)
            except ImageNotFound:
                if pull == "never":
                    hint = "give it to the engine, or let pull be missing"
                    raise ConfigurationError(f"the engine has no image {image!r}", field="image", hint=hint) from None
            else:
                return
        host, login = self._connection.host, self._connection.login
        known = {"username": login, "password": self._connection.password} if host and login else None
        # What signs in goes to its own registry alone.
        mine = known is not None and image.startswith(f"{host}/")
        for line in self._client.pull(image, stream=True, decode=True, auth_config=known if mine else None):
            if "error" in line:
                raise ConfigurationError(f"the image {image!r} cannot be pulled: {line['error']}", field="image")

    def run(
        self,
        image: str,
        command: list[str],
        environment: Mapping[str, str],
        walls: Walls,
        labels: Mapping[str, str],
        files: Mapping[str, Path],
        wanted: Mapping[str, Path],
        limit: int,
        log: logging.Logger,
    ) -> Ran:
        """Run a container with files in `IN`, and take the wanted ones of `OUT` to their paths, `limit` bytes in all.

        Raises ContainerFailed, MemoryExceeded, DataError for a wanted file that is not there.
        """
        created: list[dict[str, str]] = []
        try:
            volumes = [self._client.create_volume(labels=dict(labels))["Name"] for _ in (IN, OUT)]
            created += [{"volume": name} for name in volumes]
            self._fill(image, volumes, labels, files, created)
            container = self._client.create_container(
                image,
                command or None,
                environment=dict(environment),
                user=walls.user,
                labels=dict(labels),
                host_config=self._host_config(volumes, walls),
            )["Id"]
            created.append({"container": container})
            started = time.monotonic()
            self._run_to_end(container, walls, log)
            seconds = time.monotonic() - started
            for name, path in wanted.items():
                limit -= self._take(container, name, path, limit)
            return Ran(image, round(seconds, 3))
        finally:
            # Containers first: a volume that one uses stays.
            for item in reversed(created):
                self._remove(item)

    def _fill(
        self,
        image: str,
        volumes: list[str],
        labels: Mapping[str, str],
        files: Mapping[str, Path],
        created: list[dict[str, str]],
    ) -> None:
        """Put the files into the volume that is then mounted to be read: by a container that never starts."""
        mounts = [_mount(place, volume) for place, volume in zip((IN, OUT), volumes, strict=True)]
        config = self._client.create_host_config(mounts=mounts, network_mode="none")
        helper = self._client.create_container(image, ["-"], labels=dict(labels), host_config=config)["Id"]
        created.append({"container": helper})
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for name, path in files.items():
                    tar.add(path, name, recursive=False, filter=_as_given)
            archive.seek(0)
            self._client.put_archive(helper, IN, archive)
        # Whoever the container runs as may write there; a folder is an entry of an archive for its parent alone.
        self._client.put_archive(helper, str(PurePosixPath(OUT).parent), _open_folder())
        self._remove(created.pop())

    def _host_config(self, volumes: list[str], walls: Walls) -> Any:
        return self._client.create_host_config(
            mounts=[_mount(IN, volumes[0], read_only=True), _mount(OUT, volumes[1])],
            network_mode=walls.network,
            mem_limit=walls.memory,
            memswap_limit=walls.memory,
            nano_cpus=int(walls.cpus * 1_000_000_000),
            pids_limit=MOST_PROCESSES,
            privileged=False,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs=TEMPORARY,
            ipc_mode="private",
            log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
        )

    def _run_to_end(self, container: str, walls: Walls, log: logging.Logger) -> None:
        tail: deque[str] = deque(maxlen=5)
        deadline = time.monotonic() + walls.seconds
        self._client.start(container)
        reader = threading.Thread(target=self._tell, args=(container, tail, log), daemon=True)
        reader.start()
        while (state := self._client.inspect_container(container)["State"])["Status"] not in ("exited", "dead"):
            if time.monotonic() > deadline:
                raise ContainerFailed(
                    f"the container took longer than {walls.seconds:g} seconds and was stopped",
                    field="timeout",
                    hint="give it less to do, or raise the node's timeout",
                )
            time.sleep(_LOOK)
        reader.join(5)
        if state.get("OOMKilled"):
            raise MemoryExceeded(
                f"the container needed more than its {walls.memory:,} bytes of memory",
                field="memory",
                hint="give it less to do, or raise the node's memory",
            )
        if state["ExitCode"] == KILLED:
            # The engine does not always see that it was the memory.
            message = f"the container was killed: from outside, or it needed more than its {walls.memory:,} bytes"
            raise ContainerFailed(message, field="memory", hint="raise the node's memory, or look at the engine's log")
        if state["ExitCode"] != 0:
            said = f": {' / '.join(tail)}" if tail else ""
            hint = "what it wrote is in the log"
            raise ContainerFailed(f"the container ended with exit code {state['ExitCode']}{said}", hint=hint)

    def _tell(self, container: str, tail: deque[str], log: logging.Logger) -> None:
        """Log what a container writes, up to a bound."""
        number, rest = 0, b""
        # The container may be removed, or the engine go, while it is read.
        with contextlib.suppress(Exception):
            for piece in self._client.logs(container, stream=True, follow=True):
                *lines, rest = (rest + piece).split(b"\n")
                rest = rest[-_LONGEST_LINE:]
                for line in lines:
                    number += 1
                    _log_line(line, number, tail, log)
            if rest:
                _log_line(rest, number + 1, tail, log)
        if number > _MOST_LINES:
            log.info("container: … %d more lines are left out", number - _MOST_LINES)

    def _take(self, container: str, name: str, path: Path, limit: int) -> int:
        """Copy a file of the container that has ended; return its bytes. Whatever else it may be, it is refused."""
        from docker.errors import NotFound

        try:
            pieces, _ = self._client.get_archive(container, f"{OUT}/{name}")
        except NotFound:
            hint = f"the container is to write {OUT}/{name}"
            raise DataError(f"the container left no {name}", field=_field_of(name), hint=hint) from None
        with contextlib.closing(pieces), tarfile.open(fileobj=_Stream(iter(pieces)), mode="r|") as archive:
            entry = archive.next()
            content = archive.extractfile(entry) if entry is not None and entry.isreg() else None
            if entry is None or content is None:
                raise DataError(f"what the container left as {name} is no plain file", field=_field_of(name))
            if entry.size > limit:
                hint = "let it write less, or raise the node's output_limit"
                raise DataError(f"{name} has {entry.size:,} bytes, beyond the limit", field="output_limit", hint=hint)
            with path.open("wb") as file:
                while piece := content.read(1 << 20):
                    file.write(piece)
            return entry.size


class _Stream(io.RawIOBase):
    """Read the pieces of an answer as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while (size < 0 or len(self._rest) < size) and (piece := next(self._pieces, b"")):
            self._rest += piece
        piece = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(piece) :]
        return piece


def _mount(place: str, volume: str, *, read_only: bool = False) -> Any:
    from docker.types import Mount

    return Mount(place, volume, type="volume", read_only=read_only, no_copy=True)


def _as_given(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = _GIVEN, 0, 0, "", ""
    return entry


def _open_folder() -> IO[bytes]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        folder = tarfile.TarInfo(PurePosixPath(OUT).name)
        folder.type, folder.mode = tarfile.DIRTYPE, _TAKEN
        tar.addfile(folder)
    archive.seek(0)
    return archive


def _field_of(name: str) -> str:
    return "output_tables" if name.endswith(".parquet") else "output_values"


def _log_line(line: bytes, number: int, tail: deque[str], log: logging.Logger) -> None:
    text = line.decode(errors="replace")[:_LONGEST_LINE]
    text = "".join(character if character.isprintable() else " " for character in text).strip()
    if not text:
        return
    tail.append(text[:200])
    if number <= _MOST_LINES:
        log.info("container: %s", text)


def _number(labels: Mapping[str, str], name: str) -> int:
    text = labels.get(LABEL + name, "")
    return int(text) if text.isdigit() else 0
