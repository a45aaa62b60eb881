"""Regular expressions of DuckDB (RE2) as Java reads them, so that they match the same texts."""

from __future__ import annotations

import re

from airloom.engine.spark.types import SparkUnsupported

SPACE = r"\t\n\f\r "
WORD = "[0-9A-Za-z_]"
CLASSES = frozenset("dDwWpPtnrfavzAQE")
"""Letters that mean the same behind a backslash; `\\s` and `\\b` are written out."""

BOUNDARY = rf"(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))"
OUTSIDE = {"s": f"[{SPACE}]", "S": f"[^{SPACE}]", "b": BOUNDARY, "B": f"(?!{BOUNDARY})", "C": ""}
FLAGS = re.compile(r"\(\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])")


def java_pattern(pattern: str) -> str:
    """Return a pattern that Java matches as RE2 does; raise SparkUnsupported where there is none.

    The dot leaves out line feeds alone, `$` stands at the end of the text alone, and letters of every script have
    two cases.
    """
    made = []
    at, inside = 0, False
    while at < len(pattern):
        character = pattern[at]
        flags = FLAGS.match(pattern, at) if not inside else None
        if character == "\\" and at + 1 < len(pattern):
            made.append(_escaped(pattern[at + 1], inside))
            at += 2
            continue
        if flags is not None:
            made.append(_flags(flags))
            at = flags.end()
            continue
        if inside and character == "[" and pattern[at : at + 2] == "[:":
            raise SparkUnsupported("[:…:] in a regular expression is not possible on Spark", hint=r"write \d or a-z")
        if character == "[" and not inside:
            inside = True
            made.append(character)
            # A bracket at the start of a class is one of its characters.
            for sign in ("^", "]"):
                if pattern[at + 1 : at + 2] == sign:
                    at += 1
                    made.append("\\]" if sign == "]" else sign)
        elif inside and character in "[&~":
            made.append("\\" + character)
        elif character == "]":
            inside = False
            made.append(character)
        elif character == "$" and not inside:
            made.append(r"\z")
        else:
            made.append(character)
        at += 1
    return "(?d)" + "".join(made)


def _escaped(letter: str, inside: bool) -> str:
    if not letter.isalnum():
        return "\\" + letter
    if letter == "s" and inside:
        return SPACE
    if letter in OUTSIDE and not inside and letter != "C":
        return OUTSIDE[letter]
    if letter in CLASSES or letter in "x0":
        return "\\" + letter
    raise SparkUnsupported(f"\\{letter} in a regular expression is not possible on Spark")


def _flags(found: re.Match[str]) -> str:
    on, off, end = found[1], found[2] or "", found[3]
    if "U" in on + off or "m" in on + off:
        raise SparkUnsupported("(?U) and (?m) in a regular expression are not possible on Spark")
    return f"(?{on.replace('i', 'iu')}{off}{end}"


def java_replacement(given: str) -> str:
    r"""Return what takes the place of a match, in Java's signs: `\1` is `$1`, and `$` is a plain character."""
    made = []
    at = 0
    while at < len(given):
        character = given[at]
        following = given[at + 1 : at + 2]
        if character == "\\" and following.isdigit():
            # A digit behind it belongs to the text, not to the number of the group.
            made.append(f"${following}" + ("\\" if given[at + 2 : at + 3].isdigit() else ""))
            at += 2
            continue
        if character == "\\" and following == "\\":
            at += 1
        made.append("\\" + character if character in "\\$" else character)
        at += 1
    return "".join(made)
