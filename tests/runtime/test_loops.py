"""Loops: what their items give, what fails, and where another attempt goes on."""

from __future__ import annotations

import multiprocessing
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.runtime.conftest import node, rows_of

from airloom.runtime.loop import Share
from airloom.runtime.progress import PART
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace
from airloom.runtime.table_child import SESSIONS

if TYPE_CHECKING:
    from tests.runtime.conftest import Run, Workshop

NODES = '''
import os
import signal
from pathlib import Path
from typing import Any
from airloom.nodes.sdk import Action, DataError, Transform, TransientError

class Once(Action, effect="pure"):
    """Note that it ran, and fail for the items of a file as long as it names them."""

    folder: str
    waits: bool = False

    def run(self, value: Any) -> Any:
        with (Path(self.folder) / "ran").open("a") as file:
            file.write(f"{value}\\n")
        if str(value) in (Path(self.folder) / "failing").read_text().split():
            raise (TransientError if self.waits else DataError)(f"{value} fails", hint="wait")
        return value * 10

class Note(Action):
    """Note that it ran, and be killed at the items of a file."""

    folder: str

    def run(self, value: Any) -> Any:
        with (Path(self.folder) / "ran").open("a") as file:
            file.write(f"{value}\\n")
        if str(value) in (Path(self.folder) / "failing").read_text().split():
            os.kill(os.getpid(), signal.SIGKILL)
        return value
'''


