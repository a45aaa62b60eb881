"""A stand-in for a Docker engine: its HTTP API as far as containers of nodes need it. It runs no image, but a function.

Whatever it is asked for that no container of a node may have is kept in `faults`.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
Files = dict[str, bytes]


@dataclass
class Ended:
    """Say how a program ended: what it left by the names of the files, and what it wrote."""

    files: Files = field(default_factory=dict)
    code: int = 0
    written: str = ""
    killed_for_memory: bool = False
    links: dict[str, str] = field(default_factory=dict)
    never: bool = False


@dataclass
class Made:
    """Keep a container that was made."""

    config: Json
    started: bool = False
    ended: Ended = field(default_factory=Ended)


@dataclass
class StandIn:
    """Keep what an engine has: images, containers, volumes; and what it was asked."""

    images: set[str]
    program: Callable[[Json, Files], Ended]
    registry: set[str] = field(default_factory=set)
    containers: dict[str, Made] = field(default_factory=dict)
    volumes: dict[str, Json] = field(default_factory=dict)
    content: dict[str, Files] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ran: list[Json] = field(default_factory=list)
    pulls: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    url: str = ""

    def volume_at(self, made: Made, place: str) -> tuple[str, bool]:
        """Return the volume that is mounted at a place, and whether it may be written."""
        for mount in made.config["HostConfig"]["Mounts"]:
            if mount["Target"] == place:
                return mount["Source"], not mount["ReadOnly"]
        raise KeyError(place)

    def judge(self, config: Json) -> None:
        """Keep what a container that is started must not have, or lacks."""
        host = config["HostConfig"]
        wanted = {
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "IpcMode": "private",
        }
        self.faults += [f"{name} is {host.get(name)!r}" for name, value in wanted.items() if host.get(name) != value]
        self.faults += [
            f"there is {name}" for name in ("Privileged", "Binds", "CapAdd", "Devices", "PidMode") if host.get(name)
        ]
        bounds = ("Memory", "NanoCpus", "PidsLimit")
        self.faults += [f"{name} is not bounded" for name in bounds if not host.get(name)]
        if host["MemorySwap"] != host["Memory"]:
            self.faults.append("it may swap")
        if config["User"].split(":")[0] in ("", "0", "root"):
            self.faults.append("it is root")
        self.faults += [f"a mount of type {mount['Type']}" for mount in host["Mounts"] if mount["Type"] != "volume"]
        if self.volume_at(Made(config), "/airloom/in")[1]:
            self.faults.append("what comes in can be written")


class _Handler(BaseHTTPRequestHandler):
    engine: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, value: Any, status: int = 200, *, headers: dict[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(value, bytes) else "application/json"
        for name, text in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def _absent(self, what: str) -> None:
        self._answer({"message": f"no such {what}"}, 404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline().strip(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    @property
    def _path(self) -> list[str]:
        parts = urlsplit(self.path).path.strip("/").split("/")
        return [unquote(part) for part in (parts[1:] if parts[0].startswith("v1.") else parts)]

    @property
    def _query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def do_GET(self) -> None:
        """Answer what is asked."""
        engine = self.engine
        match self._path:
            case ["_ping"]:
                self._answer(b"OK")
            case ["version"]:
                self._answer({"ApiVersion": "1.41", "Version": "20.10"})
            case ["images", *name, "json"]:
                image = "/".join(name)
                self._answer({"Id": image}) if image in engine.images else self._absent("image")
            case ["containers", "json"]:
                found = [{"Id": key, "Labels": made.config["Labels"]} for key, made in engine.containers.items()]
                self._answer([one for one in found if self._has_label(one["Labels"])])
            case ["volumes"]:
                found = [{"Name": key, "Labels": labels} for key, labels in engine.volumes.items()]
                self._answer({"Volumes": [one for one in found if self._has_label(one["Labels"])] or None})
            case ["containers", name, "json"] if name in engine.containers:
                made = engine.containers[name]
                state = {"Status": "running" if made.ended.never else "exited", "ExitCode": made.ended.code}
                state["OOMKilled"] = made.ended.killed_for_memory
                self._answer({"Id": name, "State": state, "Config": {"Tty": False}})
            case ["containers", name, "logs"] if name in engine.containers:
                text = engine.containers[name].ended.written.encode()
                self._answer(struct.pack(">BxxxL", 1, len(text)) + text if text else b"")
            case ["containers", name, "archive"] if name in engine.containers:
                self._give(engine.containers[name], self._query["path"])
            case _:
                self._absent("page")

    def _has_label(self, labels: Json) -> bool:
        wanted = json.loads(self._query["filters"])["label"]
        return all(labels.get(label.partition("=")[0]) == label.partition("=")[2] for label in wanted)

    def _give(self, made: Made, path: str) -> None:
        place, _, name = path.rpartition("/")
        files = self.engine.content[self.engine.volume_at(made, place)[0]]
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo(name)
            if name in made.ended.links:
                entry.type, entry.linkname = tarfile.SYMTYPE, made.ended.links[name]
                tar.addfile(entry)
            elif name in files:
                entry.size = len(files[name])
                tar.addfile(entry, io.BytesIO(files[name]))
            else:
                self._absent("file")
                return
        self._answer(archive.getvalue(), headers={"X-Docker-Container-Path-Stat": "e30="})

    def do_POST(self) -> None:
        """Make, start or fetch something."""
        engine, body = self.engine, self._body()
        match self._path:
            case ["images", "create"]:
                image = f"{self._query['fromImage']}:{self._query['tag']}"
                engine.pulls.append(image)
                engine.signed_in.append(self.headers.get("X-Registry-Auth", ""))
                if image in engine.registry:
                    engine.images.add(image)
                self._answer({"status": "done"} if image in engine.registry else {"error": "manifest unknown"})
            case ["volumes", "create"]:
                name = uuid.uuid4().hex
                engine.volumes[name] = json.loads(body).get("Labels") or {}
                engine.content[name] = {}
                self._answer({"Name": name}, 201)
            case ["containers", "create"]:
                name, config = uuid.uuid4().hex, json.loads(body)
                engine.containers[name] = Made(config)
                self._answer({"Id": name, "Warnings": []}, 201)
            case ["containers", name, "start"] if name in engine.containers:
                made = engine.containers[name]
                engine.judge(made.config)
                engine.ran.append(made.config)
                files = engine.content[engine.volume_at(made, "/airloom/in")[0]]
                made.ended = engine.program(made.config, dict(files))
                engine.content[engine.volume_at(made, "/airloom/out")[0]].update(made.ended.files)
                self._answer(None, 204)
            case _:
                self._absent("page")

    def do_PUT(self) -> None:
        """Take an archive of files."""
        match self._path:
            case ["containers", name, "archive"]:
                made, place = self.engine.containers[name], self._query["path"]
                with tarfile.open(fileobj=io.BytesIO(self._body())) as tar:
                    for entry in tar:
                        content = tar.extractfile(entry)
                        if content is not None:
                            volume, writes = self.engine.volume_at(made, place)
                            assert writes
                            self.engine.content[volume][entry.name] = content.read()
                self._answer(None)

    def do_DELETE(self) -> None:
        """Remove a container or a volume."""
        kind, name = self._path
        table: dict[str, Any] = self.engine.containers if kind == "containers" else self.engine.volumes
        if name not in table:
            self._absent(kind)
            return
        used = {
            mount["Source"] for made in self.engine.containers.values() for mount in made.config["HostConfig"]["Mounts"]
        }
        if kind == "volumes" and name in used:
            self._answer({"message": "volume is in use"}, 409)
            return
        del table[name]
        self._answer(None, 204)


@contextmanager
def stand_in(program: Callable[[Json, Files], Ended], images: set[str] | None = None) -> Iterator[StandIn]:
    """Give a stand-in whose images all run `program`, which gets a config and the files of `/airloom/in`."""
    engine = StandIn(images if images is not None else {"tool:1"}, program)
    handler = type("Handler", (_Handler,), {"engine": engine})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    engine.url = f"tcp://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
