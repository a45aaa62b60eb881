"""What the pipelines of docs/tutorials.md should write, worked out in plain Python.

Nothing of Airloom is used here, so that a fault of its own cannot hide behind itself. The function that has the name
of a file returns its rows, in their order; a `Decimal` stands for a number that is written with just these digits.
Times have no zone: those of flights and weather are UTC.
"""

from __future__ import annotations

import csv
import functools
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "include" / "data"
HOUR = timedelta(hours=1)
MIDNIGHT = datetime.fromisoformat("2013-02-07T05:00")
"""Midnight in New York before the first day, in UTC."""

Row = dict[str, Any]


def value_of(text: str) -> Any:
    """Return a value of a CSV file as Python has it; NA is None."""
    if text == "NA":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00:00Z", text):
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return text


@functools.cache
def rows_of(pattern: str) -> list[Row]:
    """Return the rows of CSV files below the data; nobody may change them."""
    found = []
    for path in sorted(DATA.glob(pattern)):
        with path.open(newline="") as lines:
            found += [{name: value_of(text) for name, text in row.items()} for row in csv.DictReader(lines)]
    return found


def flights() -> list[Row]:
    return rows_of("nycflights13/flights.csv")


def cancelled() -> list[Row]:
    return [flight for flight in flights() if flight["dep_time"] is None]


def airports() -> list[Row]:
    return rows_of("nycflights13/airports.csv")


def weather() -> list[Row]:
    return rows_of("nycflights13/weather-*.csv")


def penguins() -> list[Row]:
    return rows_of("penguins/penguins.csv")


