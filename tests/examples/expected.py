"""What the example pipelines should give, worked out in plain Python: `python tests/examples/expected.py` writes it.

Nothing of Airloom is used here, so that a fault of its own cannot hide behind itself.
"""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "include" / "data"
FLIGHTS = DATA / "nycflights13"

Row = dict[str, Any]


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a CSV file; NA is None."""
    with path.open(newline="") as lines:
        return [{key: None if value == "NA" else value for key, value in row.items()} for row in csv.DictReader(lines)]


def daily_operations(first_day: str = "2013-02-07", late_after: int = 15) -> list[Row]:
    """Return the figures of each airline and day."""
    visibility = {
        (row["origin"], row["time_hour"]): float(row["visib"])
        for path in FLIGHTS.glob("weather-*.csv")
        for row in rows_of(path)
    }
    names = {row["carrier"]: row["name"] for row in rows_of(FLIGHTS / "airlines.csv")}
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for flight in rows_of(FLIGHTS / "flights.csv"):
        day = date(int(flight["year"]), int(flight["month"]), int(flight["day"])).isoformat()
        if day >= first_day:
            groups[day, flight["carrier"]].append(flight)
    found = []
    for (day, carrier), flights in sorted(groups.items()):
        flown = [flight for flight in flights if flight["dep_time"] is not None]
        delays = [int(flight["arr_delay"]) for flight in flown if flight["arr_delay"] is not None]
        seen = [visibility.get((flight["origin"], flight["time_hour"])) for flight in flights]
        found.append(
            {
                "flight_day": day,
                "carrier": carrier,
                "airline": names[carrier],
                "scheduled": len(flights),
                "cancelled": len(flights) - len(flown),
                "late": sum(delay > late_after for delay in delays),
                "median_delay": float(statistics.median(delays)) if delays else None,
                "worst_visibility": min((value for value in seen if value is not None), default=None),
            }
        )
    return found


def penguin_quality(tolerated: int = 20) -> Row:
    """Return the finding about the penguins."""
    penguins = rows_of(DATA / "penguins" / "penguins.csv")
    lacking = sum(None in (row["bill_length_mm"], row["body_mass_g"], row["sex"]) for row in penguins)
    if lacking == 0:
        return {"verdict": "complete", "advice": "use all rows"}
    if lacking <= tolerated:
        return {"verdict": "usable", "advice": f"leave out {lacking} of {len(penguins)} rows"}
    return {"verdict": "refused", "advice": f"{lacking} rows are incomplete, {tolerated} are tolerated"}


def weather(day: str = "2013-02-09") -> list[Row]:
    """Return all hours of a day, by airport and hour."""
    rows = rows_of(FLIGHTS / f"weather-{day}.csv")
    return sorted(rows, key=lambda row: (row["origin"], int(row["hour"])))


def bad_weather(day: str = "2013-02-09") -> list[Row]:
    """Return the hours of bad weather of a day, by airport and hour."""
    return [row for row in weather(day) if float(row["visib"]) < 3 or float(row["wind_gust"] or 0) > 35]


def route_ranking(best: int = 3) -> list[Row]:
    """Return the busiest routes of each airport."""
    names = {row["faa"]: row["name"] for row in rows_of(FLIGHTS / "airports.csv")}
    routes: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for flight in rows_of(FLIGHTS / "flights.csv"):
        routes[flight["origin"]][flight["dest"]].append(flight)
    found = []
    for origin, destinations in sorted(routes.items()):
        ranked = sorted(destinations.items(), key=lambda item: (-len(item[1]), item[0]))
        for place, (dest, flights) in enumerate(ranked[:best], start=1):
            cancelled = sum(flight["dep_time"] is None for flight in flights)
            found.append(
                {
                    "origin": origin,
                    "place": place,
                    "dest": dest,
                    "airport": names.get(dest, dest),
                    "scheduled": len(flights),
                    "cancelled_percent": round(100 * cancelled / len(flights), 1),
                }
            )
    return found


FILES: dict[str, Callable[[], list[Row]]] = {
    "daily_operations.expected.csv": daily_operations,
    "route_ranking.expected.csv": route_ranking,
}
"""The results that are kept beside the tests, for people to read."""


def text_of(rows: list[Row]) -> str:
    """Return rows as CSV text."""
    lines = [
        ",".join(rows[0]),
        *(",".join("" if value is None else str(value) for value in row.values()) for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name, rows in FILES.items():
        (HERE / name).write_text(text_of(rows()))
