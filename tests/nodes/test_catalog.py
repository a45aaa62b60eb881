"""The manifest of the package's node types, and what a look-up imports."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from airloom.nodes.catalog import catalog
from airloom.nodes.describing import describe_node
from airloom.nodes.manifest import COMMAND, PATH, manifest, text
from airloom.nodes.modules import module_spec
from airloom.nodes.sdk import ICONS, Preset, Transform


def printed(code: str) -> list[str]:
    """Return the lines that code prints in a fresh process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_manifest_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), f"run: {COMMAND}"


def test_a_line_of_the_manifest_is_what_the_class_declares() -> None:
    for home in manifest():
        assert home.declaration == replace(home.load().declaration, inputs=None, outputs=None)


def test_a_list_is_that_of_all_classes() -> None:
    listed = [(declared.category, declared.type, declared.version) for declared in catalog().declarations()]
    declared = [node.declaration for node in catalog().all()]
    assert listed == [(one.category, one.type, one.version) for one in declared]


def test_listing_and_looking_up_import_no_node_module() -> None:
    code = (
        "import sys; from airloom.nodes.catalog import catalog; catalog().declarations(); "
        "print(sorted(name for name in sys.modules if name.startswith('airloom.nodes.') and name.count('.') > 2)); "
        "catalog().get('merge', 1); "
        "print(sorted(name for name in sys.modules if name.startswith('airloom.nodes.') and name.count('.') > 2))"
    )
    assert printed(code) == ["[]", "['airloom.nodes.control.merge']"]


def test_every_category_has_an_icon_and_a_type_may_have_its_own() -> None:
    assert {declared.category for declared in catalog().declarations()} <= ICONS.keys()

    class Hail(Transform, icon="cloud-hail"):
        """Hail somebody."""

    class Rain(Transform):
        """Let it rain."""

    assert (Hail.declaration.icon, Rain.declaration.icon) == ("cloud-hail", ICONS["own"])
    assert catalog().get("filter").declaration.icon == ICONS["tables"]


def test_a_description_tells_icon_stability_and_presets() -> None:
    class Hail(Transform, stability="preview", presets=[Preset("loud", "Hail loudly", {"word": "HAIL"})]):
        """Hail somebody."""

        word: str

        def run(self) -> str:
            return self.word

    described = describe_node(Hail)
    assert (described["icon"], described["stability"]) == ("puzzle", "preview")
    assert described["presets"] == [{"name": "loud", "title": "Hail loudly", "config": {"word": "HAIL"}}]


def test_threads_that_ask_a_fresh_process_at_once_get_whole_answers() -> None:
    code = (
        "import threading; from airloom.nodes.catalog import catalog\n"
        "names = ['pivot', 'window', 'csv_read', 'switch'] * 8; start = threading.Barrier(len(names)); found = []\n"
        "def ask(name):\n    start.wait(); found.append(catalog().get(name).declaration.type)\n"
        "threads = [threading.Thread(target=ask, args=[name]) for name in names]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(sorted(found) == sorted(names))"
    )
    assert printed(code) == ["True"]


class TestExtras:
    def test_asking_for_an_extra_imports_no_parent(self) -> None:
        code = (
            "import sys; from airloom.nodes.sdk import Source\n"
            "class Here(Source, requires='postgres:airflow.providers.postgres.hooks.postgres'): pass\n"
            "class Gone(Source, requires='paint:airflow.providers.postgres.hooks.paint'): pass\n"
            "class Far(Source, requires='paint:airflow.version.deeper'): pass\n"
            "class Farther(Source, requires='nothing_of_that_name.at.all'): pass\n"
            "missing = [node.missing_module() for node in (Here, Gone, Far, Farther)]\n"
            "print([found and found.name for found in missing], 'airflow' in sys.modules)"
        )
        names = [
            None,
            "airflow.providers.postgres.hooks.paint",
            "airflow.version.deeper",
            "nothing_of_that_name.at.all",
        ]
        assert printed(code) == [f"{names} False"]

    def test_namespace_packages_too(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
        for folder, module in zip(folders, ("red", "blue"), strict=True):
            (folder / "colours_of_all" / "bright").mkdir(parents=True)
            (folder / "colours_of_all" / "bright" / f"{module}.py").write_text("")
        code = (
            f"import sys; sys.path += {[str(folder) for folder in folders]!r}\n"
            "from airloom.nodes.modules import module_spec\n"
            "names = ['colours_of_all.bright.red', 'colours_of_all.bright.blue', 'colours_of_all.bright.green']\n"
            "print([module_spec(name) is not None for name in names], 'colours_of_all' in sys.modules)"
        )
        assert printed(code) == ["[True, True, False] False"]

    def test_a_package_that_is_spread_over_folders(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        one, other = (tmp_path_factory.mktemp(name) for name in ("one", "other"))
        for folder in (one, other):
            (folder / "colours_of_all").mkdir()
            path = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)'
            (folder / "colours_of_all" / "__init__.py").write_text(path)
        (other / "colours_of_all" / "blue.py").write_text("")
        code = (
            f"import sys; sys.path += {[str(one), str(other)]!r}\n"
            "from airloom.nodes.modules import module_spec\n"
            "print(module_spec('colours_of_all.blue') is not None, 'colours_of_all' in sys.modules)\n"
            "import colours_of_all; print(module_spec('colours_of_all.blue') is not None)"
        )
        assert printed(code) == ["True False", "True"]

    def test_a_module_that_is_imported_is_there(self) -> None:
        assert module_spec("airloom.nodes.sdk") is not None
        assert module_spec("airloom.nodes.no_such_module") is None
