"""What is wrong with a document: one type for every fault that a user can cause."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
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
    **dict.fromkeys(("hopping", "hop", "rolling"), ("sliding",)),
    **dict.fromkeys(("fixed", "fixed_size"), ("tumbling",)),
    **dict.fromkeys(("left_anti", "leftanti"), ("anti",)),
    **dict.fromkeys(("left_semi", "leftsemi"), ("semi",)),
}  # fmt: skip
"""Words that people write → what a document may call it; the first that is known in a place is meant."""


@dataclass(frozen=True)
class Part:
    """Say where in a text of several lines something is wrong: its line, from 0, and a word of it."""

    line: int
    word: str = ""

    @classmethod
    def of(cls, text: object, word: str | None, line: int | None = None) -> Part | None:
        """Return the place of a word in a text of several lines, or None where it has one line or no such word.

        `line` tells which line it is, where that is known.
        """
        if not isinstance(text, str) or "\n" not in text:
            return None
        if line is None:
            found = find_word(word or "", text)
            if found is None:
                return None
            line = text.count("\n", 0, found)
        return cls(line, word or "")


@dataclass(frozen=True)
class Problem:
    """Say what is wrong, where, and what to do.

    `code` is a stable word of the family `node.unknown_type`; `pointer` is a JSON Pointer (RFC 6901) into the
    document; `hint` tells what to do; `line` and `column` count from 1 in the text that the document was read from,
    and are None where there is none; `part` leads to them within a text of several lines. No part of it ever holds a
    configuration value of a secret field. What they quote may hold characters that can't be kept or written; these are
    shown as their escapes.
    """

    code: str
    message: str
    severity: Severity = "error"
    node: str | None = None
    pointer: str = ""
    hint: str | None = None
    line: int | None = None
    column: int | None = None
    part: Part | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _shortened(writable(self.message)))
        object.__setattr__(self, "hint", self.hint and _shortened(writable(self.hint)))
        object.__setattr__(self, "node", self.node and writable(self.node))
        object.__setattr__(self, "pointer", writable(self.pointer))

    def at(self, pointer: str, node: str | None = None) -> Problem:
        """Return this problem with `pointer` put in front of its own, and the node named where it is not yet."""
        return replace(self, pointer=pointer + self.pointer, node=self.node or node)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that CLI, REST, builder and Airflow's import errors share."""
        values = asdict(self.spelled_out())
        del values["part"]
        return values

    def spelled_out(self) -> Problem:
        """Return this problem with the line of its part in its message, where no place in a file says it."""
        if self.part is None:
            return self
        return replace(self, part=None, message=f"{self.message} (line {self.part.line + 1} of the text)")

    @property
    def place(self) -> str:
        """Return the place in the text for people, such as `line 3, column 5`; empty where it is not known."""
        if self.line is None:
            return ""
        return f"line {self.line}" + ("" if self.column is None else f", column {self.column}")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Problem:
        """Read what `to_json` wrote."""
        return cls(**data)

    def __str__(self) -> str:
        node = f"node {self.node!r} " if self.node else ""
        place = f"{f'{self.place}, ' if self.place else ''}{node}at {self.pointer or '/'}"
        return f"{place}: {self.message} [{self.code}]" + (f" Hint: {self.hint}" if self.hint else "")


def find_word(word: str, text: str) -> int | None:
    """Return where a word stands in a text, whatever its case, or None."""
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) if word else None
    return found.start() if found else None


def writable(text: str) -> str:
    """Return a text with NUL and halves of surrogate pairs as their escapes: no file and no database takes them."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def pointer(*parts: str | int) -> str:
    """Return the JSON Pointer of a path (RFC 6901: `~` and `/` in a part are escaped)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that forbid publishing: all but the warnings."""
    return [problem for problem in problems if problem.severity == "error"]


def _of_like_length(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    return 2 * len(shorter) > len(longer) or shorter in longer


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return a hint naming the known word that means the same as `word` or is nearest to it, or None."""
    near = nearest(word, known)
    return None if near is None else f"did you mean {near!r}?"


def nearest(word: str, known: Iterable[str], synonyms: Mapping[str, tuple[str, ...]] = SYNONYMS) -> str | None:
    """Return the known word that means the same as `word` or is nearest to it, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    plain = re.sub(r"[\s-]+", "_", word.strip().lower())
    turned = "_".join(reversed(plain.split("_")))
    meant = next(
        (other for other in (word.lower(), plain, turned, *synonyms.get(plain, ())) if other in by_lower), None
    )
    # A word half as long shares letters by chance, as sin does with version.
    alike = [other for other in by_lower if _of_like_length(plain, other)]
    near = [meant] if meant is not None else difflib.get_close_matches(plain, alike, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None