@pytest.fixture
def folder(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the nodes of these tests write into."""
    from airloom.spec.configuration import configuration

    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "noting.py").write_text(NODES)
    monkeypatch.setenv("AIRLOOM_NODES", str(tmp_path / "nodes"))
    configuration.cache_clear()
    (tmp_path / "failing").write_text("")
    (tmp_path / "ran").write_text("")
    return tmp_path


def loop(
    folder: Path, items: Any, body: str = "once", more: dict[str, Any] | None = None, **config: Any
) -> tuple[Any, ...]:
    """Return the nodes of a document whose loop runs one node for each item."""
    inner = node("inner", body, folder=str(folder), **(more or {}))
    edges = [{"from": "loop.item", "to": "inner"}]
    each = {**node("each", "for_each", **config), "body": {"nodes": [inner], "edges": edges, "result": "inner"}}
    return node("items", "set", value=items), each


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().split()


def begin(workshop: Workshop, *nodes: Any) -> Run:
    run = workshop.begin(*nodes, edges="items>each", grouping="none")
    run.step("items")
    return run


def each(run: Run, attempt: int = 1, *, last: bool = False) -> NodeResult:
    run.attempt(attempt, last=last)
    return run.step("each")["each"]


def results(result: NodeResult, port: str = "results") -> Any:
    return result.outputs[port]["value"]


@pytest.mark.parametrize(
    ("items", "wanted"), [([1, 2, 3], [10, 20, 30]), ([], []), (7, [70]), (None, []), ("ab", ["ab" * 10])]
)
def test_a_list_is_its_items_any_other_value_is_one(workshop: Workshop, folder: Path, items: Any, wanted: Any) -> None:
    assert results(each(begin(workshop, *loop(folder, items)))) == wanted


def test_the_rows_of_a_table_are_items(workshop: Workshop) -> None:
    body = {
        "nodes": [node("line", "set", value="{{ loop.index + 1 }}/{{ loop.total }} {{ loop.item.name }}")],
        "result": "line",
    }
    file = workshop.rows("people.jsonl", [{"name": "Ada"}, {"name": "Bob"}])
    found = workshop.run(
        node("rows", "jsonl_read", path=file), {**node("each", "for_each"), "body": body}, edges="rows>each"
    )
    assert results(found["each"]) == ["1/2 Ada", "2/2 Bob"]


def test_a_failure_stops_the_loop_and_names_the_item(workshop: Workshop, folder: Path) -> None:
    (folder / "failing").write_text("2")
    result = each(begin(workshop, *loop(folder, [1, 2, 3])))
    assert result.error is not None
    assert (result.error["message"], result.error["node"]) == ("item 1, node 'inner': 2 fails", "inner")
    assert ran(folder) == ["1", "2"]


def test_a_loop_that_continues_leaves_gaps_and_lists_the_failures(workshop: Workshop, folder: Path) -> None:
    (folder / "failing").write_text("1 3")
    result = each(begin(workshop, *loop(folder, [1, 2, 3], on_error="continue")))
    assert result.fired == ["results", "errors"]
    assert results(result) == [None, 20, None]
    failure = {"index": 2, "node": "inner", "code": "data", "message": "3 fails", "hint": "wait"}
    assert results(result, "errors") == [{**failure, "index": 0, "message": "1 fails"}, failure]


def test_another_attempt_goes_on_with_the_item_that_failed(workshop: Workshop, folder: Path) -> None:
    (folder / "failing").write_text("3")
    run = begin(workshop, *loop(folder, [1, 2, 3, 4], more={"waits": True}))
    assert each(run).state == "failed"
    assert each(run, 2).state == "failed"
    (folder / "failing").write_text("")
    result = each(run, 3, last=True)
    assert results(result) == [10, 20, 30, 40]
    assert ran(folder) == ["1", "2", "3", "3", "3", "4"]
    assert result.statistics["nodes"]["inner"]["success"] == 4


def test_what_may_pass_is_tried_again_before_a_loop_continues(workshop: Workshop, folder: Path) -> None:
    (folder / "failing").write_text("1 2")
    run = begin(workshop, *loop(folder, [1, 2, 3], on_error="continue", more={"waits": True}))
    assert each(run).state == "failed"
    (folder / "failing").write_text("2")
    result = each(run, 2, last=True)
    assert results(result) == [10, None, 30]
    assert ran(folder) == ["1", "1", "2", "3"]


def test_failures_that_the_loop_went_on_after_are_not_tried_again(workshop: Workshop, folder: Path) -> None:
    (folder / "failing").write_text("1 3")
    run = begin(workshop, *loop(folder, [1, 2, 3], on_error="continue", more={"waits": False}))
    run.attempt(1, last=False)
    assert results(each(run)) == [None, 20, None]
    # As after a kill: what was done is known, though the task is tried again.
    result = each(run, 2, last=True)
    assert results(result) == [None, 20, None]
    assert [failure["index"] for failure in results(result, "errors")] == [0, 2]
    assert ran(folder) == ["1", "2", "3"]


def test_a_cleared_task_begins_anew_and_so_does_an_item_that_is_another(workshop: Workshop, folder: Path) -> None:
    run = begin(workshop, *loop(folder, [1, 2]))
    each(run)
    run.surroundings.run = run.surroundings.run.__class__("made", "run 1", attempt=2, first_attempt=2)
    run.step("each")
    assert ran(folder) == ["1", "2", "1", "2"]
    run = begin(workshop, *loop(folder, [1, 5]))
    each(run, 2)
    assert ran(folder) == ["1", "2", "1", "2", "5"]


def test_what_shows_outside_is_taken_down_at_once(workshop: Workshop, folder: Path) -> None:
    run = begin(workshop, *loop(folder, [1, 2, 3], "note"))
    (folder / "failing").write_text("2")
    killed = multiprocessing.get_context("fork").Process(target=each, args=(run,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    (folder / "failing").write_text("")
    assert results(each(run, 2, last=True)) == [1, 2, 3]
    assert ran(folder) == ["1", "2", "2", "3"]


def test_many_items_are_kept_in_several_files(workshop: Workshop, folder: Path) -> None:
    items = list(range(PART * 2 + 5))
    (folder / "failing").write_text(str(PART * 2 + 2))
    run = begin(workshop, *loop(folder, items))
    each(run)
    (folder / "failing").write_text("")
    result = each(run, 2, last=True)
    assert results(result) == [item * 10 for item in items]
    assert len(ran(folder)) == len(items) + 1


class TestRepeatUntil:
    def repeat(self, workshop: Workshop, value: Any, expression: str, **config: Any) -> NodeResult:
        body = {"nodes": [node("next", "set", value=expression)], "result": "next"}
        loop = {**node("again", "repeat_until", **config), "body": body}
        return workshop.run(node("first", "set", value=value), loop, edges="first>again", grouping="none")["again"]

    def test_it_ends_when_all_rules_hold(self, workshop: Workshop) -> None:
        rules = [{"field": "n", "operator": "gt", "value": 20}, {"field": "n", "operator": "lt", "value": 50}]
        result = self.repeat(workshop, {"n": 1}, "{{ {'n': loop.item.n * 3} }}", until=rules)
        assert result.outputs["value"]["value"] == {"n": 27}
        assert result.statistics["nodes"]["next"]["success"] == 3

    def test_without_an_edge_it_begins_with_nothing(self, workshop: Workshop) -> None:
        body = {"nodes": [node("next", "set", value="{{ loop.index }}")], "result": "next"}
        loop = {**node("again", "repeat_until", until=[{"operator": "gte", "value": 3}]), "body": body}
        assert workshop.run(loop)["again"].outputs["value"]["value"] == 3

    def test_it_fails_where_the_rounds_are_over(self, workshop: Workshop) -> None:
        error = self.repeat(workshop, 1, "{{ loop.item }}", until=[{"value": 2}], max_rounds=3).error
        assert error is not None
        assert error["message"] == "after 3 rounds, the rules do not hold for the result"
        assert (error["field"], error["hint"]) == ("until", "raise max_rounds or timeout, or set on_limit: continue")

    def test_or_goes_on_with_the_last_result(self, workshop: Workshop) -> None:
        result = self.repeat(
            workshop, 1, "{{ loop.item + 1 }}", until=[{"value": 0}], max_rounds=3, on_limit="continue"
        )
        assert result.outputs["value"]["value"] == 4

    def test_no_round_begins_after_the_timeout(self, workshop: Workshop) -> None:
        began = time.monotonic()
        error = self.repeat(workshop, 1, "{{ loop.item }}", until=[{"value": 2}], timeout="1s", pause="0.4s").error
        assert error is not None
        assert error["message"].startswith("after 0:00:01 and 3 rounds")
        assert time.monotonic() - began < 5

    def test_a_rule_that_cannot_be_asked_names_its_place(self, workshop: Workshop) -> None:
        error = self.repeat(workshop, "a", "a", until=[{"operator": "matches_regex", "value": "("}]).error
        assert error is not None
        assert error["field"] == "until/0/value"

    def test_another_attempt_goes_on_with_the_round_that_failed(self, workshop: Workshop, folder: Path) -> None:
        (folder / "failing").write_text("100")
        body = {"nodes": [node("inner", "once", folder=str(folder), waits=True)],
                "edges": [{"from": "loop.item", "to": "inner"}], "result": "inner"}  # fmt: skip
        again = {**node("each", "repeat_until", until=[{"operator": "gt", "value": 5000}], pause="0.1s"), "body": body}
        run = begin(workshop, node("items", "set", value=1), again)
        assert each(run).state == "failed"
        (folder / "failing").write_text("")
        assert each(run, 2, last=True).outputs["value"]["value"] == 10_000
        assert ran(folder) == ["1", "10", "100", "100", "1000"]


def test_rows_of_all_items_come_together(workshop: Workshop) -> None:
    """A list of objects is a table for a node that takes one."""
    body = {"nodes": [node("one", "set", value={"n": "{{ loop.item }}", "square": "{{ loop.item * loop.item }}"})],
            "result": "one"}  # fmt: skip
    found = workshop.run(
        node("items", "set", value=[1, 2, 3]),
        {**node("each", "for_each"), "body": body},
        node("large", "filter", where="square > 1"),
        edges="items>each each>large",
    )
    assert rows_of(found["large"]) == [{"n": 2, "square": 4}, {"n": 3, "square": 9}]


class TestTables:
    """Table nodes in bodies share a process and its databases; each item is worked out by itself all the same."""

    def loop(self, workshop: Workshop, items: Any, sql: str, config: dict[str, Any] | None = None) -> NodeResult:
        """Return how a loop ended whose body makes a table of one row of its item, and asks it this."""
        inner = [
            node("row", "set", value=[{"n": "{{ loop.item }}"}]),
            node("sum", "sql", sql=sql, **(config or {})),
            node("back", "set", value="{{ nodes.sum.rows.first(1)[0].n }}"),
        ]
        edges = [{"from": "row", "to": "sum"}, {"from": "sum", "to": "back"}]
        each = node("each", "for_each", on_error="continue")
        body = {"nodes": inner, "edges": edges, "result": "back"}
        nodes = node("items", "set", value=items), {**each, "body": body}
        return workshop.begin(*nodes, edges="items>each").all()["each"]

    def test_items_of_other_types(self, workshop: Workshop) -> None:
        items = [1, 2, "a", 3.5, "b", 4]
        assert results(self.loop(workshop, items, "select n as n from rows")) == items

    def test_what_fails_leaves_those_after_it_alone(self, workshop: Workshop) -> None:
        found = self.loop(workshop, [1, "x", 3], "select n + 1 as n from rows")
        assert results(found) == [2, None, 4]
        assert [(error["index"], error["node"]) for error in results(found, "errors")] == [(1, "sum")]

    def test_a_config_that_differs_for_each_item(self, workshop: Workshop) -> None:
        count = SESSIONS + 3
        sql = "select n + {{ loop.item }} as n from rows"
        assert results(self.loop(workshop, list(range(count)), sql)) == [2 * n for n in range(count)]


class TestShares:
    """Tasks that share the items of a loop, and the one behind them, give what one task gives."""

    def shared(self, run: Run, shares: int, attempt: int = 1) -> NodeResult:
        """Run each share in an attempt of its own, and then what gives the results."""
        workplace = Workplace(run.document, run.settings)
        for number in range(shares):
            run.attempt(attempt, last=True)
            result = workplace.run(run.plan, "each", run.surroundings, share=Share(number, shares)).nodes["each"]
            assert result.state == "success"
            assert result.outputs == {}
        run.attempt(1, last=True)
        return workplace.run(run.plan, "each", run.surroundings, share=[attempt] * shares).nodes["each"]

    @pytest.mark.parametrize("items", [[], [1], [1, 2, 3, 4, 5, 6, 7], "text"])
    def test_results_are_in_order_and_each_item_is_done_once(
        self, workshop: Workshop, folder: Path, items: Any
    ) -> None:
        alone = results(each(begin(workshop, *loop(folder, items))))
        once = ran(folder)
        assert results(self.shared(begin(workshop, *loop(folder, items)), 3)) == alone
        assert sorted(ran(folder)) == sorted(once * 2)

    def test_failures_are_those_of_one_task(self, workshop: Workshop, folder: Path) -> None:
        (folder / "failing").write_text("2 7")
        run = begin(workshop, *loop(folder, list(range(8)), on_error="continue"))
        alone, shared = each(run), self.shared(run, 3)
        assert shared.outputs == alone.outputs
        assert shared.statistics["nodes"] == alone.statistics["nodes"]

    def test_an_item_that_no_task_has_done_is_an_error(self, workshop: Workshop, folder: Path) -> None:
        run = begin(workshop, *loop(folder, [1, 2, 3]))
        self.shared(run, 2)
        found = Workplace(run.document, run.settings).run(run.plan, "each", run.surroundings, share=[1]).nodes["each"]
        assert found.error is not None
        assert found.error["message"] == "no task has worked through item 1"
