"""Files of a user's node types: what is hashed is what runs, and classes of an old and a new text live side by side."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.child import run_in_child
from airloom.nodes.catalog import Catalog, NodeFileUnknown, UnknownNodeType, catalog, remember
from airloom.nodes.testing import run_node
from airloom.spec.configuration import configuration
from airloom.spec.node_file import NodeFile

GREET = '''"""Greet."""

from airloom.nodes.sdk import Transform


class Greet(Transform):
    """Greet somebody."""

    def run(self) -> str:
        return "WORD"
'''
FAILING = GREET.replace('return "WORD"', "return [].WORD")
OLD_TIME = 1_700_000_000

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return what writes a file of the folder of AIRLOOM_NODES, with one and the same time each."""
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path))
    configuration.cache_clear()

    def written(text: str, name: str = "greet.py") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        os.utime(path, (OLD_TIME, OLD_TIME))
        return path

    return written


def greeting(**which: Any) -> Any:
    return run_node(catalog().get("greet", **which)())["value"]


def fault_of(node: Any) -> str:
    """Return the trace of what a node raises."""
    try:
        node.run()
    except AttributeError:
        return traceback.format_exc()
    raise AssertionError


class TestWhatIsHashedIsWhatRuns:
    def test_a_text_of_the_same_length_and_time_runs_as_it_is(self, write: Write) -> None:
        for number in range(200):
            word = f"{number:04}"
            file = write(GREET.replace("WORD", word))
            assert greeting() == word
            assert catalog().file_of(catalog().get("greet")) == NodeFile(file.name, file.read_text())

    def test_no_bytecode_is_written_or_read(self, write: Write, tmp_path: Path) -> None:
        write(GREET)
        assert greeting() == "WORD"
        assert [path.name for path in tmp_path.iterdir()] == ["greet.py"]

    def test_line_ends_and_a_mark_of_the_encoding_belong_to_the_text(self, write: Write) -> None:
        text = "\ufeff" + GREET.replace("\n", "\r\n")
        write(text)
        assert greeting() == "WORD"
        assert catalog().file_of(catalog().get("greet")) == NodeFile("greet.py", text)

    def test_a_file_that_is_not_utf_8_is_broken(self, write: Write, tmp_path: Path) -> None:
        write(GREET.replace("Greet", "Other"), "other.py")
        (tmp_path / "greet.py").write_bytes("# -*- coding: latin-1 -*-\n# é\n".encode("latin-1") + GREET.encode())
        with pytest.raises(UnknownNodeType):
            catalog().get("greet")
        assert catalog().get("other")
        [problem] = catalog().problems
        assert (problem.code, problem.message.partition(":")[0]) == ("node.broken_file", "greet.py cannot be read")

    def test_a_trace_shows_file_line_and_source(self, write: Write) -> None:
        path = write(FAILING)
        trace = fault_of(catalog().get("greet")())
        assert f'File "{path}", line 10, in run\n    return [].WORD' in trace

    def test_the_fingerprint_is_of_the_texts(self, write: Write) -> None:
        write(GREET)
        first = catalog().fingerprint()
        write(GREET.replace("WORD", "word"))
        assert catalog().fingerprint() != first
        write(GREET)
        assert catalog().fingerprint() == first


