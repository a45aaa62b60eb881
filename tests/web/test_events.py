"""Live events: each once and in order, to those who may read them, whatever breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import text
from tests.installations import free_port
from tests.web.conftest import Web
from tests.web.listening import Json, Listener, served

from airloom.store.lookup import plain
from airloom.store.records import NewEvent
from airloom.web.app import make_app

Result = TypeVar("Result")


def run(work: Awaitable[Result]) -> Result:
    """Return what asynchronous work returns."""

    async def within() -> Result:
        async with asyncio.timeout(120):
            return await work

    return asyncio.run(within())


def bearer(web: Web, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {web.tokens[who]}"}


def publish(web: Web, pipeline: str, author: str = "ann", **more: Any) -> None:
    web.store.publish({"id": pipeline, **more}, {"nodes": {}}, author=author, source="api")


def kinds(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["pipeline"], event["kind"]) for event in events]


async def connected(*listeners: Listener) -> None:
    """Wait until all are."""
    while not all(listener.place for listener in listeners):
        await asyncio.sleep(0.02)


def test_what_happens_to_pipelines_is_told(web: Web) -> None:
    with served(make_app(web.store)) as url:

        async def work() -> list[Json]:
            listener = Listener(f"{url}/events", bearer(web, "ann"))
            listening = asyncio.create_task(listener.listen(7))
            await connected(listener)
            web.store.create("sales", by="ann")
            draft = web.store.drafts.save("sales", {"id": "sales"}, etag=None, author="ann")
            web.store.drafts.discard("sales", etag=draft.etag)
            publish(web, "sales", name="Sales")
            publish(web, "sales", name="Sales")
            web.store.archive("sales", "ann")
            web.store.archive("sales", "ann")
            web.store.unarchive("sales", "bob")
            publish(web, "sales", name="All sales")
            return await listening

        events = run(work())
    assert [event["kind"] for event in events] == [
        "created", "draft_saved", "draft_discarded", "published", "archived", "restored", "published",
    ]  # fmt: skip
    assert (events[3]["topic"], events[3]["payload"]) == ("pipelines", {"version": 1, "author": "ann"})
    assert [event["id"] for event in events] == list(range(1, 8))


def test_each_is_told_what_they_may_read(web: Web) -> None:
    with served(make_app(web.store)) as url:

        async def work() -> dict[str, list[Json]]:
            counts = {"ann": 2, "bob": 1, "adam": 4, "vera": 4}
            listeners = {who: Listener(f"{url}/events", bearer(web, who)) for who in counts}
            tasks = {who: asyncio.create_task(listeners[who].listen(count)) for who, count in counts.items()}
            await connected(*listeners.values())
            for pipeline, author in (("a1", "ann"), ("b1", "bob"), ("c1", "cody"), ("a2", "ann")):
                publish(web, pipeline, author)
            return {who: await task for who, task in tasks.items()}

        seen = {who: [event["pipeline"] for event in events] for who, events in run(work()).items()}
    assert seen == {
        "ann": ["a1", "a2"],
        "bob": ["b1"],
        "adam": ["a1", "b1", "c1", "a2"],
        "vera": ["a1", "b1", "c1", "a2"],
    }


def test_a_filter_and_a_place_to_go_on_from(web: Web) -> None:
    for number in range(6):
        publish(web, f"p{number % 2}", name=str(number))
    web.store.feed.add([NewEvent("runs", "queued", "p1", "run_1")])
    with served(make_app(web.store)) as url:

        def told(query: str, count: int, place: str | None = None) -> tuple[list[int], str | None]:
            listener = Listener(f"{url}/events{query}", bearer(web, "ann"), place)
            return [event["id"] for event in run(listener.listen(count))], listener.place

        assert told("?after=0", 7)[0] == [1, 2, 3, 4, 5, 6, 7]
        assert told("?after=0", 3, "4")[0] == [5, 6, 7]
        assert told("?pipeline=p1&after=2", 2)[0] == [4, 6]
        assert told("?topic=runs&after=0", 1)[0] == [7]
        assert told("?run_id=run_1&after=0", 1)[0] == [7]

        async def passed() -> str | None:
            listener = Listener(f"{url}/events?pipeline=p0&topic=runs", bearer(web, "ann"), "0")
            listening = asyncio.create_task(listener.listen(1))
            while listener.place != "7":
                await asyncio.sleep(0.02)
            listening.cancel()
            return listener.place

        assert run(passed()) == "7"
    assert web.ask("GET", "/events", "ann", headers={"Last-Event-ID": "x"}).status_code == 422
    assert web.ask("GET", "/events").status_code == 401


@pytest.mark.parametrize("place", ["1", "99"])
def test_who_comes_too_late_is_told_to_begin_anew(web: Web, place: str) -> None:
    for number in range(4):
        publish(web, "sales", name=str(number))
    with web.store.feed._engine.begin() as connection:
        connection.execute(text("update feed set at = now() - interval '8 days' where id < 4"))
    assert web.store.feed.remove_old() == 3
    with served(make_app(web.store)) as url:

        async def work() -> Listener:
            listener = Listener(f"{url}/events", bearer(web, "ann"), place)
            listening = asyncio.create_task(listener.listen(1))
            while not listener.resets:
                await asyncio.sleep(0.02)
            publish(web, "sales", name="new")
            await listening
            return listener

        listener = run(work())
    assert ([event["id"] for event in listener.events], listener.resets) == ([5], 1)


def test_many_listeners_hear_all_once_while_servers_come_and_go(web: Web) -> None:
    """Two servers share the work, each goes down twice, and writers do not wait for that."""
    publish(web, "sales")
    first, count, ports = 1, 400, (free_port(), free_port())
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(count // 4):
            web.store.feed.add([NewEvent("runs", "node", "sales", "run", {"writer": writer, "number": number})])
            done.wait(0.01)

    def serve(port: int, pause: float) -> None:
        while not done.wait(0.05):
            with served(make_app(web.store), port):
                done.wait(pause)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    threads += [threading.Thread(target=serve, args=(port, 1.0 + index)) for index, port in enumerate(ports)]

    async def work() -> list[Listener]:
        listeners = [
            Listener(f"http://127.0.0.1:{ports[number % 2]}/api/v1/events", bearer(web, "ann"), str(first))
            for number in range(20)
        ]
        await asyncio.gather(*(listener.listen(count) for listener in listeners))
        return listeners

    for thread in threads:
        thread.start()
    try:
        listeners = run(work())
    finally:
        done.set()
        for thread in threads:
            thread.join()
    for listener in listeners:
        assert [event["id"] for event in listener.events] == list(range(first + 1, first + 1 + count))
    assert max(listener.connected for listener in listeners) > 1


def test_open_streams_hold_no_thread_and_one_connection(web: Web, store_url: str) -> None:
    publish(web, "sales")
    with served(make_app(web.store)) as url:

        async def work() -> None:
            # More than there are threads to answer with.
            listeners = [Listener(f"{url}/events", bearer(web, "ann")) for _ in range(60)]
            listening = [asyncio.create_task(listener.listen(1)) for listener in listeners]
            await connected(*listeners)
            with psycopg.connect(plain(store_url)) as connection:
                query = (
                    "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"
                )
                assert connection.execute(query, ("airloom-events",)).fetchone() == (1,)
            publish(web, "sales", name="again")
            await asyncio.gather(*listening)

        run(work())


def test_a_stream_outlives_the_store_s_connections(web: Web, store_url: str) -> None:
    publish(web, "sales")
    with served(make_app(web.store)) as url:

        async def work() -> list[Json]:
            listener = Listener(f"{url}/events", bearer(web, "ann"))
            listening = asyncio.create_task(listener.listen(2))
            await connected(listener)
            publish(web, "sales", name="before")
            with psycopg.connect(plain(store_url), autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                    "and pid <> pg_backend_pid()"
                )
            publish(web, "sales", name="after")
            return await listening

        assert kinds(run(work())) == [("sales", "published")] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_does_not_wait_for_streams(
    web: Web, store_url: str, number: signal.Signals
) -> None:
    publish(web, "sales")
    port = free_port()
    command = [sys.executable, "-m", "tests.web.server", str(port)]
    environment = {**os.environ, "AIRLOOM_DATABASE_URL": store_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2]) as server:
        try:

            async def work() -> int:
                listener = Listener(f"http://127.0.0.1:{port}/api/v1/events", bearer(web, "ann"))
                listening = asyncio.create_task(listener.listen(1))
                await connected(listener)
                server.send_signal(number)
                status = await asyncio.to_thread(server.wait, 100)
                listening.cancel()
                return status

            assert run(work()) in (0, -number)
        finally:
            server.kill()
