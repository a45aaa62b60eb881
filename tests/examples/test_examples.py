"""The example pipelines are right, and give what plain Python works out from the same files."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet
import pytest
from airflow.sdk import Connection

from airloom.checks.check import check
from airloom.checks.facts import Facts
from airloom.engine.storage import Files
from airloom.runtime.trial import Trial
from airloom.spec.configuration import Configuration
from airloom.spec.text import read_text
from airloom.store.lookup import plain

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
NAMES = ("daily_operations.json", "penguin_quality.json", "route_ranking.yaml", "weather_delivery.json")
EXAMPLES = [PROJECT / "include" / "pipelines" / name for name in NAMES]

spec = importlib.util.spec_from_file_location("expected", HERE / "expected.py")
assert spec
assert spec.loader
expected = importlib.util.module_from_spec(spec)
spec.loader.exec_module(expected)

Row = dict[str, Any]


def states(trial: Trial) -> dict[str, str]:
    return {node: report["state"] for node, report in trial.nodes.items()}


def failures(trial: Trial) -> list[Any]:
    return [trial.problems, *(report["error"] for report in trial.nodes.values() if report["error"])]


def csv_rows(path: Path) -> list[Row]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def as_texts(rows: list[Row]) -> list[Row]:
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


@pytest.fixture
def warehouse(database_url: str) -> Any:
    """Return what gives the Connection `warehouse` to an empty database of this test."""
    connection = Connection.from_uri(plain(database_url), "warehouse")
    return lambda name: connection if name == "warehouse" else pytest.fail(f"asked for {name}")


def test_the_kept_results_are_those_that_plain_python_gives() -> None:
    for name, work_out in expected.FILES.items():
        assert (HERE / name).read_text() == expected.text_of(work_out())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_neither_problem_nor_warning(path: Path) -> None:
    data, problems = read_text(path.read_text(encoding="utf-8"), path.name)
    report = check(data, Facts(files=Files.of(Configuration(root=PROJECT))))
    assert [*problems, *report.problems] == []
    assert report.document is not None
    assert report.document.id == path.stem
    assert report.document.name
    assert report.document.description
    assert "example" in report.document.tags
    assert [node.id for node in report.document.nodes if not node.name] == []


class TestDailyOperations:
    """Join, filter, split, aggregate, and an upsert into PostgreSQL."""

    def rows(self, url: str) -> list[Row]:
        """Return the table that the example writes, as plain Python has it."""
        columns = list(expected.daily_operations()[0])
        with psycopg.connect(plain(url)) as connection:
            query = f"select {', '.join(columns)} from daily_operations order by flight_day, carrier"
            found = connection.execute(query.encode()).fetchall()
        return [{**dict(zip(columns, row, strict=True)), "flight_day": row[0].isoformat()} for row in found]

    def test_the_table_holds_the_figures(self, run_example: Any, database_url: str, warehouse: Any) -> None:
        trial = run_example("daily_operations.json", connections=warehouse)
        assert trial.ok, failures(trial)
        assert set(states(trial).values()) == {"success"}
        assert self.rows(database_url) == expected.daily_operations()

    def test_a_second_run_updates_rows_and_adds_none(self, run_example: Any, database_url: str, warehouse: Any) -> None:
        assert run_example("daily_operations.json", connections=warehouse).ok
        given = {"first_day": "2013-02-09", "late_after": "60"}
        trial = run_example("daily_operations.json", given, connections=warehouse)
        assert trial.ok, failures(trial)
        untouched = [row for row in expected.daily_operations() if row["flight_day"] < "2013-02-09"]
        assert self.rows(database_url) == untouched + expected.daily_operations("2013-02-09", late_after=60)

    def test_without_the_connection_only_the_write_fails(self, run_example: Any) -> None:
        trial = run_example("daily_operations.json")
        assert not trial.ok
        assert [node for node, state in states(trial).items() if state != "success"] == ["load"]
        assert "'warehouse'" in trial.nodes["load"]["error"]["message"]


class TestPenguinQuality:
    """A switch, a finding for each way, and a merge."""

    @pytest.mark.parametrize(
        ("tolerated", "way"), [(None, "note_usable"), ("11", "note_usable"), ("10", "note_refused")]
    )
    def test_one_finding_is_made_and_saved(
        self, tolerated: str | None, way: str, run_example: Any, project: Path
    ) -> None:
        trial = run_example("penguin_quality.json", {"tolerated": tolerated} if tolerated else {})
        assert trial.ok, failures(trial)
        made = {node for node, state in states(trial).items() if node.startswith("note_") and state == "success"}
        assert made == {way}
        finding = expected.penguin_quality(int(tolerated)) if tolerated else expected.penguin_quality()
        assert json.loads((project / "output" / "penguin_quality.jsonl").read_text()) == finding

    def test_complete_data_take_the_first_way(self, run_example: Any, project: Path) -> None:
        penguins = project / "include" / "data" / "penguins" / "penguins.csv"
        complete = [line for line in penguins.read_text().splitlines() if "NA" not in line.split(",")]
        penguins.write_text("\n".join(complete) + "\n")
        trial = run_example("penguin_quality.json")
        assert trial.ok, failures(trial)
        assert states(trial)["note_complete"] == "success"
        saved = json.loads((project / "output" / "penguin_quality.jsonl").read_text())
        assert saved == {"verdict": "complete", "advice": "use all rows"}


class TestWeatherDelivery:
    """CSV and Parquet output, and an error edge."""

    def test_a_delivered_day_is_taken_in(self, run_example: Any, project: Path) -> None:
        trial = run_example("weather_delivery.json")
        assert trial.ok, failures(trial)
        assert states(trial)["missing"] == states(trial)["note"] == "skipped"
        assert not (project / "output" / "missing_delivery.jsonl").exists()
        bad = csv_rows(project / "output" / "bad_weather.csv")
        place = [(row["origin"], row["hour"], float(row["visib"])) for row in bad]
        assert place == [(row["origin"], row["hour"], float(row["visib"])) for row in expected.bad_weather()]
        hours = pyarrow.parquet.read_table(project / "output" / "weather.parquet").to_pylist()
        hours.sort(key=lambda row: (row["origin"], row["hour"]))
        gusts = [(row["origin"], row["hour"], row["wind_gust"]) for row in hours]
        assert gusts == [
            (row["origin"], int(row["hour"]), float(row["wind_gust"]) if row["wind_gust"] else None)
            for row in expected.weather()
        ]

    def test_a_day_that_was_not_delivered_is_noted(self, run_example: Any, project: Path) -> None:
        trial = run_example("weather_delivery.json", {"day": "2013-03-01"})
        assert trial.ok, failures(trial)
        ways = states(trial)
        assert ways["delivery"] == "failed"
        assert trial.nodes["delivery"]["fired"] == ["error"]
        assert {ways[node] for node in ("bad_hours", "in_order", "for_people", "for_programs")} == {"skipped"}
        note = json.loads((project / "output" / "missing_delivery.jsonl").read_text())
        assert note["day"] == "2013-03-01"
        assert "weather-2013-03-01.csv" in note["reason"]
        assert sorted(path.name for path in (project / "output").iterdir()) == ["missing_delivery.jsonl"]


class TestRouteRanking:
    """One SQL node over two inputs, and a schedule."""

    @pytest.mark.parametrize("best", [None, 5])
    def test_the_busiest_routes_are_listed(self, best: int | None, run_example: Any, project: Path) -> None:
        trial = run_example("route_ranking.yaml", {"best": str(best)} if best else {})
        assert trial.ok, failures(trial)
        ranking = expected.route_ranking(best) if best else expected.route_ranking()
        assert csv_rows(project / "output" / "route_ranking.csv") == as_texts(ranking)

    def test_it_is_published_paused(self) -> None:
        data, _ = read_text(
            (PROJECT / "include" / "pipelines" / "route_ranking.yaml").read_text(), "route_ranking.yaml"
        )
        assert data["settings"]["enabled"] is False
        assert data["schedule"] == {"cron": "0 6 * * 1-5", "timezone": "America/New_York"}
