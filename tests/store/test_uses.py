"""What versions use, and who uses a thing."""

from __future__ import annotations

import psycopg
import pytest

from airloom.checks.uses import Use
from airloom.spec.error import ConfigurationError
from airloom.store.lookup import plain
from airloom.store.store import Store

READ = [Use("read", "type", "postgres_read"), Use("read", "table", "warehouse/orders")]
WRITE = [Use("write", "type", "postgres_write"), Use("write", "table", "warehouse/orders"), Use("write", "path", None)]


def publish(store: Store, pipeline: str, uses: list[Use], **fields: str) -> None:
    store.publish({"id": pipeline, **fields}, {}, author="ann", source="api", uses=uses)


def test_each_version_keeps_its_own(store: Store) -> None:
    publish(store, "sales", READ)
    publish(store, "sales", WRITE, name="2")
    assert store.uses.of("sales", 1) == READ
    assert store.uses.of("sales") == store.uses.of("sales", 2) == WRITE
    assert store.uses.of("other") == store.uses.of("sales", 3) == []


def test_the_same_version_again_keeps_nothing_twice(store: Store) -> None:
    for _ in range(2):
        publish(store, "sales", READ)
    assert store.uses.of("sales") == READ


def test_who_names_the_nodes_of_live_pipelines_as_they_are_now(store: Store) -> None:
    for pipeline in ("b", "a", "archived", "changed"):
        publish(store, pipeline, [*READ, *WRITE])
    publish(store, "changed", [], name="2")
    store.archive("archived", "ann")
    assert store.uses.who("table", "warehouse/orders") == [("a", "read"), ("a", "write"), ("b", "read"), ("b", "write")]
    assert store.uses.who("path", None) == [("a", "write"), ("b", "write")]
    assert store.uses.who("path", "warehouse/orders") == []


def test_they_are_part_of_publishing(store: Store) -> None:
    with pytest.raises(ConfigurationError):
        publish(store, "sales", [Use("read", "path", "a\0b")])
    assert (store.pipelines(), store.revision()) == ([], 0)


def test_what_a_release_knows_anew_takes_the_place_of_what_was_kept(store: Store) -> None:
    publish(store, "sales", READ)
    store.uses.record("sales", 1, WRITE)
    assert store.uses.of("sales") == WRITE


def test_who_is_one_look_up_in_an_index(store: Store, store_url: str) -> None:
    publish(store, "sales", [])
    with psycopg.connect(plain(store_url)) as connection:
        connection.execute(
            "insert into uses (pipeline, version, node, kind, name) "
            "select 'sales', 1, 'n', 'table', 'w/' || n from generate_series(1, 20000) n"
        )
        connection.execute("analyze uses")
        found = connection.execute("explain select * from uses where kind = 'table' and name = 'w/7'").fetchall()
    assert "uses_kind_name" in found[0][0]
