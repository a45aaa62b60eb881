"""Pipelines, versions, drafts, problems, changes: through the store's public methods, on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem
from airloom.store.database import fingerprint
from airloom.store.event import run_started
from airloom.store.lookup import published_at
from airloom.store.problems import problem_file_name
from airloom.store.records import Changes, ConflictError, NodeRun, NotFound, StoredVersion, StoreUnavailable
from airloom.store.store import Store


def document(identifier: str = "sales", **fields: Any) -> dict[str, Any]:
    return {"id": identifier, "nodes": [], **fields}


def plan(**fields: Any) -> dict[str, Any]:
    return {"format": 1, "nodes": {}, "steps": [], **fields}


def publish(store: Store, identifier: str = "sales", **fields: Any) -> StoredVersion:
    return store.publish(document(identifier, **fields), plan(), author="ann", message="why", source="api")


def publish_file(store: Store, path: str, identifier: str = "sales", **fields: Any) -> StoredVersion:
    return store.publish(document(identifier, **fields), plan(), author="folder", source="file", path=path)


class TestPublish:
    def test_keeps_document_and_plan_with_number_and_revision(self, store: Store) -> None:
        first = publish(store, name="Sales", tags=["a"], owner="team")
        second = publish(store, name="Sales 2")
        assert (first.number, second.number) == (1, 2)
        assert (first.revision, second.revision, store.revision()) == (1, 2, 2)
        assert second.plan == plan(version=2)
        assert store.version("sales") == second
        assert store.version("sales", 1) == first
        assert store.versions("sales") == [second, first]
        assert store.versions("sales", limit=1, offset=1) == [first]
        kept = store.pipeline("sales")
        assert (kept.version, kept.name, kept.tags, kept.owner) == (2, "Sales 2", [], "airloom")
        assert (kept.source, kept.path, kept.archived, kept.created_by) == ("api", None, False, "ann")

    def test_keeps_the_order_of_keys(self, store: Store) -> None:
        ordered = {"revenue": 1, "a": {"z": 1, "b": 2}, "n": 2}
        publish(store, params=ordered)
        kept = store.version("sales").document["params"]
        assert list(kept) == ["revenue", "a", "n"]
        assert list(kept["a"]) == ["z", "b"]

    def test_a_change_of_order_is_a_version(self, store: Store) -> None:
        publish(store, params={"a": 1, "b": 2})
        assert publish(store, params={"b": 2, "a": 1}).number == 2

    def test_the_same_again_is_no_version(self, store: Store) -> None:
        first = publish(store)
        again = store.publish(document(), plan(version=7), author="bob", source="api")
        assert again == first
        assert store.revision() == 1

    def test_another_plan_is_a_version(self, store: Store) -> None:
        first = publish(store)
        second = store.publish(document(), plan(labels=[]), author="ann", source="api")
        assert (second.number, second.hash) == (2, first.hash)

    def test_an_old_document_may_come_back(self, store: Store) -> None:
        first = publish(store)
        publish(store, name="other")
        third = publish(store)
        assert (third.number, third.document) == (3, first.document)

    def test_takes_few_statements(self, store: Store) -> None:
        publish(store)
        statements: list[str] = []
        event.listen(store._engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
        publish(store, name="counted")
        assert len(statements) == 7, statements
        publish_file(store, "a.json", "other")
        assert len(statements) == 15, statements

    def test_many_publishers_at_once(self, store: Store) -> None:
        def work(index: int) -> StoredVersion:
            return publish(store, f"p{index % 4}", description=str(index))

        with ThreadPoolExecutor(8) as threads:
            versions = list(threads.map(work, range(40)))
        assert sorted(version.revision for version in versions) == list(range(1, 41))
        for name in ("p0", "p1", "p2", "p3"):
            own = sorted((v for v in versions if v.pipeline == name), key=lambda version: version.number)
            assert [version.number for version in own] == list(range(1, 11))
            assert [version.revision for version in own] == sorted(version.revision for version in own)
            assert store.version(name) == own[-1]
        assert store.revision() == 40

    def test_two_first_publishes_of_one_id(self, store: Store) -> None:
        barrier = threading.Barrier(2)

        def work(index: int) -> StoredVersion:
            barrier.wait()
            return publish(store, description=str(index))

        with ThreadPoolExecutor(2) as threads:
            assert sorted(version.number for version in threads.map(work, range(2))) == [1, 2]

    def test_revisions_become_visible_in_their_order(self, store: Store) -> None:
        """A reader that sees revision n never later learns of a change at n or below."""
        done = threading.Event()
        seen: list[set[tuple[str, int]]] = []
        late: list[tuple[str, int]] = []

        def read() -> None:
            since, known = 0, set[tuple[str, int]]()
            while not done.is_set():
                until = store.revision()
                for number in range(since + 1, until + 1):
                    known |= {(v.pipeline, v.revision) for v in store.changes(number - 1, number).live}
                late.extend(
                    (v.pipeline, v.revision)
                    for v in store.changes(0, since).live
                    if (v.pipeline, v.revision) not in known
                )
                since = until
            seen.append(known)

        reader = threading.Thread(target=read)
        reader.start()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda index: publish(store, f"p{index}"), range(40)))
        done.set()
        reader.join()
        assert seen[0]
        assert late == []

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
    def test_refuses_what_is_no_json(self, store: Store, value: Any) -> None:
        with pytest.raises(ConfigurationError, match="JSON"):
            publish(store, params=value)
        assert store.revision() == 0

    def test_refuses_a_text_that_postgres_cannot_hold(self, store: Store) -> None:
        with pytest.raises(ConfigurationError, match="NUL"):
            store.publish(document(), plan(), author="ann\0", source="api")
        assert store.revision() == 0

    def test_no_error_shows_the_document(self, store: Store) -> None:
        with pytest.raises(ConfigurationError) as caught:
            store.publish(document(description="s3cret"), plan(), author="\0", source="api")
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in str(caught.value.__cause__)


def publish_for_ever(url: str, ready: Any) -> None:
    """Publish in a process that will be killed."""
    store = Store(url)
    for number in range(1_000_000):
        publish(store, description=str(number))
        if number == 5:
            ready.set()


def test_a_killed_publisher_leaves_whole_versions(store: Store, store_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        ready = context.Event()
        process = context.Process(target=publish_for_ever, args=(store_url, ready))
        process.start()
        assert ready.wait(60)
        process.kill()
        process.join()
    last = publish(store, name="last")
    versions = store.versions("sales", limit=1_000_000)
    assert [version.number for version in versions] == list(range(last.number, 0, -1))
    assert [version.revision for version in versions] == list(range(store.revision(), 0, -1))
    assert store.version("sales") == last


class TestPlaces:
    def test_the_same_id_from_two_files_is_refused(self, store: Store) -> None:
        publish_file(store, "a.json")
        with pytest.raises(ConfigurationError, match=r"'a\.json' and 'b\.json' have the same pipeline id 'sales'"):
            publish_file(store, "b.json", name="other")
        assert store.version("sales").number == 1

    def test_a_file_does_not_take_an_id_of_the_api(self, store: Store) -> None:
        publish(store)
        with pytest.raises(ConfigurationError, match="from the builder or by the API"):
            publish_file(store, "a.json")

    def test_the_api_does_not_take_an_id_of_a_file(self, store: Store) -> None:
        publish_file(store, "a.json")
        with pytest.raises(ConfigurationError, match=r"comes from the file 'a\.json'"):
            publish(store)
        with pytest.raises(ConfigurationError, match=r"comes from the file 'a\.json'"):
            store.drafts.save("sales", document(), etag=None, author="ann")

    def test_a_detached_pipeline_belongs_to_the_api(self, store: Store) -> None:
        publish_file(store, "a.json")
        detached = store.detach("a.json", "ann")
        assert (detached.id, detached.source, detached.path) == ("sales", "api", None)
        assert publish(store, name="mine").number == 2
        with pytest.raises(ConfigurationError, match="from the builder or by the API"):
            publish_file(store, "a.json", name="file's")
        with pytest.raises(NotFound):
            store.detach("a.json", "ann")

    def test_an_archived_id_may_be_taken(self, store: Store) -> None:
        publish_file(store, "a.json")
        store.archive("sales", "ann")
        assert publish(store, name="mine").number == 2
        assert store.pipeline("sales").source == "api"

    def test_a_file_holds_one_pipeline(self, store: Store) -> None:
        publish_file(store, "a.json", "old")
        new = publish_file(store, "a.json", "new")
        assert store.pipeline("old").archived
        assert [version.pipeline for version in store.changes(1, 9).closing] == ["old"]
        assert [version.pipeline for version in store.changes(1, 9).live] == ["new"]
        assert store.pipeline("old").revision == new.revision


class TestArchive:
    def test_raises_the_revision_once(self, store: Store) -> None:
        publish(store)
        store.archive("sales", "bob")
        store.archive("sales", "bob")
        assert store.revision() == 2
        assert store.pipeline("sales").archived
        assert store.pipeline("sales").updated_by == "bob"
        assert store.pipelines() == []
        assert [pipeline.id for pipeline in store.pipelines(archived=True)] == ["sales"]
        store.unarchive("sales", "bob")
        assert store.revision() == 3
        assert [version.number for version in store.changes(2, 3).live] == [1]

    def test_a_closing_one_is_served_until_it_is_archived_again(self, store: Store) -> None:
        first = publish(store)
        for _ in range(2):
            store.archive("sales", "bob", closing=True)
        assert (store.pipelines(), store.closing(), store.revision()) == ([], ["sales"], 2)
        assert store.changes(1, 2) == Changes(closing=[first])
        for closing in (False, False, True):
            store.archive("sales", "bob", closing=closing)
        assert (store.closing(), store.revision()) == ([], 3)
        assert store.changes(0, 3) == Changes(archived=["sales"])

    def test_publishing_ends_the_closing(self, store: Store) -> None:
        first = publish(store)
        store.archive("sales", "bob", closing=True)
        assert publish(store) == first
        assert (store.closing(), store.changes(2, 3)) == ([], Changes(live=[first]))

    def test_publishing_the_same_brings_it_back(self, store: Store) -> None:
        first = publish(store)
        store.archive("sales", "bob")
        assert publish(store) == first
        assert not store.pipeline("sales").archived
        assert store.changes(2, store.revision()).live == [first]

    def test_names_what_is_missing(self, store: Store) -> None:
        for act in (lambda: store.archive("nothing", "ann"), lambda: store.version("nothing")):
            with pytest.raises(NotFound, match="'nothing'"):
                act()
        publish(store)
        with pytest.raises(NotFound, match="no version 5"):
            store.version("sales", 5)
        assert store.revision() == 1


def test_pipelines_come_in_pages(store: Store) -> None:
    for name in "dbaec":
        publish(store, name)
    store.archive("c", "ann")
    assert [pipeline.id for pipeline in store.pipelines(limit=2)] == ["a", "b"]
    assert [pipeline.id for pipeline in store.pipelines(limit=2, offset=2)] == ["d", "e"]
    assert (store.count_pipelines(), store.count_pipelines(archived=True)) == (4, 1)


def test_a_run_finds_the_version_it_is_pinned_to(store: Store) -> None:
    first = publish(store)
    publish(store, "other")
    second = publish(store, name="later")
    assert [store.version_at("sales", revision) for revision in (1, 2, 3, 9)] == [first, first, second, second]
    with pytest.raises(NotFound, match="not published at revision 0"):
        store.version_at("sales", 0)


class TestDrafts:
    def test_each_save_needs_the_etag_of_the_one_before(self, store: Store) -> None:
        first = store.drafts.save("sales", document(name="1"), etag=None, author="ann")
        second = store.drafts.save("sales", document(name="2"), etag=first.etag, author="bob")
        assert store.drafts.get("sales") == second
        assert second.etag != first.etag

    def test_an_outdated_editor_gets_the_other_draft(self, store: Store) -> None:
        first = store.drafts.save("sales", document(name="1"), etag=None, author="ann")
        second = store.drafts.save("sales", document(name="2"), etag=first.etag, author="bob")
        for etag in (first.etag, None):
            with pytest.raises(ConflictError, match="bob saved a draft") as caught:
                store.drafts.save("sales", document(name="3"), etag=etag, author="ann")
            assert caught.value.current == second
        assert store.drafts.get("sales") == second

    def test_of_two_at_once_one_is_told(self, store: Store) -> None:
        etag = store.drafts.save("sales", document(), etag=None, author="ann").etag
        barrier = threading.Barrier(2)

        def save(name: str) -> str | None:
            barrier.wait()
            try:
                return store.drafts.save("sales", document(name=name), etag=etag, author=name).author
            except ConflictError:
                return None

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(save, ["ann", "bob"]))
        winner = store.drafts.get("sales")
        assert winner is not None
        assert sorted(results, key=str) == sorted([winner.author, None], key=str)

    def test_a_discarded_draft_is_no_silent_loss(self, store: Store) -> None:
        draft = store.drafts.save("sales", document(), etag=None, author="ann")
        with pytest.raises(ConflictError):
            store.drafts.discard("sales", etag="outdated")
        store.drafts.discard("sales", etag=draft.etag)
        assert store.drafts.get("sales") is None
        with pytest.raises(ConflictError, match="discarded") as caught:
            store.drafts.save("sales", document(), etag=draft.etag, author="bob")
        assert caught.value.current is None

    def test_drafts_raise_no_revision(self, store: Store) -> None:
        store.drafts.save("sales", document(), etag=None, author="ann")
        assert store.revision() == 0
        assert [draft.pipeline for draft in store.drafts.all()] == ["sales"]


class TestProblems:
    PROBLEM = Problem("node.unknown_type", "there is no type 'x'", node="a", pointer="/nodes/0/type", hint="try y")

    def test_appear_and_go(self, store: Store) -> None:
        assert store.problems.set("a.json", [self.PROBLEM], "sales")
        appeared = store.changes(0, 1)
        assert [(shown.path, shown.pipeline, shown.problems) for shown in appeared.problems] == [
            ("a.json", "sales", [self.PROBLEM])
        ]
        assert appeared.resolved == []
        assert store.problems.all() == appeared.problems
        assert store.problems.clear("a.json")
        gone = store.changes(1, 2)
        assert (gone.problems, gone.resolved) == ([], [appeared.problems[0].file_name])
        assert store.problems.all() == []

    def test_only_a_difference_raises_the_revision(self, store: Store) -> None:
        assert not store.problems.clear("a.json")
        assert store.problems.set("a.json", [self.PROBLEM])
        assert not store.problems.set("a.json", [self.PROBLEM])
        assert store.revision() == 1
        assert store.problems.set("a.json", [self.PROBLEM, self.PROBLEM])
        assert store.problems.clear("a.json")
        assert not store.problems.clear("a.json")
        assert store.revision() == 3

    def test_file_names_differ_and_can_be_files(self) -> None:
        paths = ["a/b.json", "a_b.json", "a b.json", "é.json", "日本.yaml", "x" * 500 + ".json", "../a.json"]
        names = [problem_file_name(path) for path in paths]
        assert len(set(names)) == len(paths)
        assert all(len(name) < 120 and "/" not in name and name.endswith(".py") for name in names)


class TestChanges:
    def test_hold_the_current_state_between_two_revisions(self, store: Store) -> None:
        publish(store, "a")
        publish(store, "b")
        second = publish(store, "a", name="2")
        store.archive("b", "ann")
        everything = store.changes(0, store.revision())
        assert (everything.live, everything.archived) == ([second], ["b"])
        assert store.changes(2, 3).live == [second]
        assert store.changes(4, 4) == store.changes(9, 12)

    def test_leave_later_changes_to_the_next_call(self, store: Store) -> None:
        publish(store, "a")
        until = store.revision()
        later = publish(store, "a", name="2")
        assert store.changes(0, until).live == []
        assert store.changes(until, store.revision()).live == [later]


def test_node_runs_are_kept_and_replaced(store: Store) -> None:
    now = datetime.now(UTC)
    failed = NodeRun("sales", "r1", "a", "failed", version=1, attempt=1, error={"message": "no \0"}, started_at=now)
    ended = now + timedelta(seconds=2)
    done = NodeRun(
        "sales", "r1", "a", "success", version=1, fired=["rows"], outputs={"rows": {"kind": "table", "rows": 3}},
        statistics={"bytes": 5}, attempt=2, started_at=now, ended_at=ended, seconds=2.0, rows=3,
    )  # fmt: skip
    mapped = NodeRun("sales", "r1", "a", "skipped", index_path="1")
    other = NodeRun("sales", "r1", "b", "not_run")
    store.node_runs.record("sales", "r1", [failed, other])
    store.node_runs.record("sales", "r2", [replace(failed, run_id="r2")])
    assert store.node_runs.of("sales", "r1") == [failed, other]
    store.node_runs.record("sales", "r1", [done, mapped])
    assert store.node_runs.of("sales", "r1") == [done, mapped]
    assert store.node_runs.of("sales", "r2") == [replace(failed, run_id="r2")]
    store.node_runs.record("sales", "r1", [])
    assert store.node_runs.of("sales", "r1") == []


def test_a_lock_is_held_by_one(store: Store, store_url: str) -> None:
    other = Store(store_url)
    with store.lock("folder") as first, other.lock("folder") as second, other.lock("clean-up") as third:
        assert (first, second, third) == (True, False, True)
    with other.lock("folder") as again:
        assert again
    other.close()


def test_an_unreachable_store_says_so_without_its_password() -> None:
    store = Store("postgresql+psycopg://ann:s3cret@127.0.0.1:1/airloom")
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        store.revision()
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {store!r} {store._engine!r}"


def test_fingerprints_tell_values_apart() -> None:
    assert fingerprint({"a": 1}) == fingerprint({"a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5}) != fingerprint({"a": "1.5"})


def test_a_pipeline_whose_file_is_broken_is_told_so(store: Store) -> None:
    problem = Problem("connection.unknown", "there is no Connection 'shop'", pointer="/nodes/0/config/connection")
    store.problems.set("sales.json", [problem], "sales")
    with pytest.raises(NotFound) as caught:
        store.pipeline("sales")
    assert caught.value.message == "pipeline 'sales' was never published: sales.json has problems"
    assert "/nodes/0/config/connection: there is no Connection 'shop'" in str(caught.value.hint)
    with pytest.raises(NotFound, match="there is no pipeline 'other'"):
        store.pipeline("other")


def test_a_database_without_our_tables_says_what_to_do(database_url: str) -> None:
    store = Store(database_url)
    for ask in (
        lambda: store.pipelines(),
        lambda: store.publish(document(), plan(), author="ann", source="api"),
        lambda: published_at(database_url, "sales", 1),
        lambda: run_started(database_url, "sales", "run_1"),
    ):
        with pytest.raises(StoreUnavailable, match=r"are not those of this release: .+ does not exist") as caught:
            ask()
        assert "airloom prepare" in str(caught.value.hint)
    store.close()