class TestByHash:
    def test_old_and_new_live_side_by_side(self, write: Write) -> None:
        write(GREET.replace("WORD", "old"))
        old = catalog().get("greet")
        file = catalog().file_of(old)
        assert file is not None
        path = write(GREET.replace("WORD", "new"))
        assert (greeting(), greeting(file=file.hash)) == ("new", "old")
        assert catalog().get("greet", 1, file.hash) is old
        path.unlink()
        assert greeting(file=file.hash) == "old"

    def test_a_text_that_was_never_in_the_folder(self, write: Write) -> None:
        file = NodeFile("greet.py", GREET.replace("WORD", "from the store"))
        with pytest.raises(NodeFileUnknown, match=file.hash[:12]):
            greeting(file=file.hash)
        remember(file)
        assert greeting(version=1, file=file.hash) == "from the store"
        assert catalog().file_of(catalog().get("greet", file=file.hash)) == file
        with pytest.raises(UnknownNodeType, match="has no version 2"):
            greeting(version=2, file=file.hash)
        with pytest.raises(UnknownNodeType, match="there is no node type 'greet'"):
            catalog().get("greet")

    def test_its_trace_shows_its_own_source(self, write: Write) -> None:
        file = NodeFile("greet.py", FAILING.replace("WORD", "STORED"))
        write(FAILING.replace("WORD", "ON_DISK"))
        remember(file)
        trace = fault_of(catalog().get("greet", file=file.hash)())
        assert f'File "greet.py@{file.hash[:16]}", line 10, in run\n    return [].STORED' in trace

    def test_a_broken_text_says_what_is_wrong(self, write: Write) -> None:
        file = NodeFile("broken.py", "class Greet(\n")
        remember(file)
        with pytest.raises(UnknownNodeType) as raised:
            greeting(file=file.hash)
        assert "broken.py cannot be read, line 1: SyntaxError" in str(raised.value)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (GREET.replace("-> str:", "-> str"), "greet.py cannot be read, line 9: SyntaxError: expected ':': def run"),
            ("import nothing_there\n" + GREET, "greet.py cannot be read, line 1: ModuleNotFoundError"),
            (GREET + "\n1 / 0\n", "ZeroDivisionError"),
        ],
    )
    def test_each_node_that_uses_a_broken_file_names_file_line_and_error(
        self, text: str, words: str, write: Write
    ) -> None:
        write(text, "greet.py")
        write("class Hello(\n", "other.py")
        nodes = [{"id": "a", "type": "greet"}, {"id": "b", "type": "greet"}, {"id": "c", "type": "hello"}]
        found = check({"id": "x", "nodes": nodes}, Facts()).problems
        told = {problem.node: problem for problem in found if problem.code == "node.unknown_type"}
        assert list(told) == ["a", "b", "c"]
        for node in "ab":
            assert words in told[node].message
            assert told[node].hint == "correct greet.py: its node types are missing until then"
        assert "other.py cannot be read, line 1: SyntaxError" in told["c"].message

    @pytest.mark.parametrize(
        ("requires", "module", "hint"),
        [
            ("paint", "paint", "install the package that brings paint; docs/packages.md says how"),
            ("paint:oil.red", "oil.red", "install the package that brings oil; docs/packages.md says how"),
            ("polars:polars_of_tomorrow", "polars_of_tomorrow", "airloom add polars"),
        ],
    )  # fmt: skip
    def test_a_module_that_is_not_installed_is_named_with_how_to_get_it(
        self, requires: str, module: str, hint: str, write: Write
    ) -> None:
        write(GREET.replace("(Transform)", f'(Transform, requires="{requires}")'))
        [problem] = check({"id": "x", "nodes": [{"id": "a", "type": "greet"}]}, Facts()).problems
        assert problem.pointer == "/nodes/0/type"
        assert problem.message == f"'greet' needs {module}, which is not installed"
        assert problem.hint == hint

    def test_a_type_that_is_switched_off_stays_so(self, write: Write, tmp_path: Path) -> None:
        file = NodeFile("greet.py", GREET)
        remember(file)
        with pytest.raises(UnknownNodeType, match="switched off"):
            Catalog(tmp_path, frozenset({"greet"})).get("greet", file=file.hash)

    def test_an_installed_type_is_of_no_file(self) -> None:
        assert catalog().file_of(catalog().get("filter")) is None


def made_in_child(node_class: type[Any]) -> str:
    return str(node_class().run())


