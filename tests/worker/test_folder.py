"""The drop folder: what becomes of pipelines when files come, change, break, move and go."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from airloom.dags.actor import Actor
from airloom.dags.publishing import Published
from airloom.spec.error import ConfigurationError
from airloom.spec.problem import Problem
from airloom.spec.reader import read_document
from airloom.store.records import StoreUnavailable
from airloom.store.store import Store
from airloom.worker.folder import FOLDER, Folder


def publish(store: Store, document: object, *, actor: Actor, message: str, source: Any, path: str) -> Published:
    """Publish as the real one does, with the document's own reader as the only check."""
    read, problems = read_document(document)
    if read is None or problems:
        return Published(None, problems)
    plan = {"format": 1, "nodes": {}, "steps": []}
    version = store.publish(read.to_json(), plan, author=actor.name, message=message, source=source, path=path)
    return Published(version, [Problem("graph.unused", "only a warning", severity="warning")])


class Bench:
    """Hold a folder, its synchronisation and the clock that both go by."""

    def __init__(self, store: Store, path: Path) -> None:
        self.store = store
        self.path = path
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.publish: Any = publish
        self.folder = self.another()

    def another(self) -> Folder:
        """Return the synchronisation as another process would start it."""
        return Folder(
            self.store,
            self.path,
            publish=lambda *arguments, **named: self.publish(*arguments, **named),
            now=lambda: self.time,
        )

    def write(self, path: str, content: Any = None, **fields: Any) -> Path:
        """Write a file: a document of the id that the path names, or the content that is given."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            content = json.dumps({"id": file.stem, **fields})
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def look(self, times: int = 2, seconds: float = 1) -> None:
        for _ in range(times):
            self.time += timedelta(seconds=seconds)
            self.folder.synchronise()

    def live(self) -> dict[str, tuple[str | None, int]]:
        return {pipeline.id: (pipeline.path, pipeline.version) for pipeline in self.store.pipelines()}

    def problems(self) -> dict[str, list[str]]:
        return {shown.path: [problem.code for problem in shown.problems] for shown in self.store.problems.all()}


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    path = tmp_path / "pipelines"
    path.mkdir()
    return Bench(store, path)


class TestFiles:
    def test_each_becomes_a_pipeline(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.write("orders.yaml", "id: orders\ntags: [a]\n")
        bench.write("team/deep/stock.yml", "id: stock\n")
        bench.look()
        assert bench.live() == {
            "sales": ("sales.json", 1),
            "orders": ("orders.yaml", 1),
            "stock": ("team/deep/stock.yml", 1),
        }
        assert bench.problems() == {}
        assert bench.store.pipeline("sales").source == "file"
        assert bench.store.version("sales").message == "from the file sales.json"

    def test_a_change_is_a_version_and_a_repeat_is_none(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        bench.write("sales.json", name="Sales")
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 2)}
        revision = bench.store.revision()
        os.utime(file)
        bench.look(5)
        assert bench.store.revision() == revision

    def test_one_that_takes_long_holds_up_no_other(self, bench: Bench) -> None:
        released = threading.Event()

        def publish_slowly(store: Store, document: Any, **named: Any) -> Published:
            if document["id"] in ("a", "b", "c"):
                assert released.wait(60)
            published = publish(store, document, **named)
            if len(bench.live()) >= 6:
                released.set()
            return published

        bench.publish = publish_slowly
        for identifier in "abcdefghi":
            bench.write(f"{identifier}.json")
        bench.look()
        assert list(bench.live()) == list("abcdefghi")

    def test_an_unchanged_folder_is_not_read_again(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        bench.write("sales.json")
        bench.look(3)
        monkeypatch.setattr("airloom.worker.folder.read_file", lambda file: pytest.fail(f"{file.path} was read"))
        bench.look(3)

    def test_one_that_is_being_written_is_left_alone(self, bench: Bench) -> None:
        whole = json.dumps({"id": "sales", "description": "x" * 100})
        for end in range(10, len(whole), 20):
            bench.write("sales.json", whole[:end])
            bench.look(1)
        assert (bench.live(), bench.problems()) == ({}, {})
        bench.write("sales.json", whole)
        bench.look(1)
        assert bench.live() == {}
        bench.look(1)
        assert bench.live() == {"sales": ("sales.json", 1)}

    @pytest.mark.parametrize(
        "path", [".sales.json", "sales.json~", "sales.txt", ".git/sales.json", "sales", "#s.json#"]
    )
    def test_others_are_left_alone(self, bench: Bench, path: str) -> None:
        bench.write(path)
        bench.look(3)
        assert (bench.live(), bench.problems()) == ({}, {})

    def test_a_restart_goes_on_where_it_was(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        revision = bench.store.revision()
        bench.folder = bench.another()
        bench.look(3)
        assert bench.store.revision() == revision

    def test_two_processes_share_the_work(self, bench: Bench) -> None:
        other = bench.another()
        for index in range(5):
            bench.write(f"p{index}.json")
        for _ in range(3):
            bench.look(1)
            other.synchronise()
        assert len(bench.live()) == 5
        assert bench.store.revision() == 5

    def test_one_process_at_a_time(self, bench: Bench) -> None:
        bench.write("sales.json")
        with bench.store.lock("folder"):
            bench.look(3)
        assert bench.live() == {}
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}

    def test_a_crash_after_publishing_loses_nothing(self, bench: Bench) -> None:
        def die(*arguments: Any, **named: Any) -> Published:
            publish(*arguments, **named)
            raise KeyboardInterrupt

        bench.write("sales.json")
        bench.publish = die
        with pytest.raises(KeyboardInterrupt):
            bench.look()
        bench.publish = publish
        bench.folder = bench.another()
        (bench.path / "sales.json").unlink()
        bench.look()
        bench.look(1, seconds=61)
        assert bench.live() == {}
        bench.write("sales.json")
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}


class TestBrokenFiles:
    def test_the_last_good_version_keeps_running(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        bench.write("sales.json", '{"id": "sales", oops}')
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}
        assert bench.problems() == {"sales.json": ["text.syntax"]}
        assert bench.store.problems.all()[0].pipeline == "sales"
        bench.write("sales.json", name="mended")
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 2)}
        assert bench.problems() == {}

    def test_problems_name_line_and_column(self, bench: Bench) -> None:
        problem = Problem("node.unknown_type", "there is no such type", node="a", pointer="/nodes/0/type")
        bench.publish = lambda *given, **named: Published(None, [problem])
        bench.write("text.yaml", "id: text\nnodes: {\n")
        bench.write("type.yaml", "id: type\nnodes:\n  - {id: a, type: sett}\n")
        bench.look()
        text, unknown = (shown.problems[0] for shown in bench.store.problems.all())
        assert str(text).startswith("line 3, column 1, at /: this is not YAML")
        assert str(unknown).startswith("line 3, column 13, node 'a' at /nodes/0/type: ")

    def test_a_broken_one_that_never_ran_goes_with_its_problems(self, bench: Bench) -> None:
        file = bench.write("sales.json", '{"id": "Sales!", "nodes": 5}')
        bench.look()
        assert bench.problems() == {"sales.json": ["document.identifier", "document.type"]}
        file.unlink()
        bench.look(1)
        assert (bench.live(), bench.problems(), bench.store.files.all()) == ({}, {}, {})

    def test_a_broken_one_is_tried_again_for_what_lies_outside_of_it(self, bench: Bench) -> None:
        def refuse(*arguments: Any, **named: Any) -> Published:
            return Published(None, [Problem("facts.connection", "there is no Connection 'warehouse'")])

        bench.write("sales.json")
        bench.publish = refuse
        bench.look(3)
        revision = bench.store.revision()
        bench.publish = publish
        bench.look(3)
        assert (bench.live(), bench.store.revision()) == ({}, revision)
        bench.look(1, seconds=30)
        assert (bench.live(), bench.problems()) == ({"sales": ("sales.json", 1)}, {})

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"\x89PNG\r\n\x1a\n\x00\x00", "file.encoding"),
            ('{"id": "ä"}'.encode("utf-16"), "file.encoding"),
            (b" " * 5_000_001, "file.large"),
            (b"", "text.syntax"),
            (b"[]", "document.type"),
            (b"null", "document.type"),
            (b'{"id": "a", "id": "b"}', "text.repeated_key"),
            (b"[" * 100_000, "text.deep"),
        ],
    )
    def test_what_cannot_be_read_is_a_problem(self, bench: Bench, content: bytes, code: str) -> None:
        bench.write("bad.json", content)
        bench.write("good.json")
        bench.look(3)
        assert bench.problems() == {"bad.json": [code]}
        assert list(bench.live()) == ["good"]
        bench.write("bad.json")
        bench.look()
        assert bench.problems() == {}

    def test_what_is_no_ordinary_file_is_a_problem(self, bench: Bench, tmp_path: Path) -> None:
        secret = tmp_path / "secret.json"
        secret.write_text('{"id": "secret"}')
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "stolen.json").write_text('{"id": "stolen"}')
        os.mkfifo(bench.path / "pipe.json")
        (bench.path / "outside.json").symlink_to(secret)
        (bench.path / "nowhere.json").symlink_to(bench.path / "none")
        (bench.path / "loop.json").symlink_to(bench.path / "loop.json")
        (bench.path / "folder").symlink_to(tmp_path / "elsewhere")
        (bench.path / "up").symlink_to("..")
        bench.write("good.json")
        (bench.path / "inside.yaml").symlink_to(bench.write(".hidden/real.yaml", "id: inside"))
        bench.look(3)
        assert bench.problems() == {
            "pipe.json": ["file.type"],
            "outside.json": ["file.link"],
            "nowhere.json": ["file.link"],
            "loop.json": ["file.unreadable"],
            "folder": ["file.link"],
            "up": ["file.link"],
        }
        assert sorted(bench.live()) == ["good", "inside"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
    def test_one_without_rights_is_a_problem(self, bench: Bench) -> None:
        bench.write("sales.json").chmod(0)
        bench.look()
        assert bench.problems() == {"sales.json": ["file.unreadable"]}

    def test_names_that_cannot_be_kept_are_problems(self, bench: Bench) -> None:
        for name in (b"bad\xff.json", b"two\nlines.json"):
            with open(os.path.join(os.fsencode(bench.path), name), "w") as stream:
                stream.write('{"id": "a"}')
        bench.look(3)
        assert list(bench.problems().values()) == [["file.name"], ["file.name"]]
        assert bench.live() == {}

    def test_a_fault_of_ours_stops_no_other_file(self, bench: Bench) -> None:
        def fail(store: Store, document: Any, **named: Any) -> Published:
            if document["id"] == "bad":
                raise KeyError("s3cret")
            if document["id"] == "refused":
                raise ConfigurationError("not here", field="id", hint="elsewhere")
            return publish(store, document, **named)

        bench.publish = fail
        for name in ("bad", "good", "refused"):
            bench.write(f"{name}.json")
        bench.look()
        assert bench.problems() == {"bad.json": ["publish.fault"], "refused.json": ["publish.configuration"]}
        fault, refused = (shown.problems[0] for shown in bench.store.problems.all())
        assert "s3cret" not in str(fault)
        assert (refused.pointer, refused.hint) == ("/id", "elsewhere")
        assert list(bench.live()) == ["good"]

    @pytest.mark.parametrize("error", [StoreUnavailable("gone"), OperationalError("select 1", {}, Exception("gone"))])
    def test_a_lost_database_is_no_problem_of_the_file(self, bench: Bench, error: Exception) -> None:
        def lose(*arguments: Any, **named: Any) -> Published:
            raise error

        bench.write("sales.json")
        bench.publish = lose
        with pytest.raises(type(error)):
            bench.look()
        bench.publish = publish
        bench.look(1)
        assert (bench.live(), bench.problems()) == ({"sales": ("sales.json", 1)}, {})


class TestIds:
    def test_the_second_file_of_an_id_is_refused(self, bench: Bench) -> None:
        first = bench.write("a.json", '{"id": "sales"}')
        bench.write("b.json", '{"id": "sales", "name": "other"}')
        bench.look()
        assert bench.live() == {"sales": ("a.json", 1)}
        assert bench.problems() == {"b.json": ["publish.configuration"]}
        first.unlink()
        bench.look(3, seconds=20)
        assert bench.live() == {"sales": ("a.json", 1)}
        bench.look(2, seconds=20)
        assert bench.live() == {"sales": ("b.json", 2)}
        assert bench.problems() == {}

    def test_an_id_of_the_api_is_refused(self, bench: Bench) -> None:
        bench.store.publish({"id": "sales"}, {}, author="ann", source="api")
        bench.write("sales.json")
        bench.look()
        assert bench.live() == {"sales": (None, 1)}
        assert bench.problems() == {"sales.json": ["publish.configuration"]}
        bench.store.archive("sales", "ann")
        bench.look(1, seconds=30)
        assert (bench.live(), bench.problems()) == ({"sales": ("sales.json", 2)}, {})

    def test_a_detached_file_is_left_alone_until_it_changes(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        bench.store.detach("sales.json", "ann")
        bench.look(1, seconds=100)
        assert (bench.live(), bench.problems()) == ({"sales": (None, 1)}, {})
        bench.write("sales.json", name="changed")
        bench.look()
        assert bench.problems() == {"sales.json": ["publish.configuration"]}
        file.unlink()
        bench.look(3, seconds=100)
        assert (bench.live(), bench.problems()) == ({"sales": (None, 1)}, {})

    def test_a_new_id_in_a_file_archives_the_old_one(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "old"}')
        bench.look()
        bench.write("a.json", '{"id": "new"}')
        bench.look()
        assert bench.live() == {"new": ("a.json", 1)}
        assert bench.store.pipeline("old").archived

    def test_a_renamed_file_keeps_its_pipeline(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "sales"}')
        bench.look()
        (bench.path / "a.json").rename(bench.path / "b.json")
        revision = bench.store.revision()
        bench.look()
        bench.look(3, seconds=100)
        assert bench.live() == {"sales": ("b.json", 1)}
        assert (bench.problems(), bench.store.revision()) == ({}, revision)

    def test_files_that_swap_their_ids_keep_their_pipelines(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "x"}')
        bench.write("b.json", '{"id": "y"}')
        bench.look()
        revision = bench.store.revision()
        bench.write("a.json", '{"id": "y"}')
        bench.write("b.json", '{"id": "x"}')
        bench.look()
        assert bench.live() == {"x": ("b.json", 1), "y": ("a.json", 1)}
        assert (bench.problems(), bench.store.revision()) == ({}, revision)

    def test_ids_that_are_passed_on_end_in_the_right_files(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "x"}')
        bench.write("b.json", '{"id": "y"}')
        bench.look()
        bench.write("a.json", '{"id": "y"}')
        bench.look()
        assert bench.problems() == {"a.json": ["publish.configuration"]}
        bench.write("b.json", '{"id": "x"}')
        bench.look(4)
        assert bench.live() == {"x": ("b.json", 1), "y": ("a.json", 1)}
        assert bench.problems() == {}

    def test_an_id_that_another_file_takes_over_leaves_no_stranger_behind(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "x"}')
        bench.write("b.json", '{"id": "y"}')
        bench.look()
        (bench.path / "a.json").unlink()
        bench.write("b.json", '{"id": "x"}')
        bench.look(3, seconds=100)
        assert bench.live() == {"x": ("b.json", 1)}
        assert bench.store.pipeline("y").archived

    def test_a_file_that_is_saved_by_replacing_it_keeps_its_id(self, bench: Bench) -> None:
        bench.write("a.json", '{"id": "sales"}')
        bench.write("b.json", '{"id": "sales"}')
        bench.look()
        (bench.path / "a.json").unlink()
        bench.look(2, seconds=20)
        bench.write("a.json", '{"id": "sales", "name": "saved"}')
        bench.look(2)
        assert bench.live() == {"sales": ("a.json", 2)}
        assert bench.problems() == {"b.json": ["publish.configuration"]}

    def test_a_folder_that_is_rearranged_keeps_its_pipelines(self, bench: Bench) -> None:
        for index in range(10):
            bench.write(f"old/p{index}.json")
        bench.look()
        revision = bench.store.revision()
        (bench.path / "old").rename(bench.path / "new")
        bench.look()
        bench.look(3, seconds=100)
        assert bench.live() == {f"p{index}": (f"new/p{index}.json", 1) for index in range(10)}
        assert (bench.problems(), bench.store.revision()) == ({}, revision)


class TestMissingFiles:
    def test_one_that_is_gone_for_a_minute_is_archived(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        file.unlink()
        bench.look(1)
        bench.look(1, seconds=59)
        assert bench.live() == {"sales": ("sales.json", 1)}
        bench.look(1)
        assert bench.live() == {}
        assert bench.store.pipeline("sales").updated_by == "drop folder"

    def test_it_comes_back_with_its_file(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        file.unlink()
        bench.look(2, seconds=61)
        assert bench.live() == {}
        bench.write("sales.json")
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}

    def test_a_short_absence_is_forgotten(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        for _ in range(3):
            file.unlink()
            bench.look(1)
            bench.look(1, seconds=50)
            bench.write("sales.json")
            bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}
        assert bench.store.revision() == 1

    def test_the_time_counts_across_processes(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        (bench.path / "sales.json").unlink()
        bench.look(1)
        bench.folder = bench.another()
        bench.look(1, seconds=60)
        assert bench.live() == {}

    @pytest.mark.parametrize("hours", [-24, 24])
    def test_a_clock_that_is_set_lets_no_time_pass(self, bench: Bench, hours: int) -> None:
        file = bench.write("sales.json")
        bench.look()
        text = file.read_text()
        file.unlink()
        bench.look()
        bench.time += timedelta(hours=hours)
        bench.look(59)
        assert list(bench.live()) == ["sales"]
        file.write_text(text)
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 1)}
        file.unlink()
        bench.look(62)
        assert bench.live() == {}

    def test_a_clock_that_was_set_back_between_two_processes_is_noticed(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        (bench.path / "sales.json").unlink()
        bench.look()
        bench.time -= timedelta(days=400)
        bench.folder = bench.another()
        bench.look(62)
        assert bench.live() == {}

    def test_runs_may_end_first(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        (bench.path / "sales.json").unlink()
        bench.look(2, seconds=100)
        assert bench.live() == {}
        assert bench.store.closing() == ["sales"]

    def test_a_broken_file_that_goes_takes_its_problems_along(self, bench: Bench) -> None:
        file = bench.write("sales.json")
        bench.look()
        bench.write("sales.json", "{")
        bench.look()
        file.unlink()
        bench.look(2, seconds=61)
        assert (bench.live(), bench.problems(), bench.store.files.all()) == ({}, {}, {})

    def test_what_was_archived_by_hand_stays_so_while_its_file_is_the_same(self, bench: Bench) -> None:
        bench.write("sales.json")
        bench.look()
        bench.store.archive("sales", "ann")
        bench.look(3, seconds=100)
        assert bench.live() == {}
        bench.write("sales.json", name="again")
        bench.look()
        assert bench.live() == {"sales": ("sales.json", 2)}


class TestLosses:
    def fill(self, bench: Bench, count: int) -> None:
        for index in range(count):
            bench.write(f"p{index}.json")
        bench.look()
        assert len(bench.live()) == count

    def test_a_folder_that_vanishes_archives_nothing(self, bench: Bench) -> None:
        self.fill(bench, 2)
        away = bench.path.rename(bench.path.with_name("away"))
        bench.look(5, seconds=100)
        assert len(bench.live()) == 2
        assert bench.problems() == {FOLDER: ["folder.unreadable"]}
        away.rename(bench.path)
        bench.look()
        assert len(bench.live()) == 2
        assert bench.problems() == {}
        assert bench.store.revision() == 4

    def test_a_folder_that_is_a_file_archives_nothing(self, bench: Bench) -> None:
        self.fill(bench, 2)
        shutil.rmtree(bench.path)
        bench.path.write_text("")
        bench.look(3, seconds=100)
        assert (len(bench.live()), bench.problems()) == (2, {FOLDER: ["folder.unreadable"]})

    def test_a_folder_that_never_was_is_no_problem(self, bench: Bench) -> None:
        bench.path.rmdir()
        bench.look(3)
        assert (bench.problems(), bench.store.revision()) == ({}, 0)
        bench.write("sales.json")
        bench.look()
        assert list(bench.live()) == ["sales"]

    def test_an_emptied_folder_archives_nothing(self, bench: Bench) -> None:
        self.fill(bench, 3)
        for file in bench.path.iterdir():
            file.unlink()
        bench.look(8)
        assert bench.problems() == {FOLDER: ["folder.loss"]}
        assert "p0.json, p1.json, p2.json" in str(bench.store.problems.all()[0].problems[0])
        bench.look(10, seconds=1000)
        assert len(bench.live()) == 3

    def test_files_that_return_one_by_one_are_waited_for(self, bench: Bench) -> None:
        self.fill(bench, 5)
        for file in bench.path.iterdir():
            file.unlink()
        bench.look(3, seconds=100)
        for index in range(5):
            bench.write(f"p{index}.json")
            bench.look(2, seconds=10)
            assert len(bench.live()) == 5
        assert bench.problems() == {}

    def test_the_rest_is_archived_once_the_others_are_back(self, bench: Bench) -> None:
        self.fill(bench, 5)
        for file in bench.path.iterdir():
            file.unlink()
        bench.look(3, seconds=100)
        for index in range(3):
            bench.write(f"p{index}.json")
        bench.look()
        assert bench.problems() == {}
        assert len(bench.live()) == 5
        bench.look(1, seconds=61)
        assert sorted(bench.live()) == ["p0", "p1", "p2"]

    def test_what_is_archived_by_hand_is_no_loss(self, bench: Bench) -> None:
        self.fill(bench, 4)
        for file in bench.path.iterdir():
            file.unlink()
        bench.look(3, seconds=100)
        for index in range(4):
            bench.store.archive(f"p{index}", "ann")
        bench.look(2)
        assert (bench.problems(), bench.store.files.all()) == ({}, {})

    @pytest.mark.parametrize(("count", "gone", "archived"), [(10, 2, 2), (10, 3, 0), (15, 3, 3), (14, 3, 0), (2, 2, 2)])
    def test_few_or_a_small_part_are_archived(self, bench: Bench, count: int, gone: int, archived: int) -> None:
        self.fill(bench, count)
        for index in range(gone):
            (bench.path / f"p{index}.json").unlink()
        bench.look(3, seconds=61)
        assert len(bench.live()) == count - archived
        assert bench.problems() == ({} if archived else {FOLDER: ["folder.loss"]})

    def test_a_loss_is_known_to_a_process_that_starts_later(self, bench: Bench) -> None:
        self.fill(bench, 4)
        for file in bench.path.iterdir():
            file.unlink()
        bench.look(1)
        bench.folder = bench.another()
        bench.look(3, seconds=1000)
        assert len(bench.live()) == 4

    def test_a_folder_in_it_that_cannot_be_read_archives_nothing(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.write("team/sales.json")
        bench.look()
        scandir = os.scandir

        def refuse(path: Any) -> Any:
            if os.fspath(path).endswith("team"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        bench.look(3, seconds=100)
        assert list(bench.live()) == ["sales"]
        assert bench.problems() == {FOLDER: ["folder.unreadable"]}
