"""What is wrong with a document: one type for every fault that a user can cause."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Severity = Literal["error", "warning"]
LONGEST = 1_000
"""Characters of a message and of a hint; they may quote names of any length."""

SYNONYMS = {
    **dict.fromkeys(("mean", "average"), ("avg", "mean")),
    **dict.fromkeys(("total", "add"), ("sum",)),
    **dict.fromkeys(("minimum", "smallest", "lowest"), ("min",)),
    **dict.fromkeys(("maximum", "largest", "highest"), ("max",)),
    **dict.fromkeys(("std", "stdev", "sd"), ("stddev",)),
    **dict.fromkeys(("var",), ("variance",)),
    **dict.fromkeys(("percentile",), ("quantile",)),
    **dict.fromkeys(("size", "n", "len"), ("count",)),
    **dict.fromkeys(("nunique", "unique_count", "distinct_count"), ("count_distinct",)),
    **dict.fromkeys(("list", "array", "collect"), ("tuple",)),
    **dict.fromkeys(("equal", "equals", "eq", "is", "same", "=", "=="), ("==", "equals")),
    **dict.fromkeys(("not_equal", "not_equals", "unequal", "ne", "neq", "is_not", "!=", "<>"), ("!=", "not_equals")),
    **dict.fromkeys(("greater", "greater_than", "larger", "bigger", "more", "more_than", "above", ">"), (">", "gt")),
    **dict.fromkeys(("less", "less_than", "smaller", "lower", "fewer", "below", "<"), ("<", "lt")),
    **dict.fromkeys(("greater_or_equal", "greater_equal", "at_least", "ge", ">="), (">=", "gte")),
    **dict.fromkeys(("less_or_equal", "less_equal", "at_most", "le", "<="), ("<=", "lte")),
    **dict.fromkeys(("null", "isnull", "is_null", "isna", "missing"), ("is_null", "does_not_exist")),
    **dict.fromkeys(("notnull", "not_null", "is_not_null", "notna", "present"), ("not_null", "exists")),
    **dict.fromkeys(("regex", "regexp", "matches", "match"), ("matches_regex",)),
    **dict.fromkeys(("left_outer", "leftouter"), ("left",)),
    **dict.fromkeys(("right_outer", "rightouter"), ("right",)),
    **dict.fromkeys(("full", "full_outer", "fullouter"), ("outer",)),
    **dict.fromkeys(("overwrite", "truncate", "recreate"), ("replace",)),
    **dict.fromkeys(("insert", "add_rows"), ("append",)),
    **dict.fromkeys(("merge", "update"), ("upsert",)),
    **dict.fromkeys(("where", "query_rows", "subset"), ("filter",)),
    **dict.fromkeys(("group", "groupby", "group_by", "summarize", "summarise"), ("aggregate",)),
    **dict.fromkeys(("union", "union_all", "append_rows", "stack"), ("concat",)),
    **dict.fromkeys(("order", "orderby", "order_by"), ("sort",)),
    **dict.fromkeys(("distinct", "drop_duplicates", "dedupe", "unique_rows"), ("deduplicate", "count_distinct")),
    **dict.fromkeys(("mutate", "with_columns", "assign", "formula", "compute"), ("derive",)),
    **dict.fromkeys(("head", "top", "take"), ("limit",)),
    **dict.fromkeys(("query", "select_sql"), ("sql",)),
    **dict.fromkeys(("melt",), ("unpivot",)),
    **dict.fromkeys(("explode", "unnest"), ("flatten",)),
    **dict.fromkeys(("fillna", "fill_na", "impute"), ("fill_nulls",)),
    **dict.fromkeys(("isin", "one_of", "any_of"), ("in",)),
}  # fmt: skip
"""Words that people write → what a document may call it; the first that is known in a place is meant."""


@dataclass(frozen=True)
class Problem:
    """Say what is wrong, where, and what to do.

    `code` is a stable word of the family `node.unknown_type`; `pointer` is a JSON Pointer (RFC 6901) into the
    document; `hint` tells what to do. No part of it ever holds a configuration value of a secret field.
    """

    code: str
    message: str
    severity: Severity = "error"
    node: str | None = None
    pointer: str = ""
    hint: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _shortened(self.message))
        object.__setattr__(self, "hint", self.hint and _shortened(self.hint))

    def at(self, pointer: str, node: str | None = None) -> Problem:
        """Return this problem with `pointer` put in front of its own, and the node named where it is not yet."""
        return replace(self, pointer=pointer + self.pointer, node=self.node or node)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that CLI, REST, builder and Airflow's import errors share."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Problem:
        """Read what `to_json` wrote."""
        return cls(**data)

    def __str__(self) -> str:
        where = f"node {self.node!r} " if self.node else ""
        place = f"{where}at {self.pointer or '/'}"
        return f"{place}: {self.message} [{self.code}]" + (f" Hint: {self.hint}" if self.hint else "")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def pointer(*parts: str | int) -> str:
    """Return the JSON Pointer of a path (RFC 6901: `~` and `/` in a part are escaped)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that forbid publishing: all but the warnings."""
    return [problem for problem in problems if problem.severity == "error"]


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return a hint naming the known word that means the same as `word` or is nearest to it, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    plain = re.sub(r"[\s-]+", "_", word.strip().lower())
    turned = "_".join(reversed(plain.split("_")))
    meant = next(
        (other for other in (word.lower(), plain, turned, *SYNONYMS.get(plain, ())) if other in by_lower), None
    )
    near = [meant] if meant is not None else difflib.get_close_matches(plain, by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]!r}?" if near else None
