"""What becomes of published pipelines at a new release, on a real store beside a real database of Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.uses import Use
from airloom.dags.actor import administrator
from airloom.dags.publishing import publish, rollback
from airloom.dags.upgrade import migrations, upgrade
from airloom.runtime.trial import try_document
from airloom.spec.configuration import configuration
from airloom.spec.node_file import NodeFile
from airloom.store.lookup import node_file
from airloom.store.store import Store

Json = dict[str, Any]
pytestmark = pytest.mark.usefixtures("airflow_database")

BEFORE = '''"""Greet."""

from __future__ import annotations

from airloom.nodes.sdk import Transform


class Greet(Transform):
    """Greet somebody."""

    name: str

    def run(self) -> str:
        return f"Hello {self.name}"
'''
AFTER = '''"""Greet."""

from __future__ import annotations

from typing import Any

from airloom.nodes.sdk import Transform


class GreetV1(Transform):
    """Greet somebody."""

    name: str

    def run(self) -> str:
        return f"Hello {self.name}"


class Greet(Transform, version=2):
    """Greet people."""

    names: list[str]

    def run(self) -> str:
        return f"Hello {' and '.join(self.names)}"

    @classmethod
    def migrate(cls, config: dict[str, Any]) -> dict[str, Any]:
        return {"names": [config["name"]]}
'''
TABLE = '''"""Greet."""

from airloom.nodes.sdk import Query, Relation, Table


class Greet(Table):
    """Greet a few people."""

    def query(self, rows: Relation) -> Query:
        return rows.select().limit(COUNT)
'''
GREETING: Json = {"id": "greeting", "nodes": [{"id": "greet", "type": "greet", "config": {"name": "Ada"}}]}
NEWER: Json = {"id": "greeting", "nodes": [{"id": "greet", "type": "greet", "config": {"names": ["Ada", "Bob"]}}]}


@pytest.fixture
def release(tmp_path: Path, settings: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a text the file of a node type."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    settings.setenv("AIRLOOM_NODES", str(folder))
    configuration.cache_clear()

    def write(text: str) -> None:
        (folder / "greet.py").write_text(text)

    return write


@pytest.fixture
def people(store: Store, release: Callable[[str], None], settings: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the file that a published pipeline reads, whose other node is of a table type."""
    settings.setenv("AIRLOOM_ROOT", str(tmp_path))
    configuration.cache_clear()
    release(TABLE.replace("COUNT", "1"))
    file = tmp_path / "include" / "data" / "people.csv"
    file.parent.mkdir(parents=True)
    file.write_text("name\nAda\nBob\n")
    nodes = [
        {"id": "people", "type": "csv_read", "config": {"path": "include/data/people.csv"}},
        {"id": "greet", "type": "greet"},
        {"id": "save", "type": "csv_write", "config": {"path": "output/greeted.csv"}},
    ]
    edges = [{"from": "people", "to": "greet"}, {"from": "greet", "to": "save"}]
    found = publish(store, {"id": "greeting", "nodes": nodes, "edges": edges}, actor=administrator("ann"))
    assert found.problems == []
    return file


def stored(store: Store) -> Json:
    """Return the node of the current version's document, with the version of its type that is planned."""
    version = store.version("greeting")
    return {**version.document["nodes"][0], "planned": version.plan["nodes"]["greet"]["version"]}


def test_the_first_look_changes_nothing(store: Store, release: Callable[[str], None]) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    assert upgrade(store) == []
    assert upgrade(store) is None
    latest = store.releases.latest()
    assert latest is not None
    assert latest.report == []


def test_a_release_learns_what_published_pipelines_use(store: Store, release: Callable[[str], None]) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    assert store.uses.of("greeting") == [Use("greet", "type", "greet")]
    store.uses.record("greeting", 1, [])
    assert upgrade(store) == []
    assert store.uses.of("greeting") == [Use("greet", "type", "greet")]


def test_a_published_pipeline_stays_with_its_version_of_a_type(
    store: Store, store_url: str, release: Callable[[str], None]
) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    upgrade(store)
    release(AFTER)
    [concerned] = upgrade(store) or []
    assert concerned.changes == ["node greet: its type is that of a changed file"]
    assert store.pipeline("greeting").version == 2
    assert stored(store) == {**GREETING["nodes"][0], "version": 1, "planned": 1}
    files = [store.version("greeting", number).plan["nodes"]["greet"]["file"] for number in (1, 2)]
    assert files == [NodeFile("greet.py", text).hash for text in (BEFORE, AFTER)]
    kept = [node_file(store_url, digest) for digest in files]
    assert [file.text for file in kept if file] == [BEFORE, AFTER]


def test_migrate_shows_what_the_newest_types_make_of_it(store: Store, release: Callable[[str], None]) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    assert list(migrations(store)) == []
    release(AFTER)
    [migration] = migrations(store)
    assert migration.changes == ["node greet: greet version 1 → 2"]
    assert migration.problems == []
    assert '-        "name": "Ada"' in migration.diff.splitlines()
    assert '+          "Ada"' in migration.diff.splitlines()
    assert store.pipeline("greeting").version == 1
    assert publish(store, migration.document, actor=administrator("ann")).problems == []
    assert stored(store) == {**GREETING["nodes"][0], "config": {"names": ["Ada"]}, "planned": 2}
    assert list(migrations(store)) == []