def grouped(rows: Iterable[Row], *names: str) -> list[tuple[tuple[Any, ...], list[Row]]]:
    """Return the rows of each key, by key."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return sorted(groups.items())


def those_with(rows: Iterable[Row], name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]


def cut(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names}


def digits(number: float | Decimal, places: str) -> Decimal:
    return Decimal(str(number)).quantize(Decimal(places), ROUND_HALF_UP)


def penguin_register() -> list[Row]:
    register = [
        {
            "kind": "bird",
            "species": row["species"],
            "sex": row["sex"] or "unknown",
            "mass_kg": digits(Decimal(row["body_mass_g"]) / 1000, "0.01"),
            "flipper_cm": digits(Decimal(row["flipper_length_mm"]) / 10, "0.1"),
            "season": str(row["year"]),
        }
        for row in penguins()
        if row["body_mass_g"] is not None
    ]
    return sorted(register, key=lambda row: (-row["mass_kg"], *row.values()))[:10]


def worst_of_each_carrier() -> list[Row]:
    late = [
        row
        for row in flights()
        if row["arr_delay"] is not None
        and row["arr_delay"] > 60
        and 8 <= row["day"] <= 10
        and (row["distance"] >= 1000 or row["origin"] in ("JFK", "LGA"))
    ]
    names = ("carrier", "flight", "day", "origin", "dest", "arr_delay")
    worst = [max(rows, key=lambda row: row["arr_delay"]) for _, rows in grouped(late, "carrier")]
    return sorted((cut(row, *names) for row in worst), key=lambda row: -row["arr_delay"])


def lost_flights() -> list[Row]:
    return [row for row in worst_of_each_carrier() if row["arr_delay"] >= 240]


def late_flights() -> list[Row]:
    return [row for row in worst_of_each_carrier() if row["arr_delay"] < 240][:3]


def penguins_by_sex() -> list[Row]:
    measured = [row for row in penguins() if row["sex"] is not None or row["body_mass_g"] is not None]
    told = [{**row, "sex": row["sex"] or "unknown"} for row in measured]
    return [
        {"species": species, "sex": sex, "birds": len(rows), "median_mass": median(rows, "body_mass_g")}
        for (species, sex), rows in grouped(told, "species", "sex")
    ]


def complete_penguins() -> list[Row]:
    complete = [row for row in penguins() if None not in row.values()]
    return [
        {"species": species, "birds": len(rows), "median_mass": median(rows, "body_mass_g")}
        for (species,), rows in grouped(complete, "species")
    ]


def median(rows: Iterable[Row], name: str) -> float:
    return float(statistics.median(those_with(rows, name)))


def last_pressure() -> list[Row]:
    found = []
    last = None
    for row in sorted((row for row in weather() if row["origin"] == "JFK"), key=lambda row: row["time_hour"]):
        last = last if row["pressure"] is None else row["pressure"]
        if row["day"] == 8 and 12 <= row["hour"] <= 20:
            found.append({**cut(row, "time_hour", "hour", "pressure"), "last_known": last})
    return found


def departure_board() -> list[Row]:
    found = []
    for row in airports():
        if not 960 <= row["alt"] <= 1300:
            continue
        continent, clock = row["tzone"].split("/")
        name = re.sub(r" (Intl|International|Regional|Rgnl).*$", "", row["name"])
        letters = "".join(letter for letter in name if letter.isalnum() or letter.isspace())
        found.append(
            {
                "name": row["name"],
                "board": " ".join(letters.split()).upper() + " / " + row["faa"],
                "continent": continent,
                "clock": clock.replace("_", " ").upper(),
                "summer_time": {"A": "yes", "N": "no"}[row["dst"]],
            }
        )
    return sorted(found, key=lambda row: row["board"])


def scheduled(flight: Row) -> datetime:
    """Return when a flight was to leave, by the clocks of New York."""
    clock = f"{flight['sched_dep_time']:04}"
    return datetime.fromisoformat(f"{flight['year']}-{flight['month']:02}-{flight['day']:02}T{clock[:2]}:{clock[2:]}")


def standstill() -> list[Row]:
    found = []
    for (origin,), rows in grouped((row for row in flights() if row["dep_time"] is not None), "origin"):
        last = max(scheduled(row) for row in rows if row["day"] == 8)
        first = min(scheduled(row) for row in rows if row["day"] == 9)
        hours = round((first - last) / HOUR, 1)
        found.append(
            {
                "origin": origin,
                "last": last,
                "first": first,
                "hours": hours,
                "first_weekday": first.isoweekday(),
                "first_hour": first.hour,
            }
        )
    return sorted(found, key=lambda row: -row["hours"])


def made_up_time() -> list[Row]:
    found = [
        {
            **cut(row, "carrier", "flight", "origin", "dest", "dep_delay", "arr_delay"),
            "gained": row["dep_delay"] - row["arr_delay"],
            "speed": float(round(60 * row["distance"] / row["air_time"])),
        }
        for row in flights()
        if row["arr_delay"] is not None and row["dep_delay"] > 15 and row["arr_delay"] <= 0
    ]
    return sorted(found, key=lambda row: (-row["gained"], row["carrier"], row["flight"]))[:8]


def four_days() -> list[Row]:
    found = []
    for (day,), rows in grouped(flights(), "day"):
        delays = sorted(those_with(rows, "arr_delay"))
        place = 0.9 * (len(delays) - 1)
        low, high = delays[math.floor(place)], delays[math.ceil(place)]
        found.append(
            {
                "day": day,
                "scheduled": len(rows),
                "flown": len(those_with(rows, "dep_time")),
                "carriers": len({row["carrier"] for row in rows}),
                "median_delay": float(statistics.median(delays)),
                "p90_delay": round(low + (place - math.floor(place)) * (high - low), 1),
                "worst": delays[-1],
                "worst_to": next(row["dest"] for row in rows if row["arr_delay"] == delays[-1]),
            }
        )
    return found


def airline_reach() -> list[Row]:
    airlines = {row["carrier"]: row["name"] for row in rows_of("nycflights13/airlines.csv")}
    register = {row["faa"]: row["name"] for row in airports()}
    found = []
    for (carrier,), rows in grouped((row for row in flights() if row["dest"] in register), "carrier"):
        farthest = max(rows, key=lambda row: row["distance"])
        found.append(
            {
                "airline_name": airlines[carrier],
                "flights": len(rows),
                "destinations": len({row["dest"] for row in rows}),
                "farthest": register[farthest["dest"]],
                "miles": farthest["distance"],
            }
        )
    return sorted(found, key=lambda row: -row["flights"])[:8]


def unregistered_airports() -> list[Row]:
    register = {row["faa"] for row in airports()}
    unknown = Counter(row["dest"] for row in flights() if row["dest"] not in register)
    return [{"dest": dest, "flights": count} for dest, count in sorted(unknown.items())]


def cancelled_wide() -> list[Row]:
    count = Counter((row["origin"], row["day"]) for row in cancelled())
    return [
        {"origin": origin, **{f"feb_{day}": count[origin, day] for day in (7, 8, 9, 10)}}
        for origin in ("EWR", "JFK", "LGA")
    ]


def cancelled_long() -> list[Row]:
    count = Counter((row["origin"], row["day"]) for row in cancelled())
    long = [{"origin": origin, "day": f"feb_{day}", "cancelled": number} for (origin, day), number in count.items()]
    return sorted(long, key=lambda row: (-row["cancelled"], row["origin"], row["day"]))[:5]


def gusts(least: float, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["wind_gust"] is not None and row["wind_gust"] > least]


def gust_bulletins() -> list[Row]:
    rows = sorted(gusts(36, rows_of("nycflights13/weather-2013-02-08.csv")), key=lambda row: row["hour"])
    return [
        {
            "origin": origin,
            "readings": [
                {"hour": row["hour"], "wind": {"from": row["wind_dir"], "gust": round(row["wind_gust"], 1)}}
                for row in readings
            ],
        }
        for (origin,), readings in grouped(rows, "origin")
    ]


def strongest_gusts() -> list[Row]:
    rows = gusts(36, rows_of("nycflights13/weather-2013-02-08.csv"))
    first = {origin: min(row["hour"] for row in readings) for (origin,), readings in grouped(rows, "origin")}
    found = [
        {
            "origin": row["origin"],
            "hour": row["hour"],
            "first_hour": first[row["origin"]],
            "gust": round(row["wind_gust"], 1),
        }
        for row in rows
    ]
    return sorted(found, key=lambda row: (-row["gust"], row["origin"], row["hour"]))[:5]


def jetblue_destinations() -> list[Row]:
    names = {row["faa"]: row["name"] for row in airports()} | {
        "BQN": "Rafael Hernandez",
        "PSE": "Mercedita",
        "SJU": "Luis Munoz Marin Intl",
        "STT": "Cyril E King",
        "BOS": "Boston Logan Intl",
        "MSY": "New Orleans Intl",
    }
    count = Counter(row["dest"] for row in flights() if row["carrier"] == "B6")
    ranked = sorted(count.items(), key=lambda item: (-item[1], item[0]))[:12]
    return [{"dest": dest, "name": names[dest], "flights": number} for dest, number in ranked]


def reasons(row: Row) -> list[str]:
    """Return the rules that an hour of weather breaks."""
    rules = {
        "no pressure": row["pressure"] is not None,
        "bad sight": row["visib"] >= 3,
        "gusts": row["wind_gust"] is None or row["wind_gust"] < 30,
        "fog": row["temp"] > row["dewp"],
    }
    return [name for name, kept in rules.items() if not kept]


def fit_hours() -> list[Row]:
    fit = [row for row in weather() if not reasons(row)]
    return [
        {"origin": origin, "hours": len(rows), "coldest": min(row["temp"] for row in rows)}
        for (origin,), rows in grouped(fit, "origin")
    ]


def unfit_hours() -> list[Row]:
    count = Counter("; ".join(reasons(row)) for row in weather() if reasons(row))
    return [{"reasons": why, "hours": n} for why, n in sorted(count.items(), key=lambda item: (-item[1], item[0]))]


def hour_by_hour() -> list[Row]:
    found = []
    so_far = 0
    for (hour,), rows in grouped((row for row in flights() if row["day"] == 8), "hour"):
        lost = sum(row["dep_time"] is None for row in rows)
        so_far += lost
        sights = [row["visib"] for row in weather() if (row["day"], row["hour"]) == (8, hour)]
        found.append(
            {
                "hour": hour,
                "scheduled": len(rows),
                "cancelled": lost,
                "cancelled_so_far": so_far,
                "worst_visibility": float(min(sights)),
            }
        )
    return found


def half_days() -> list[Row]:
    found: list[Row] = []
    for number in range(8):
        start = MIDNIGHT + 12 * HOUR * number
        rows = [row for row in flights() if start <= row["time_hour"] < start + 12 * HOUR]
        flown = len(those_with(rows, "dep_time"))
        found.append({"window_start": start, "window_end": start + 12 * HOUR, "scheduled": len(rows), "flown": flown})
    assert sum(row["scheduled"] for row in found) == len(flights())
    return found


def worst_three_hours() -> list[Row]:
    found = []
    for origin in ("EWR", "JFK", "LGA"):
        times = [row["time_hour"] for row in cancelled() if row["origin"] == origin]
        for number in range(-3, 100):
            start = MIDNIGHT + HOUR * number
            count = sum(start <= time < start + 3 * HOUR for time in times)
            window = {"window_start": start, "window_end": start + 3 * HOUR}
            found.append({**window, "origin": origin, "cancelled": count})
    return sorted(found, key=lambda row: (-row["cancelled"], row["window_start"], row["origin"]))[:5]


def bad_sight() -> list[Row]:
    found: list[Row] = []
    for (origin, time), rows in grouped((row for row in weather() if row["visib"] < 1), "origin", "time_hour"):
        worst = min(row["visib"] for row in rows)
        if found and found[-1]["origin"] == origin and time - found[-1]["last_hour"] < 2 * HOUR:
            spell = found[-1]
            spell.update(last_hour=time, hours=spell["hours"] + len(rows), worst=min(spell["worst"], worst))
        else:
            spell = {"first_hour": time, "last_hour": time, "origin": origin, "hours": len(rows), "worst": worst}
            found.append(spell)
    return found


def gusts_and_cancellations() -> list[Row]:
    def window(row: Row) -> datetime:
        number: int = (row["time_hour"] - MIDNIGHT) // (6 * HOUR)
        return MIDNIGHT + number * 6 * HOUR

    lost: dict[tuple[datetime, str], set[str]] = defaultdict(set)
    for row in cancelled():
        lost[window(row), row["origin"]].add(f"{row['carrier']}{row['flight']}")
    strong = [{**row, "window_start": window(row)} for row in gusts(35, weather())]
    return [
        {
            "window_start": start,
            "origin": origin,
            "strongest": digits(max(row["wind_gust"] for row in rows), "0.1"),
            "cancelled": len(lost[start, origin]),
        }
        for (start, origin), rows in grouped(strong, "window_start", "origin")
    ]


def late_again() -> list[Row]:
    flown = [row for row in flights() if row["arr_delay"] is not None]
    pairs = []
    for _, rows in grouped(flown, "tailnum", "origin"):
        pairs += [
            (row, follower)
            for row in rows
            for follower in rows
            if 3 * HOUR <= follower["time_hour"] - row["time_hour"] <= 8 * HOUR
        ]
    pairs.sort(key=lambda pair: (-pair[0]["arr_delay"], pair[0]["tailnum"]))
    # No two pairs may tie at the end of the list: the sort of the page does not say which one is first.
    assert len({(row["arr_delay"], row["tailnum"]) for row, _ in pairs[:9]}) == 9
    return [
        {
            **cut(row, "tailnum", "origin", "flight", "dest", "arr_delay"),
            **{f"{name}_next": follower[name] for name in ("flight", "dest", "dep_delay")},
        }
        for row, follower in pairs[:8]
    ]


def last_gust() -> list[Row]:
    found = []
    for row in flights():
        if row["dep_delay"] is None or row["dep_delay"] <= 200:
            continue
        reports = [
            report
            for report in gusts(0, weather())
            if report["origin"] == row["origin"] and timedelta() <= row["time_hour"] - report["time_hour"] <= 12 * HOUR
        ]
        last = max(reports, key=lambda report: report["time_hour"], default=None)
        found.append(
            {
                **cut(row, "carrier", "flight", "origin", "time_hour", "dep_delay"),
                "reported": last and last["time_hour"],
                "wind_gust": last and digits(last["wind_gust"], "0.1"),
            }
        )
    return sorted(found, key=lambda row: (-row["dep_delay"], row["flight"]))


def known_pressure() -> list[Row]:
    found = []
    for row in (row for row in weather() if row["pressure"] is None):
        before = [
            reading
            for reading in weather()
            if reading["origin"] == row["origin"]
            and reading["pressure"] is not None
            and reading["time_hour"] <= row["time_hour"]
        ]
        last = max(before, key=lambda reading: reading["time_hour"])
        found.append(
            {
                **cut(row, "origin", "time_hour"),
                "read_at": last["time_hour"],
                "pressure": last["pressure"],
                "hours_old": (row["time_hour"] - last["time_hour"]) // HOUR,
            }
        )
    return sorted(found, key=lambda row: (-row["hours_old"], row["time_hour"], row["origin"]))[:6]
