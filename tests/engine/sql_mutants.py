"""Mutated SQL, and what both judges make of it: what DuckDB refuses is refused there, what is taken means the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
from tests.engine.sql_tools import COLUMNS, orders, rows
from tests.engine.test_policy import BENIGN, BENIGN_QUERIES, USES

from airloom.engine import duck, duck_tree, sql_field
from airloom.engine.sql_field import SqlFieldError, SqlSyntaxError

FORMULAS = [
    *USES.values(),
    *BENIGN,
    "s in ('paid', 'open')",
    "n not in (1, 2, 3) and x between 1 and 9",
    "case when n > 1 then 'a' when x < 0 then 'b' else s end",
    "case n when 1 then 'one' else 'more' end",
    "d + interval 7 day > date '2024-02-01'",
    "cast(s as varchar) || '-' || cast(n as decimal(8, 2))",
    "not (b or n is null) and s is not null",
    "s like 'A%' escape '!' or s ilike '%c'",
    "(x + 1.5) * -2 / 3 // 2 % 5",
    "l[1] + st['a'] + st.a",
    "n::double + x::decimal(10, 1)",
    "extract(year from t) + date_part('month', d)",
    "tz at time zone 'Europe/Berlin'",
    "try_cast(s as integer) is distinct from n",
    "[1, 2, n]",
    "{'a': n, 'b': s}",
    "j ->> '$.c'",
    '"order date" >= d',
]
QUERIES = [
    *BENIGN_QUERIES,
    "select n, x from orders where n > 1 order by x desc limit 2",
    "select region, count(*) as c, sum(n) filter (where b) as t from orders group by region having count(*) > 0",
    "with big as (select * from orders where n > 1) select b.n, o.s from big b join orders o on o.n = b.n",
    "select n, row_number() over (partition by region order by n desc nulls last) as r from orders",
    "select distinct region from orders union all select s from orders",
    "select n from orders where exists (select 1 from orders o where o.n = orders.n) and n in (select n from orders)",
    "select sum(n) over (order by n rows between 1 preceding and current row) as s from orders",
    "select o.n, p.n as m from orders o left join orders p using (region) where o.n between 1 and 3",
    "select case when n > 1 then 'a' else 'b' end as k, max(x) as m from orders group by all",
    "select unnest(l) as item, s from orders",
    "select * exclude (j) from orders qualify row_number() over (order by n) = 1",
    "select string_agg(s, ',' order by n) as t from orders offset 0",
]
TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|::|->>|//|\|\||[<>!]=|\S")
WORDS = """
    'x' '$.a' 1 1.5 n s , ( ) [ ] . :: -> || = < + - * ** and or not is null in between like interval day case when
    then end as from select distinct order by desc over filter where group all using
"""
SPARE = WORDS.split()


def mutants(seed: str, texts: list[str], count: int) -> Iterator[str]:
    """Yield texts, each with one or two of its parts left out, doubled, swapped, replaced, added or unquoted."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _mutant(chance.choice(texts), chance, texts)


def _mutant(text: str, chance: random.Random, texts: list[str]) -> str:
    parts = TOKEN.findall(text)
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.randrange(len(parts))
        way = chance.randrange(7)
        spare = chance.choice([chance.choice(SPARE), chance.choice(TOKEN.findall(chance.choice(texts)))])
        if way == 0 and len(parts) > 1:
            del parts[at]
        elif way == 1:
            parts.insert(at, parts[at])
        elif way == 2 and at + 1 < len(parts):
            parts[at], parts[at + 1] = parts[at + 1], parts[at]
        elif way == 3:
            parts[at] = spare
        elif way == 4:
            parts[at] = parts[at].strip("'\"") or spare
        else:
            parts.insert(at, spare)
    return " ".join(parts)


@dataclass
class Verdict:
    """Say what was done with a text: the SQL that stands for it, or why it was refused; and what was wrong in that."""

    sql: str = ""
    refusal: str = ""
    fault: str = ""


class Court:
    """Judge texts as a check does, and ask DuckDB whether that was right."""

    def __init__(self) -> None:
        self._parser = duck.connect(threads=1)
        self._database = orders()

    def close(self) -> None:
        """Close its databases: left to the collector, they could end in a process that was forked since."""
        self._parser.close()
        self._database.close()

    def taken(self, text: str, *, query: bool) -> str:
        """Return the SELECT that stands for a text which both judges take; raise SqlFieldError."""
        try:
            if query:
                sql = sql_field.parse_query(text, [], {"orders": COLUMNS}).sql("duckdb")
            else:
                formula = sql_field.parse_formula(text, (), COLUMNS, aggregates=True)
                sql = f"select {formula.sql('duckdb')} from orders"
        except SqlSyntaxError:
            self._check(text, query=query)
            raise
        self._check(text, query=query)
        return sql

    def judge(self, text: str, *, query: bool) -> Verdict:
        """Return what is done with a text, and whether that is right."""
        select = text if query else f"select {text}"
        fault = duck_tree.syntax_fault(select, *duck_tree.read(self._parser, [select]))
        try:
            sql = self.taken(text, query=query)
        except SqlFieldError as error:
            start = None if fault is None else fault.start
            place = "" if start is None else f"at character {start + len(text) - len(select) + 1}"
            if isinstance(error, SqlSyntaxError) and not error.message.endswith(place):
                return Verdict(refusal=error.message, fault=f"refused, but not {place}")
            return Verdict(refusal=error.message)
        if fault is not None and self._rows(sql) is None:
            # A column may be called by a word of SQL.
            return Verdict(sql, fault="DuckDB's parser refuses it")
        wanted, got = self._rows(select if query else f"{select} from orders"), self._rows(sql)
        return Verdict(sql, fault="" if got == wanted else f"gives {got}, not {wanted}")

    def _check(self, text: str, *, query: bool) -> None:
        sql_field.check_syntax(text, COLUMNS, lambda selects: duck_tree.read(self._parser, selects), query=query)

    def execute(self, select: str) -> None:
        """Run a SELECT over the table of the texts."""
        self._database.execute(select)

    def _rows(self, select: str) -> list[str] | None:
        try:
            return rows(self._database, select)
        except duckdb.Error:
            return None