def test_a_version_of_an_older_release_can_be_gone_back_to(store: Store, release: Callable[[str], None]) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    release(AFTER)
    publish(store, NEWER, actor=administrator("ann"))
    result = rollback(store, "greeting", 1, actor=administrator("bob"))
    assert result.problems == []
    assert stored(store) == {**GREETING["nodes"][0], "version": 1, "planned": 1}
    tried = try_document(store.version("greeting").document, configuration())
    assert tried.nodes["greet"]["outputs"]["value"]["value"] == "Hello Ada"


def test_a_type_that_is_gone_is_told(store: Store, release: Callable[[str], None]) -> None:
    release(BEFORE)
    publish(store, GREETING, actor=administrator("ann"))
    upgrade(store)
    release(AFTER.replace("class GreetV1(Transform)", "class Other(Transform)"))
    concerned = upgrade(store)
    assert concerned is not None
    assert [(found.pipeline, found.changes) for found in concerned] == [("greeting", [])]
    assert "'greet' has no version 1" in concerned[0].problems[0]
    latest = store.releases.latest()
    assert latest is not None
    assert latest.report[0]["problems"] == concerned[0].problems
    [migration] = migrations(store)
    assert migration.problems == []
    assert stored(store)["planned"] == 1


def test_what_a_release_plans_otherwise_is_published_and_told(
    store: Store, release: Callable[[str], None], people: Path
) -> None:
    upgrade(store)
    assert store.pipeline("greeting").version == 1
    release(TABLE.replace("COUNT", "2"))
    concerned = upgrade(store)
    assert concerned is not None
    assert [(entry.pipeline, entry.changes) for entry in concerned] == [
        ("greeting", ["node greet: its SQL is another", "node greet: its type is that of a changed file"])
    ]
    current = store.version("greeting")
    assert (current.number, current.author) == (2, "upgrade")
    assert "LIMIT 2" in json.dumps(current.plan)
    assert "LIMIT 1" in json.dumps(store.version("greeting", 1).plan)


def test_a_plan_that_cannot_be_made_now_is_kept(store: Store, release: Callable[[str], None], people: Path) -> None:
    upgrade(store)
    people.unlink()
    release(TABLE.replace("COUNT", "2"))
    concerned = upgrade(store)
    assert concerned is not None
    assert [entry.changes for entry in concerned] == [[]]
    assert "out of reach" in concerned[0].problems[0]
    assert store.pipeline("greeting").version == 1


def test_a_changed_value_is_a_new_version_of_the_pipelines_that_read_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("region: north\nlimit: 3\n")
    monkeypatch.setenv("AIRLOOM_VALUES", str(file))
    configuration.cache_clear()
    for name, text in (("reading", "{{ values.region }}"), ("other", "{{ values.limit }}"), ("none", "plain")):
        document = {"id": name, "nodes": [{"id": "a", "type": "set", "config": {"value": text}}]}
        assert publish(store, document, actor=administrator("ann")).version is not None
    assert upgrade(store) == []
    assert store.version("reading").plan["values"] == {"region": "north"}
    assert store.version("none").plan["values"] == {}
    monkeypatch.setenv("AIRLOOM_VALUE_REGION", "south")
    concerned = upgrade(store)
    assert concerned is not None
    assert [(one.pipeline, one.changes) for one in concerned] == [("reading", ["value region: 'north' → 'south'"])]
    assert (store.version("reading").number, store.version("reading").plan["values"]) == (2, {"region": "south"})
    assert upgrade(store) is None
    file.write_text("limit: 3\n")
    monkeypatch.delenv("AIRLOOM_VALUE_REGION")
    concerned = upgrade(store)
    assert concerned is not None
    assert "this installation has no value 'region'" in concerned[0].problems[0]
    assert store.version("reading").number == 2


def test_a_changed_function_is_a_new_version_unless_its_tests_fail(
    store: Store, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.setenv("AIRLOOM_CODE", str(tmp_path))
    configuration.cache_clear()
    function, tests = tmp_path / "shout.py", tmp_path / "shout_test.py"
    function.write_text("def shout(value):\n    return 'HEY'\n")
    tests.write_text("def test_loud():\n    assert shout(None).isupper()\n")
    document = {"id": "loud", "nodes": [{"id": "shout", "type": "python_code", "config": {"function": "shout"}}]}
    assert publish(store, document, actor=administrator("ann")).problems == []
    assert upgrade(store) == []
    function.write_text("def shout(value):\n    return 'hey'\n")
    [replanned] = upgrade(store) or []
    assert "test_loud failed" in replanned.problems[0]
    [problem] = publish(store, document, actor=administrator("ann")).problems
    assert (problem.code, problem.node) == ("code.test", "shout")
    assert store.pipeline("loud").version == 1
    function.write_text("def shout(value):\n    return 'HO'\n")
    [replanned] = upgrade(store) or []
    assert replanned.changes == ["node shout: the file of its function shout is another"]
    assert "'HEY'" in store.functions(store.version("loud", 1))["shout"].text
    assert "'HO'" in store.functions(store.version("loud", 2))["shout"].text
