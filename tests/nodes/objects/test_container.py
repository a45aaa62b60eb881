"""container: what is asked of a Docker engine (a stand-in that judges it), and what comes back; and a real one.

The real one is that of DOCKER_HOST, where the variable is set; its image is made of this machine's static busybox.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.nodes.objects.docker_engine import Ended, Files, Json, StandIn, stand_in

from airloom.checks.check import Report, check
from airloom.checks.uses import uses_of
from airloom.nodes.context import RunFacts
from airloom.nodes.objects import _docker
from airloom.runtime.trial import Trial, try_document
from airloom.spec.configuration import configuration

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": None}]
COLUMNS = {"id": "BIGINT", "name": "VARCHAR"}


def copies(config: Json, files: Files) -> Ended:
    """Leave what came in, under the same names."""
    return Ended(files=files)


def document(**config: Any) -> Json:
    """Return a document whose container is fed with a table and a value."""
    nodes: list[Json] = [
        {"id": "boxed", "type": "container", "config": {"connection": "engine", "image": "tool:1", **config}}
    ]
    edges = []
    for name in config.get("input_tables", []):
        nodes.append({"id": "list", "type": "set", "config": {"value": ROWS}})
        edges.append({"from": "list", "to": f"boxed.{name}"})
    for name in config.get("input_values", []):
        nodes.append({"id": "limits", "type": "set", "config": {"value": {"least": 3}}})
        edges.append({"from": "limits", "to": f"boxed.{name}"})
    return {
        "id": "contained",
        "nodes": nodes,
        "edges": edges,
        "params": {"day": {"default": "2026-01-31"}, "least": {"default": 3}},
    }


def connections(url: str) -> Any:
    from airflow.sdk import Connection

    known = {
        "engine": Connection(
            conn_id="engine", conn_type="docker", host="registry.example.com", login="ann", password="let-me-in",
            extra=json.dumps({"engine": url}),
        ),
        "shop": Connection(conn_id="shop", conn_type="http", password="hush-hush-secret"),
    }  # fmt: skip
    return known.__getitem__


def ran(url: str, **config: Any) -> Trial:
    return try_document(document(**config), configuration(), write=True, connections=connections(url))


def outputs(trial: Trial) -> Json:
    assert trial.problems == []
    assert trial.nodes["boxed"]["error"] is None, trial.nodes["boxed"]["error"]
    return dict(trial.nodes["boxed"]["outputs"])


def error(trial: Trial) -> Json:
    assert trial.problems == []
    return dict(trial.nodes["boxed"]["error"])


@pytest.fixture
def engine() -> Iterator[StandIn]:
    with stand_in(copies) as engine:
        yield engine
        assert engine.faults == []
        assert (engine.containers, engine.volumes) == ({}, {}), "nothing is left"


def test_tables_and_values_go_in_and_out(engine: StandIn) -> None:
    found = outputs(
        ran(
            engine.url,
            command=["copy", "{{ params.day }}", "{{ params.least }}"],
            environment={"DAY": "{{ params.day }}"},
            secrets={"KEY": "shop"},
            input_tables=["orders"],
            input_values=["limits"],
            output_tables={"orders": COLUMNS},
            output_values=["limits"],
            memory="100MB",
            cpus=0.5,
        )
    )
    assert found["orders"]["sample"] == ROWS
    assert found["limits"]["value"] == {"least": 3}
    [config] = engine.ran
    assert config["Cmd"] == ["copy", "2026-01-31", "3"]
    assert sorted(config["Env"]) == ["DAY=2026-01-31", "KEY=hush-hush-secret"]
    assert (config["User"], config["HostConfig"]["NetworkMode"]) == ("65534:65534", "none")
    assert (config["HostConfig"]["Memory"], config["HostConfig"]["NanoCpus"]) == (100_000_000, 500_000_000)


def test_an_image_is_fetched_where_the_engine_lacks_it(engine: StandIn) -> None:
    engine.registry = {"registry.example.com/tool:2", "other.example.com/tool:2"}
    assert error(ran(engine.url, image="registry.example.com/tool:2", pull="never"))["field"] == "image"
    assert engine.pulls == []
    for image in sorted(engine.registry):
        outputs(ran(engine.url, image=image))
        outputs(ran(engine.url, image=image))
    assert engine.pulls == ["other.example.com/tool:2", "registry.example.com/tool:2"]
    assert [bool(signed) for signed in engine.signed_in] == [False, True], "to its own registry alone"
    found = error(ran(engine.url, image="tool:3", pull="always"))
    assert (found["field"], found["message"]) == ("image", "the image 'tool:3' cannot be pulled: manifest unknown")


@pytest.mark.parametrize(
    ("ended", "config", "field", "message"),
    [
        (Ended(code=3, written="no such day: hush-hush-secret\n"), {"secrets": {"KEY": "shop"}}, None,
         "the container ended with exit code 3: no such day: ***"),
        (Ended(code=137, killed_for_memory=True), {"memory": "10MB"}, "memory", "more than its 10,000,000 bytes"),
        (Ended(code=137), {"memory": "10MB"}, "memory", "from outside, or it needed more than its 10,000,000 bytes"),
        (Ended(never=True), {"timeout": "1s"}, "timeout", "the container took longer than 1 seconds and was stopped"),
        (Ended(), {"output_values": ["a"]}, "output_values", "the container left no a.json"),
        (Ended(links={"a.json": "/etc/passwd"}), {"output_values": ["a"]}, "output_values", "is no plain file"),
        (Ended({"a.json": b"[1,"}), {"output_values": ["a"]}, "output_values", "the output 'a': what cannot be read"),
        (Ended({"a.json": b"1" * 99}), {"output_values": ["a"], "output_limit": "50B"}, "output_limit", "99 bytes"),
        (Ended({"a.parquet": b"PAR1 no"}), {"output_tables": {"a": COLUMNS}}, "output_tables",
         "the output 'a': the result cannot be read as a table"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_and_leaves_nothing(
    engine: StandIn, ended: Ended, config: Json, field: str | None, message: str
) -> None:
    engine.program = lambda *_: ended
    found = error(ran(engine.url, **config))
    assert found["field"] == field
    assert message in found["message"]


def test_columns_are_held_to_what_is_declared(engine: StandIn) -> None:
    tables = {"orders": {"id": "BIGINT"}}
    found = error(ran(engine.url, input_tables=["orders"], output_tables=tables))
    assert found["message"] == "the output 'orders': the column 'name' is not declared"


def test_an_engine_that_is_not_there_may_come_back() -> None:
    found = error(ran("tcp://127.0.0.1:9"))
    assert (found["failure"], "does not answer" in found["message"]) == ("transient", True)
    found = error(ran(""))
    assert (found["failure"], found["field"]) == ("configuration", "connection")


def test_what_a_killed_attempt_left_is_removed_by_the_next_one_and_at_the_end(engine: StandIn) -> None:
    def left(**facts: Any) -> None:
        labels = _docker.labels_of(RunFacts(**{"pipeline": "p", "run_id": "r", "node": "n", **facts}), 60)
        engine.volumes[str(facts)] = labels

    left(attempt=1)
    left(attempt=1, index="2")
    left(attempt=3)
    left(attempt=1, run_id="another")
    engine.volumes["old"] = {**engine.volumes["{'attempt': 3}"], "airloom.until": str(int(time.time()) - 1)}
    engine.volumes["foreign"] = {**engine.volumes["old"], "airloom.installation": "another"}
    with _docker.opened(connections(engine.url)("engine")) as opened:
        opened.remove_left(_docker.labels_of(RunFacts("p", "r", "n", attempt=2), 60))
        assert sorted(engine.volumes) == [
            "foreign", "{'attempt': 1, 'index': '2'}", "{'attempt': 1, 'run_id': 'another'}", "{'attempt': 3}",
        ]  # fmt: skip
        assert opened.remove_of_run("p", "r") == 2
    assert sorted(engine.volumes) == ["foreign", "{'attempt': 1, 'run_id': 'another'}"]
    engine.volumes.clear()


# Checks


def problems(**config: Any) -> list[tuple[str, str]]:
    return [(found.pointer, found.message) for found in check(document(**config)).problems]


@pytest.mark.parametrize(
    ("config", "at", "message"),
    [
        ({"user": "0"}, "/user", ""),
        ({"user": "root"}, "/user", ""),
        ({"network": "host"}, "/network", "the network of the engine's own machine is not for containers"),
        ({"network": "container:other"}, "/network", ""),
        ({"image": "{{ params.day }}"}, "/image", ""),
        ({"output_values": ["done"]}, "", "'done' is there twice"),
        ({"environment": {"PASSWORD": "hush"}}, "/environment/PASSWORD", "a secret must not stand in a document"),
        ({"privileged": True}, "/privileged", "there is no field 'privileged'"),
    ],
)
def test_a_wrong_config_is_a_problem(config: Json, at: str, message: str) -> None:
    [found] = problems(**config)
    assert found[0] == f"/nodes/0/config{at}"
    assert found[1].startswith(message)


def test_who_runs_a_container_writes_code_and_uses_connections() -> None:
    report: Report = check(document(secrets={"KEY": "shop"}))
    assert report.resolved is not None
    uses = {(use.kind, use.name, use.at) for use in uses_of(report.resolved) if use.node == "boxed"}
    assert uses >= {
        ("code", "container", "/image"), ("connection", "engine", "/connection"), ("connection", "shop", "/secrets/KEY")
    }  # fmt: skip


# A real engine


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[str, str]]:
    """Give the address of a real engine and the name of an image of busybox alone."""
    url, busybox = os.environ.get("DOCKER_HOST"), Path("/bin/busybox")
    if not url or not busybox.exists():
        pytest.skip("no DOCKER_HOST, or no static busybox")
    import docker

    client = docker.APIClient(url, version="auto")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for name in ("sh", "cp", "id", "touch", "sleep", "cat", "dd", "ls"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    client.import_image_from_data(archive.getvalue(), repository="airloom-test", tag="1")
    yield url, "airloom-test:1"
    client.remove_image("airloom-test:1", force=True)
    ours = {"label": f"airloom.installation={_docker.installation()}"}
    assert client.containers(all=True, filters=ours) == []
    assert not client.volumes(filters=ours)["Volumes"]


def test_a_real_engine_copies_tables_and_values(real: tuple[str, str]) -> None:
    url, image = real
    script = "cp /airloom/in/* /airloom/out && echo x > /tmp/x && ! touch /airloom/in/y && ! touch /y && id -u"
    found = outputs(
        ran(
            url, image=image, command=["sh", "-c", script], input_tables=["orders"], input_values=["limits"],
            output_tables={"orders": COLUMNS}, output_values=["limits"], pull="never",
        )
    )  # fmt: skip
    assert found["orders"]["sample"] == ROWS
    assert found["limits"]["value"] == {"least": 3}


@pytest.mark.parametrize(
    ("script", "config", "message"),
    [
        ("exit 7", {}, "the container ended with exit code 7"),
        ("sleep 60", {"timeout": "2s"}, "took longer than 2 seconds"),
        ("dd if=/dev/zero of=/tmp/x bs=1M count=100", {"memory": "20MB"}, "more than its 20,000,000 bytes"),
        ("busybox ln -s /bin/sh /airloom/out/a.json",
         {"output_values": ["a"]}, "is no plain file"),
    ],
)  # fmt: skip
def test_a_real_engine_holds_the_bounds(real: tuple[str, str], script: str, config: Json, message: str) -> None:
    url, image = real
    assert message in error(ran(url, image=image, command=["sh", "-c", script], pull="never", **config))["message"]
