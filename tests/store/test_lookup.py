"""What a task asks of the store, and what asking costs it."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest

from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile
from airloom.store.lookup import QUERY, node_file, plain, published_at
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store


def test_a_version_is_found_by_revision(store: Store, store_url: str) -> None:
    for name in ("1", "2"):
        store.publish({"id": "a", "name": name}, {"format": 1}, author="ann", source="api")
        store.publish({"id": "b", "name": name}, {"format": 1}, author="ann", source="api")
    assert published_at(store_url, "a", 0) is None
    assert [published_at(store_url, "a", revision) for revision in (1, 2)] == [
        ({"id": "a", "name": "1"}, {"format": 1, "version": 1})
    ] * 2
    assert published_at(store_url, "a", 9) == ({"id": "a", "name": "2"}, {"format": 1, "version": 2})
    assert published_at(store_url, "c", 9) is None


def test_a_file_of_node_types_is_found_by_its_hash(store: Store, store_url: str) -> None:
    first, second = NodeFile("greet.py", "A = 1\n"), NodeFile("greet.py", "A = 'ä'\r\n")
    for name, files in (("1", [first]), ("2", [first, second])):
        store.publish({"id": "a", "name": name}, {}, author="ann", source="api", node_files=files)
    assert node_file(store_url, first.hash) == first
    assert node_file(store_url, second.hash) == second
    assert node_file(store_url, "0" * 64) is None


def test_an_archived_pipeline_is_found_by_its_runs(store: Store, store_url: str) -> None:
    store.publish({"id": "a"}, {}, author="ann", source="api")
    store.archive("a", "ann")
    assert published_at(store_url, "a", 2) is not None


def test_the_query_is_one_look_up_in_an_index(store: Store, store_url: str) -> None:
    with psycopg.connect(plain(store_url)) as connection:
        connection.execute(
            """
            insert into pipelines select 'p' || n, n, 2, false, 'api', null, '', '[]', '', now(), '', now(), ''
            from generate_series(1, 1000) n;
            insert into versions select 'p' || (n - 1) % 1000 + 1, (n - 1) / 1000 + 1, n, '{}', '{}',
            '', '', '', '', now()
            from generate_series(1, 20000) n;
            analyze versions
            """
        )
        (found,) = connection.execute("explain (format json, analyze) " + QUERY, ("p7", 15000)).fetchone()  # type: ignore[misc]
    scan = found[0]["Plan"]["Plans"][0]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "versions_pipeline_revision")
    assert scan["Actual Rows"] == 1


def test_asking_imports_no_database_layer() -> None:
    program = "import sys, json, airloom.store.lookup, airloom.store.event; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.check_output([sys.executable, "-c", program]))
    assert not {"sqlalchemy", "alembic", "airflow", "duckdb", "psycopg"} & set(modules)


def test_a_url_that_cannot_be_read_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        published_at("postgresql+psycopg://ann:s3cret%zz@127.0.0.1:1/airloom", "a", 1)
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("url", ["postgresql+psycopg://a:b@h/d?x=1", "postgresql://a:b@h/d?x=1"])
def test_the_driver_is_left_out(url: str) -> None:
    assert plain(url) == "postgresql://a:b@h/d?x=1"


def test_an_unreachable_store_says_so_without_its_password() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        published_at("postgresql+psycopg://ann:s3cret@127.0.0.1:1/airloom", "a", 1)
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"