class TestProcesses:
    @pytest.mark.parametrize("start", ["fork", "spawn"])
    def test_a_child_gets_classes_and_instances(self, write: Write, start: Any) -> None:
        write(GREET)
        node_class = catalog().get("greet")
        assert pickle.loads(pickle.dumps(node_class())) == node_class()
        assert run_in_child(made_in_child, node_class, timeout=60, start=start) == "WORD"

    def test_threads_that_ask_at_once_get_whole_answers(self, write: Write) -> None:
        slow = "import time\ntime.sleep(0.2)\n" + GREET
        for number in range(5):
            write(slow + f"# {number}\n")
            start, found = threading.Barrier(16), []

            def ask(start: threading.Barrier = start, found: list[Any] = found) -> None:
                start.wait()
                found.append(catalog().get("greet"))

            threads = [threading.Thread(target=ask) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(found) == 16
            assert len(set(found)) == 1


class TestListing:
    """Types are found in the syntax of a file; it runs only where that cannot tell."""

    LOUD = "raise RuntimeError('this file ran')\n"

    def test_a_list_runs_no_file_that_can_be_read(self, write: Write) -> None:
        write(
            'import enum\nfrom pydantic import BaseModel\nfrom airloom.nodes import sdk\n'
            'from airloom.nodes.sdk import Model, Table as Base, each, port\n'
            'class Colour(enum.Enum):\n    RED = 1\n'
            'class Part(Model):\n    """A part."""\n'
            'class Bigger(Part):\n    """A part."""\n'
            'class Plain(BaseModel):\n    """A model."""\n'
            'class Helper:\n    """A helper."""\n'
            'if True:\n    class PaintRows(Base, version=3, order="keeps", icon="paintbrush", stability="preview",'
            ' outputs=[port("a")]):\n        """Paint rows.\n\n        More.\n        """\n'
            'class WriteColours(sdk.Sink, requires="paint:colourful"):\n    pass\n' + self.LOUD,
            "paint.py",
        )  # fmt: skip
        found = {shown.type: shown for shown in catalog().declarations() if shown.category == "own"}
        assert sorted(found) == ["paint_rows", "write_colours"]
        paint, writer = found.values()
        assert (paint.title, paint.summary, paint.version, paint.order) == ("Paint rows", "Paint rows.", 3, "keeps")
        assert (paint.icon, paint.stability, paint.effect) == ("paintbrush", "preview", "pure")
        assert (writer.icon, writer.requires, writer.effect) == ("puzzle", "paint:colourful", "write")
        assert catalog().problems == []
        for helper in ("part", "colour", "bigger", "helper", "plain"):
            with pytest.raises(UnknownNodeType, match="there is no node type"):
                catalog().get(helper)
        with pytest.raises(UnknownNodeType) as raised:
            catalog().get("paint_row")
        assert raised.value.hint == "did you mean 'paint_rows'?"

    def test_what_is_read_is_what_the_classes_say(self, write: Write) -> None:
        newcomer = Path(__file__).parent / "newcomer"
        for path in newcomer.glob("*.py"):
            write(path.read_text(), path.name)
        shown = {declared.type: declared for declared in catalog().declarations()}
        for node in catalog().all():
            ports = {"inputs": None, "outputs": None}
            assert vars(shown[node.declaration.type]) == vars(node.declaration) | ports

    @pytest.mark.parametrize(
        "text",
        [
            "from airloom.nodes.tables.filter import Filter\nclass Greet(Filter):\n    pass\n",
            "from airloom.nodes.sdk import Transform\nBase = Transform\nclass Greet(Base):\n    pass\n",
            "from airloom.nodes.sdk import Transform\nclass _A(Transform):\n    pass\nclass Greet(_A):\n    pass\n",
            "from airloom.nodes.sdk import *\nclass Greet(Transform, presets=[Preset('a', 'A', {})]):\n    pass\n",
            "from airloom.nodes.sdk import Transform\nONE = 1\nclass Greet(Transform, version=ONE):\n    pass\n",
            "from airloom.nodes.sdk import *\nclass Greet(Transform):\n    pass\n",
            "import airloom.nodes.sdk\nclass Greet(airloom.nodes.sdk.Transform):\n    pass\n",
            "from airloom.nodes.sdk import Action\nclass Greet(Action, effect='read'):\n    pass\n",
            "from airloom.nodes.sdk import Node\nclass Greet(Node):\n    pass\n",
        ],
    )
    def test_a_base_is_settled_in_every_form(self, write: Write, text: str) -> None:
        write(text)
        [shown] = [declared for declared in catalog().declarations() if declared.category == "own"]
        assert shown == catalog().get("greet").declaration
        assert catalog().problems == []

    def test_a_file_that_fails_says_so_and_nothing_suggests_its_types(self, write: Write) -> None:
        write(GREET + self.LOUD)
        with pytest.raises(UnknownNodeType) as raised:
            catalog().get("greet")
        assert "greet.py cannot be read, line 11: RuntimeError: this file ran" in str(raised.value)
        assert [problem.code for problem in catalog().problems] == ["node.broken_file"]
        assert "greet" not in [node.declaration.type for node in catalog().all()]

    def test_a_duplicate_of_an_installed_type(self, write: Write) -> None:
        write(GREET.replace("Greet", "Filter"), "filter.py")
        assert catalog().get("filter").__module__ == "airloom.nodes.tables.filter"
        [problem] = catalog().problems
        assert problem.message.startswith(
            "filter.py declares 'filter' version 1 again; airloom.nodes.tables.filter has"
        )


class TestOtherPackages:
    """Modules that the entry point `airloom.nodes` names."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        package = tmp_path / "prices"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('the package ran')\n")
        (package / "nodes.py").write_text(GREET.replace("Greet", "Price"))
        (tmp_path / "good.py").write_text(GREET + "import prices_are_fine\n")
        (tmp_path / "prices_are_fine.py").write_text("")
        information = tmp_path / "prices-1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: prices\nVersion: 1\n")
        (information / "entry_points.txt").write_text("[airloom.nodes]\na = prices.nodes\nb = good\nc = not_there\n")
        return os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    def test_they_are_listed_unseen_and_had_when_asked_for(self, environment: dict[str, str]) -> None:
        code = """
            import sys
            from airloom.nodes.catalog import catalog, UnknownNodeType
            print([shown.type for shown in catalog().declarations() if shown.category == "own"])
            print("prices" in sys.modules, "good" in sys.modules)
            print(catalog().get("greet").__module__)
            try:
                catalog().get("price")
            except UnknownNodeType as error:
                print(error.message)
            print(*[problem.message for problem in catalog().problems], sep="\\n")
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [
            "['greet', 'price']",
            "False False",
            "good",
            "the node type 'price' cannot be loaded: prices.nodes cannot be read: RuntimeError: the package ran",
            "not_there cannot be read: ModuleNotFoundError: No module named 'not_there'",
            "prices.nodes cannot be read: RuntimeError: the package ran",
        ]


def test_three_hundred_types_are_listed_quickly(write: Write) -> None:
    for number in range(240):
        write(GREET.replace("Greet", f"Greet{number}"), f"greet_{number}.py")
    started = time.process_time()
    assert len([shown for shown in catalog().declarations() if shown.category == "own"]) == 240
    # Generous: the figure of a quiet machine is told by bench/catalog.py.
    assert time.process_time() - started < 1.0
