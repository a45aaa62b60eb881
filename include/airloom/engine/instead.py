"""What to write in the place of functions of other systems, and of those that no run could repeat."""

from __future__ import annotations

from airloom.spec.problem import suggestion

_INSTEAD = {
    **dict.fromkeys(("isnull", "is_null", "isna"), "write … IS NULL"),
    **dict.fromkeys(("notnull", "is_not_null", "isnotnull"), "write … IS NOT NULL"),
    **dict.fromkeys(
        ("date", "to_date", "parse_date"), "write cast(… AS DATE), or strptime(…, '%d.%m.%Y') for another form"
    ),
    **dict.fromkeys(("timestamp", "datetime", "parse_timestamp"), "write cast(… AS TIMESTAMP)"),
    "time": "write cast(… AS TIME)",
    **dict.fromkeys(("int", "integer", "to_int", "bigint"), "write cast(… AS BIGINT)"),
    **dict.fromkeys(("float", "double", "number", "to_number", "numeric"), "write cast(… AS DOUBLE)"),
    **dict.fromkeys(("str", "string", "text", "varchar", "to_string"), "write cast(… AS VARCHAR)"),
    **dict.fromkeys(("bool", "boolean"), "write cast(… AS BOOLEAN)"),
    **dict.fromkeys(("to_char", "date_format", "format_date", "format"), "write strftime(…, '%d.%m.%Y')"),
    **dict.fromkeys(("dateadd", "adddate", "add_days"), "write … + interval 1 day"),
    "strip": "write trim(…)",
    "nvl": "write coalesce(…)",
    "iif": "write if(…)",
    "group_concat": "write string_agg(…)",
    **dict.fromkeys(("locate", "charindex"), "write strpos(text, part)"),
    **dict.fromkeys(("percentile_cont", "percentile"), "write quantile_cont(value, 0.5)"),
    "percentile_disc": "write quantile_disc(value, 0.5)",
    **dict.fromkeys(("regexp_like", "regexp", "regexp_contains", "rlike"), "write regexp_matches(text, pattern)"),
    "struct_pack": "write {'name': value}",
    **dict.fromkeys(("logical_and", "every"), "write bool_and(…)"),
    "logical_or": "write bool_or(…)",
}
"""What to write for functions of other systems."""
_CLOCK_NAMES = frozenset(
    {
        *("now", "today", "getdate", "sysdate", "curdate", "current_date", "current_datetime", "current_time"),
        *("current_timestamp", "get_current_timestamp", "localtime", "localtimestamp"),
    }
)
_CHANCE_NAMES = frozenset({"random", "rand", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "setseed"})


def instead_of(shown: str, names: set[str], functions: frozenset[str]) -> str:
    """Return what to write in the place of a function that is not listed; `names` are all that it has."""
    if names & _CLOCK_NAMES:
        return "write {{ run.logical_date }}, so that a run gives the same rows when it is repeated"
    if names & _CHANCE_NAMES:
        return "use hash(key), so that a repeated run gives the same rows"
    if shown.startswith(("read_", "parquet_", "sniff_")) or shown in ("glob", "copy"):
        return "read files with a node, such as csv_read"
    if shown in _INSTEAD:
        return _INSTEAD[shown]
    return suggestion(shown, functions) or "the documentation lists the functions that are"
