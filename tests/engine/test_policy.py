"""What users' SQL may hold: the list works, the rest is refused with advice."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.engine.sql_tools import BUILT_IN, COLUMNS, orders, reading, rows

from airloom.engine.policy import AGGREGATES, FUNCTIONS, ROWS, WINDOWS, function_table
from airloom.engine.sql_field import SqlFieldError, parse_condition, parse_formula, parse_query

LISTED = {name for names in FUNCTIONS.values() for name in names}

# One use of each function, as a user would write it.
USES = {
    "char_length": "char_length(s)",
    "character_length": "character_length(s)",
    "lcase": "lcase(s)",
    "ucase": "ucase(s)",
    "position": "position('c' in s)",
    "string_to_array": "string_to_array(s, ' ')",
    "datetrunc": "datetrunc('month', t)",
    "array_distinct": "array_distinct(l)",
    "array_has": "array_has(l, 2)",
    "array_sort": "array_sort(l)",
    "list_has": "list_has(l, 2)",
    "json_extract_path": "json_extract_path(j, '$.a')",
    "json_extract_path_text": "json_extract_path_text(j, '$.c')",
    "listagg": "listagg(s, ',' order by n)",
    "max_by": "max_by(s, n)",
    "min_by": "min_by(s, n)",
    "abs": "abs(x)",
    "acos": "acos(0.5)",
    "asin": "asin(0.5)",
    "atan": "atan(x)",
    "atan2": "atan2(x, 2)",
    "bit_count": "bit_count(n)",
    "xor": "xor(n, 3)",
    "cbrt": "cbrt(x)",
    "ceil": "ceil(x)",
    "ceiling": "ceiling(x)",
    "cos": "cos(n)",
    "degrees": "degrees(x)",
    "exp": "exp(x)",
    "floor": "floor(x)",
    "fmod": "fmod(x, 2)",
    "greatest": "greatest(n, 2, x)",
    "least": "least(n, 2)",
    "isfinite": "isfinite(x)",
    "isinf": "isinf(x)",
    "isnan": "isnan(x)",
    "ln": "ln(n)",
    "log": "log(n)",
    "log10": "log10(n)",
    "log2": "log2(n)",
    "mod": "mod(n, 2)",
    "pi": "pi()",
    "pow": "pow(n, 2)",
    "power": "power(n, 2)",
    "radians": "radians(x)",
    "round": "round(x, 1)",
    "sign": "sign(x)",
    "sin": "sin(n)",
    "sqrt": "sqrt(n)",
    "tan": "tan(n)",
    "trunc": "trunc(x)",
    "ascii": "ascii(s)",
    "chr": "chr(n + 64)",
    "concat": "concat(s, '-', n)",
    "concat_ws": "concat_ws('-', s, region)",
    "contains": "contains(s, 'x')",
    "ends_with": "ends_with(s, 'c')",
    "instr": "instr(s, 'b')",
    "jaro_winkler_similarity": "jaro_winkler_similarity(s, region)",
    "left": "left(s, 2)",
    "len": "len(s)",
    "length": "length(s)",
    "levenshtein": "levenshtein(s, region)",
    "lower": "lower(s)",
    "ltrim": "ltrim(s, 'x')",
    "md5": "md5(s)",
    "regexp_extract": "regexp_extract(s, '([a-z])', 1)",
    "regexp_full_match": "regexp_full_match(s, '.*c')",
    "regexp_matches": "regexp_matches(s, 'B', 'i')",
    "regexp_replace": "regexp_replace(s, '[a-z]', '_', 'g')",
    "replace": "replace(s, 'b', 'd')",
    "reverse": "reverse(s)",
    "right": "right(s, 2)",
    "rtrim": "rtrim(s, 'c')",
    "sha256": "sha256(s)",
    "split_part": "split_part(s, ' ', 1)",
    "starts_with": "starts_with(s, 'A')",
    "str_split": "str_split(s, ' ')",
    "string_split": "string_split(s, ' ')",
    "strip_accents": "strip_accents(s)",
    "strpos": "strpos(s, 'b')",
    "substr": "substr(s, 2)",
    "substring": "substring(s, 1, 2)",
    "translate": "translate(s, 'ab', 'cd')",
    "trim": "trim(s)",
    "upper": "upper(s)",
    "date_add": "date_add(d, interval 1 month)",
    "date_diff": "date_diff('day', d, date '2024-03-01')",
    "date_part": "date_part('year', d)",
    "date_sub": "date_sub('month', d, date '2024-03-01')",
    "date_trunc": "date_trunc('month', t)",
    "datediff": "datediff('hour', t, timestamp '2024-03-01')",
    "day": "day(d)",
    "dayname": "dayname(d)",
    "dayofweek": "dayofweek(d)",
    "dayofyear": "dayofyear(d)",
    "epoch": "epoch(t)",
    "epoch_ms": "epoch_ms(n)",
    "epoch_us": "epoch_us(t)",
    "hour": "hour(t)",
    "isodow": "isodow(d)",
    "last_day": "last_day(d)",
    "make_date": "make_date(2024, n, 3)",
    "make_time": "make_time(n, 2, 3.5)",
    "make_timestamp": "make_timestamp(2024, n, 3, 4, 5, 6.5)",
    "minute": "minute(t)",
    "month": "month(d)",
    "monthname": "monthname(d)",
    "quarter": "quarter(d)",
    "second": "second(t)",
    "strftime": "strftime(t, '%Y-%m')",
    "strptime": "strptime('2024-01-02', '%Y-%m-%d')",
    "time_bucket": "time_bucket(interval 15 minute, t)",
    "to_days": "t + to_days(n)",
    "to_hours": "t + to_hours(n)",
    "to_minutes": "t + to_minutes(n)",
    "to_months": "t + to_months(n)",
    "to_seconds": "t + to_seconds(n)",
    "to_timestamp": "to_timestamp(n)",
    "to_years": "t + to_years(n)",
    "try_strptime": "try_strptime(s, '%Y')",
    "week": "week(d)",
    "weekday": "weekday(d)",
    "year": "year(d)",
    "coalesce": "coalesce(s, region, 'x')",
    "hash": "hash(s) % 10",
    "if": "if(n > 1, 'a', 'b')",
    "ifnull": "ifnull(n, 0)",
    "nullif": "nullif(n, 1)",
    "typeof": "typeof(x)",
    "array_contains": "array_contains(l, 1)",
    "array_length": "array_length(l)",
    "array_to_string": "array_to_string(words, '-')",
    "element_at": "element_at(map_of, 'a')",
    "json_array_length": "json_array_length(j)",
    "json_extract": "json_extract(j, '$.a.b[0]')",
    "json_extract_string": "json_extract_string(j, '$.c')",
    "json_keys": "json_keys(j)",
    "json_type": "json_type(j)",
    "json_valid": "json_valid(s)",
    "list_contains": "list_contains(l, 1)",
    "list_distinct": "list_sort(list_distinct(l))",
    "list_sort": "list_sort(l)",
    "list_sum": "list_sum(l)",
    "list_value": "list_value(n, 2)",
    "struct_extract": "struct_extract(st, 'a')",
    "to_json": "to_json(l)",
    "any_value": "any_value(n)",
    "approx_count_distinct": "approx_count_distinct(s)",
    "approx_quantile": "approx_quantile(n, 0.5)",
    "arg_max": "arg_max(s, n)",
    "arg_min": "arg_min(s, n)",
    "array_agg": "array_agg(n order by n)",
    "avg": "avg(n)",
    "bool_and": "bool_and(b)",
    "bool_or": "bool_or(b)",
    "corr": "corr(n, n * 2)",
    "count": "count(*)",
    "count_if": "count_if(n > 1)",
    "first": "first(n order by n)",
    "last": "last(n order by n)",
    "list": "list(n order by n)",
    "max": "max(s)",
    "median": "median(n)",
    "min": "min(distinct d)",
    "mode": "mode(n > 0)",
    "quantile_cont": "quantile_cont(n, 0.25)",
    "quantile_disc": "quantile_disc(n, 0.25)",
    "stddev": "stddev(n)",
    "stddev_pop": "stddev_pop(n)",
    "stddev_samp": "stddev_samp(n)",
    "string_agg": "string_agg(s, ',' order by n)",
    "sum": "sum(n) filter (where n > 1)",
    "var_pop": "var_pop(n)",
    "var_samp": "var_samp(n)",
    "variance": "variance(n)",
    "cume_dist": "cume_dist() over (order by n)",
    "dense_rank": "dense_rank() over (order by b)",
    "first_value": "first_value(n) over (partition by b order by n)",
    "lag": "lag(n, 1, 0) over (order by n)",
    "last_value": "last_value(n ignore nulls) over (order by n rows between unbounded preceding and 1 following)",
    "lead": "lead(n) over (order by n)",
    "nth_value": "nth_value(n, 2) over (order by n)",
    "ntile": "ntile(2) over (order by n)",
    "percent_rank": "percent_rank() over (order by n)",
    "rank": "rank() over (order by n desc)",
    "row_number": "row_number() over (order by n)",
}

BENIGN = [
    "s = 'Ab c'",
    "n > 1 and x < 2 or not b",
    "n = 1 OR n = 2 AND x > 0",
    "(n = 1 OR n = 2) AND x > 0",
    "s like '%b%' escape '\\'",
    "s ilike 'AB%'",
    "s not like 'x%'",
    "s ~ '[a-z]+'",
    "n in (1, 2, NULL)",
    "n not in (1, 2)",
    "n between 1 and 2",
    "n not between 1 and 2",
    "n is null",
    "n is not null and b is true",
    "b is not false",
    "n is distinct from 1",
    "n is not distinct from NULL",
    "s || '-' || region",
    "-n + 2 * 3 - 4 / 5 % 2",
    "- -n",
    "2 - (-1)",
    "-2 ** 2",
    "(n + 1) // 2",
    "n & 3 | 4",
    "~n",
    "case when n > 1 then 'a' when n = 1 then 'b' else s end",
    "case n when 1 then 'x' end",
    "cast(n as varchar)",
    "n::decimal(10,2)",
    "try_cast(s as integer)",
    "(n * 1.5)::int",
    "s::varchar(3)",
    "l::bigint[]",
    "st::struct(a bigint)",
    "st['a']",
    "l[1]",
    "l[1:2]",
    "l[-1]",
    "l[n]",
    "l[n + 1]",
    "l[n::int]",
    "l[length(s) - 3]",
    "l[n::int:2]",
    "l[1 + 1]",
    "s[2]",
    "s[1:2]",
    "[n, 2, 3]",
    "{'a': n, 'b': s}",
    "j->'$.a.b'",
    "j->>'$.c'",
    "j->'a'->'b'->0",
    "j->>'c' = 'x'",
    "d + interval 3 day",
    "t - interval '1 month'",
    "d + n",
    "t - t",
    "d - date '2024-01-01'",
    "d > '2024-01-01'",
    "t >= timestamp '2024-01-01 10:00:00'",
    "extract(year from d)",
    "extract('month' from d)",
    "t at time zone 'Europe/Berlin'",
    "tz at time zone 'America/New_York'",
    "time '10:11:12'",
    "date_trunc('week', d) = d",
    "trim(both 'x' from s)",
    "substring(s from 2 for 1)",
    "position('b' in s)",
    '"order date" > d',
    "user = 'ann'",
    "N = 1",
    "'it''s' = s",
    "$$it's$$",
    "'a\\b'",
    "1e3 + .5 + 1_000",
    "true and false",
    "NULL",
    "s = 'x' -- and a comment",
    "/* first */ n /* last */ = 1",
    "(n, s) = (1, 'Ab c')",
    "coalesce(n, 0) + coalesce(x, 0)",
    "length(s) > 2 and upper(region) in ('EU', 'US')",
    "((((((((((n))))))))))",
]

REFUSED = [
    ("statu = 'x'", "no column 'statu'"),
    ("regoin = 'x'", "did you mean 'region'?"),
    ('s = "paid"', "single quotes: 'paid'"),
    ("orders.n = 1", "not a column here"),
    ("st.a = 1", "st['a']"),
    ("main.orders.n = 1", "not a column here"),
    ("rowid = 1", "no column 'rowid'"),
    ("filename = 'x'", "no column 'filename'"),
    ("file_row_number = 1", "no column 'file_row_number'"),
    ("orders is not null", "no column 'orders'"),
    ("sum(n) > 1", "aggregate node"),
    ("any_value(n) > 1", "aggregate"),
    ("count(*) > 1", "aggregate"),
    ("rank() over (order by n) = 1", "OVER"),
    ("unnest(l) = 1", "unnest(…) is not allowed"),
    ("(select 1) = 1", "a query is not possible"),
    ("n in (select 1)", "a query is not possible"),
    ("exists (select 1)", "a query is not possible"),
    ("n = any(select 1)", "not possible"),
    ("n = all([1])", "all(…) is not allowed"),
    ("read_text('secret.txt')", "csv_read"),
    ("read_csv('secret.csv')", "csv_read"),
    ("read_blob('secret.csv')", "csv_read"),
    ("glob('*')", "csv_read"),
    ("getenv('HOME')", "getenv(…) is not allowed"),
    ("getvariable('x')", "is not allowed"),
    ("current_setting('TimeZone')", "is not allowed"),
    ("current_user", "is not allowed"),
    ("current_database()", "is not allowed"),
    ("current_query()", "is not allowed"),
    ("txid_current()", "is not allowed"),
    ("nextval('s')", "is not allowed"),
    ("version()", "is not allowed"),
    ("error('x')", "is not allowed"),
    ("sleep_ms(1000)", "is not allowed"),
    ("pg_sleep(1000)", "is not allowed"),
    ("write_log('x')", "is not allowed"),
    ("json_execute_serialized_sql('x')", "is not allowed"),
    ("json_serialize_sql('select 1')", "is not allowed"),
    ("aggregate(l, 'sum')", "is not allowed"),
    ("list_aggregate(l, 'sum')", "is not allowed"),
    ("now() > t", "run.logical_date"),
    ("today() > d", "run.logical_date"),
    ("current_date > d", "run.logical_date"),
    ("current_timestamp > tz", "run.logical_date"),
    ("localtimestamp > t", "run.logical_date"),
    ("get_current_timestamp() > tz", "run.logical_date"),
    ("age(t) > interval 1 day", "is not allowed"),
    ("ago(interval 1 day) > tz", "is not allowed"),
    ("random() < 0.5", "hash(key)"),
    ("uuid() = s", "hash(key)"),
    ("gen_random_uuid() = s", "hash(key)"),
    ("setseed(0.5)", "hash(key)"),
    ("repeat('x', 1000000000)", "is not allowed"),
    ("lpad(s, 1000000000, 'x')", "is not allowed"),
    ("rpad(s, 1000000000, 'x')", "is not allowed"),
    ("range(1000000000)", "is not allowed"),
    ("generate_series(1, 1000000000)", "is not allowed"),
    ("printf('%1000000000d', n)", "is not allowed"),
    ("format('{:1000000000}', n)", "is not allowed"),
    ("bar(n, 0, 10, 1000000000)", "is not allowed"),
    ("list_resize(l, 1000000000)", "is not allowed"),
    ("initcap(s)", "is not allowed"),
    ("list_transform(l, y -> y + 1)", "is not allowed"),
    ("list_transform(l, lambda y : y + 1)", "is not allowed"),
    ("apply(l, y -> y)", "cannot be read"),
    ("[y for y in l]", "list comprehension"),
    ("s.upper()", "after a dot"),
    ("main.upper(s)", "after a dot"),
    ("system.main.getenv('x')", "after a dot"),
    ("(st).a", "after a dot"),
    ("columns('n')", "COLUMNS"),
    ("columns(*) > 1", "COLUMNS"),
    ("*", "name the columns"),
    ("orders.*", "column"),
    ("* exclude (n)", "*"),
    ("#1 = 1", "column by number"),
    ("$1 = 1", "params.name"),
    ("? = 1", "params.name"),
    ("n = :name", "params.name"),
    ("s collate nocase = 'x'", "collate"),
    ("s glob 'x*'", "glob"),
    ("s similar to 'x'", "similar to"),
    ("e'\\n' = s", "chr(10)"),
    ("n as m", "a name (AS …)"),
    ("m: n", "a name (AS …)"),
    ("n, x", "one expression"),
    ("n = 1 from orders", "one expression"),
    ("n = 1 where n = 1", "one expression"),
    ("n = 1 limit 1", "one expression"),
    ("distinct n", "one expression"),
    ("n union select 1", "one expression"),
    ("n; drop table orders", "one statement"),
    ("1; 2", "one statement"),
    ("select 1", "cannot be read"),
    ("n = = 1", "cannot be read"),
    ("(n = 1", "cannot be read"),
    ("n = 'x", "is not closed"),
    ("n = 1 /* x", "is not closed"),
    ("", "is empty"),
    ("  \n", "is empty"),
    ("-- only a comment", "expression is needed"),
    ("cast(n as secret_type)", "type secret_type is not allowed"),
    ("n::oid", "is not allowed"),
    ("n::bit", "is not allowed"),
    ("n::enum('a', 'b')", "is not allowed"),
    ("n::union(a int)", "is not allowed"),
    ("try_cast(n as variant)", "is not allowed"),
    ("map {'a': 1}", "is not allowed"),
    ("n << 100", "not possible here"),
    ("grouping(n) = 1", "grouping(…) is not allowed"),
    ("(" * 1000 + "n" + ")" * 1000, "nested too deeply"),
    ("(" * 9_000 + "n" + ")" * 9_000, "nested too deeply"),
    ("(" * 40_000 + "n" + ")" * 40_000, "more than 5,000 parts"),
    ("(" * 60_000 + "n" + ")" * 60_000, "at most 100,000 characters"),
    ("[" * 1000 + "n" + "]" * 1000, "nested too deeply"),
    ("abs(" * 1000 + "n" + ")" * 1000, "nested too deeply"),
    ("case when b then " * 1000 + "n" + " end" * 1000, "nested too deeply"),
    ("not " * 15_000 + "b", "nested too deeply"),
    ("- " * 15_000 + "n", "nested too deeply"),
    ("n" + "[1]" * 5_000, "nested too deeply"),
    ("n" + "::int" * 5_000, "nested too deeply"),
    ("+".join(["n"] * 5_000), "nested too deeply"),
    (" or ".join(["n = 1"] * 5_000), "more than 5,000 parts"),
    ("decimal(" * 19 + "1" + ")" * 19, "nested too deeply"),
    ("timestamp(" * 19 + "1" + ")" * 19, "nested too deeply"),
    ("date * exclude (" * 19 + "1" + ")" * 19, "nested too deeply"),
]

TABLES = {"orders": COLUMNS, "people": None}

BENIGN_QUERIES = [
    "select * from orders",
    "from orders",
    "select n, s from orders where n > 1 order by n desc nulls last limit 2 offset 1",
    "select region, sum(n) as total from orders group by region having sum(n) > 0",
    "select region, count(*) from orders group by all order by all",
    "with big as (select * from orders where n > 1), one as (select n from big) select * from one",
    "select o.n, p.n from orders o join orders p on o.n = p.n",
    "select o.n from orders o left join orders p using (n)",
    "select n from orders union all select n + 1 from orders",
    "select n from orders except select 1",
    "select n from orders intersect select 1",
    "select * from (select n, n + 1 as m from orders) q where q.m > 2",
    "select * from orders where n in (select max(n) from orders)",
    "select n, (select max(n) from orders) as top from orders",
    "select * from orders o where exists (select 1 from orders p where p.n > o.n)",
    "select *, row_number() over w as nr from orders window w as (partition by b order by n)",
    "select * from orders qualify row_number() over (partition by b order by n) = 1",
    "select distinct region from orders",
    "select distinct on (b) b, n from orders order by b, n",
    "select * exclude (j) from orders",
    "select * replace (n + 1 as n) from orders",
    "select n, unnest(l) as item from orders",
    "select * from (values (1, 'a'), (2, 'b')) v(id, name)",
    "select orders.n from orders",
    "select s as filename, filename from orders",
    'select n as "Number of rows" from orders',
]

REFUSED_QUERIES = [
    ("select * from secret", "no table 'secret'"),
    ("select * from order", "did you mean 'orders'?"),
    ("select * from oders", "did you mean 'orders'?"),
    ("select * from main.orders", "not an input of this node"),
    ("select * from memory.main.orders", "not an input of this node"),
    ("select * from information_schema.tables", "not an input of this node"),
    ("select * from pg_catalog.pg_tables", "not an input of this node"),
    ("select * from sqlite_master", "no table"),
    ("select * from duckdb_settings", "no table"),
    ("select * from duckdb_secrets()", "is not allowed"),
    ("select * from 'secret.csv'", "no table"),
    ('select * from "secret.csv"', "no table"),
    ("select * from '/etc/passwd'", "no table"),
    ("select * from 'https://example.com/x.parquet'", "no table"),
    ("select * from read_csv('secret.csv')", "csv_read"),
    ("select * from read_text('secret.csv')", "csv_read"),
    ("select * from glob('*')", "csv_read"),
    ("select * from range(1000000000)", "is not allowed"),
    ("select * from generate_series(1, 10)", "is not allowed"),
    ("select * from repeat('x', 10)", "is not allowed"),
    ("select * from query('select 1')", "is not allowed"),
    ("select * from query_table('secret')", "is not allowed"),
    ("select * from pragma_table_info('orders')", "is not allowed"),
    ("select * from json_execute_serialized_sql('x')", "is not allowed"),
    ("select * from summary((from orders))", "not"),
    ('with "secret.csv" as (select 1) select * from "secret.csv"', "cannot name a part"),
    ("select * from (with secret as (select 1) select * from secret) q, secret", "no table 'secret'"),
    ("with secret as (select * from secret) select * from secret", "no table 'secret'"),
    ("with a as (select * from b), b as (select 1) select * from a", "no table 'b'"),
    ("select * from orders where n in (with s as (select 1) select * from s) and n in (select * from s)", "no table"),
    ("with recursive r as (select 1 union all select * from r) select * from r", "recursive"),
    ("select orders from orders", "is a table"),
    ("select o from orders o", "is a table"),
    ("with c as (select 1 as x) select c from c", "is a table"),
    ("select rowid from orders", "no column 'rowid'"),
    ("select o.rowid from orders o", "no column 'rowid'"),
    ("select filename from people", "no column 'filename'"),
    ("select other.n from orders", "there is no table 'other'"),
    ("select orders.st.a from orders", "orders['st']['a']"),
    ("select * from orders tablesample 10%", "hash(key) % 10"),
    ("select * from orders using sample 10", "hash(key) % 10"),
    ("select * from orders at (version => 1)", "not possible"),
    ("select n into copy from orders", "not possible"),
    ("select columns('n') from orders", "COLUMNS"),
    ("select getenv('HOME') from orders", "is not allowed"),
    ("select now() from orders", "run.logical_date"),
    ("select list_transform(l, y -> y) from orders", "is not allowed"),
    ("select * from (pivot orders on b using sum(n))", "not possible"),
    ("pivot orders on b using sum(n)", "starts with SELECT"),
    ("unpivot orders on n into name a value b", "starts with SELECT"),
    ("describe orders", "starts with SELECT"),
    ("summarize orders", "starts with SELECT"),
    ("show tables", "starts with SELECT"),
    ("explain select 1", "starts with SELECT"),
    ("explain analyze select 1", "starts with SELECT"),
    ("values (1)", "starts with SELECT"),
    ("insert into orders select * from orders", "starts with SELECT"),
    ("update orders set n = 1", "starts with SELECT"),
    ("delete from orders", "starts with SELECT"),
    ("drop table orders", "starts with SELECT"),
    ("create table x as select 1", "starts with SELECT"),
    ("create macro f(x) as x", "starts with SELECT"),
    ("create secret s (type s3)", "starts with SELECT"),
    ("copy orders to 'x.csv'", "starts with SELECT"),
    ("copy (select 1) to 'x.csv'", "starts with SELECT"),
    ("export database 'x'", "cannot be read"),
    ("import database 'x'", "cannot be read"),
    ("attach 'x.db' as x", "starts with SELECT"),
    ("use memory", "starts with SELECT"),
    ("install httpfs", "starts with SELECT"),
    ("load httpfs", "SELECT"),
    ("set threads = 1", "starts with SELECT"),
    ("reset threads", "SELECT"),
    ("pragma version", "starts with SELECT"),
    ("call pragma_version()", "starts with SELECT"),
    ("begin transaction", "starts with SELECT"),
    ("vacuum", "SELECT"),
    ("checkpoint", "SELECT"),
    ("prepare p as select 1", "SELECT"),
    ("execute p", "SELECT"),
    ("select 1; select 2", "one statement"),
    ("select 1; copy orders to 'x'", "one statement"),
    ("", "one statement"),
    ("select * from (" * 30 + "select 1" + ")" * 30, "nested too deeply"),
]


@pytest.fixture(scope="module")
def database():
    connection = orders()
    yield connection
    connection.close()


def function_query(text):
    """Return a query of a use and its tree; the map of one use is made in the query."""
    source = "(SELECT *, MAP {'a': n} AS map_of FROM orders) q"
    formula = parse_formula(text, [], COLUMNS | {"map_of": "MAP(VARCHAR, INTEGER)"}, aggregates=True)
    return f"SELECT {text} AS value FROM {source}", f"SELECT {formula.sql('duckdb')} AS value FROM {source}"


def test_every_listed_function_has_a_use():
    assert set(USES) == LISTED - set(FUNCTIONS[ROWS])


@pytest.mark.parametrize("name", sorted(USES))
def test_a_listed_function_gives_what_duckdb_gives(database, name):
    written, rendered = function_query(USES[name])
    assert name in written
    assert rows(database, rendered) == rows(database, written)


@pytest.mark.parametrize("name", sorted(LISTED - set(FUNCTIONS[AGGREGATES] + FUNCTIONS[WINDOWS] + FUNCTIONS[ROWS])))
def test_a_condition_takes_the_functions_of_values(name):
    parse_condition(USES[name], [], COLUMNS | {"map_of": "MAP(VARCHAR, INTEGER)"})


@pytest.mark.parametrize("name", sorted(FUNCTIONS[AGGREGATES] + FUNCTIONS[WINDOWS] + FUNCTIONS[ROWS]))
def test_a_condition_takes_no_function_of_many_rows(name):
    with pytest.raises(SqlFieldError):
        parse_condition(USES.get(name, "unnest(l)"), [], COLUMNS)


def test_no_other_function_of_duckdb_gets_through():
    """Whatever sqlglot makes of a name, what DuckDB is given calls listed functions only."""
    known = (
        duckdb.connect()
        .sql("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_name ~ '^[a-z]'")
        .fetchall()
    )
    passed = []
    for (name,) in known:
        for arguments in ("", "n", "n, s", "n, s, 1", "'day', t, t", "s"):
            text = f"{name}({arguments})"
            try:
                tree = parse_formula(text, [], COLUMNS, aggregates=True)
            except SqlFieldError:
                continue
            functions, tables, table_functions = reading("SELECT " + tree.sql("duckdb")) or (set(), set(), set())
            assert functions <= LISTED | BUILT_IN, (text, tree.sql("duckdb"))
            assert not tables
            assert not table_functions
            passed.append(name)
    assert len(known) > 900
    assert len(set(passed)) > 100


@pytest.mark.parametrize("text", BENIGN)
def test_a_benign_expression_gives_what_duckdb_gives(database, text):
    rendered = parse_formula(text, [], COLUMNS).sql("duckdb")
    assert rows(database, f"SELECT {rendered} AS value FROM orders") == rows(
        database, f"SELECT {text}\n AS value FROM orders"
    )


@pytest.mark.parametrize(("text", "expected"), REFUSED, ids=lambda text: text[:40])
def test_a_refusal_says_what_to_write_instead(text, expected):
    with pytest.raises(SqlFieldError) as caught:
        parse_condition(text, [], COLUMNS)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", BENIGN_QUERIES)
def test_a_benign_query_gives_what_duckdb_gives(database, text):
    rendered = parse_query(text, [], {"orders": COLUMNS}).sql("duckdb")
    if "order by b, n" not in text:
        assert rows(database, rendered) == rows(database, text)
    assert [row[:2] for row in database.execute(f"DESCRIBE {rendered}").fetchall()] == [
        row[:2] for row in database.execute(f"DESCRIBE {text}").fetchall()
    ]


@pytest.mark.parametrize(("text", "expected"), REFUSED_QUERIES, ids=lambda text: text[:40])
def test_a_refused_query_says_why(text, expected):
    with pytest.raises(SqlFieldError) as caught:
        parse_query(text, [], TABLES)
    assert expected in str(caught.value)


def test_unknown_columns_are_left_to_duckdb_where_columns_are_unknown():
    assert parse_condition("anything > 1", [], None).sql("duckdb") == '"anything" > 1'
    for text in ("rowid = 1", "a.b = 1"):
        with pytest.raises(SqlFieldError):
            parse_condition(text, [], None)


def test_a_column_named_like_a_function_is_the_column(database):
    rendered = parse_condition("user = 'ann'", [], COLUMNS).sql("duckdb")
    assert database.sql(f"SELECT n FROM orders WHERE {rendered}").fetchall() == [(1,)]


def test_comments_do_not_reach_duckdb():
    tree = parse_query("select /* a */ n -- b\n from orders /* c */", [], {"orders": COLUMNS})
    assert tree.sql("duckdb") == 'SELECT "n" FROM orders'


def test_the_table_of_functions_names_each_once():
    table = function_table()
    for name in LISTED:
        assert table.count(f"`{name}`") == 1


def test_the_documentation_lists_the_functions():
    page = Path(__file__).parents[2] / "docs" / "expressions-and-sql.md"
    assert page.read_text().rstrip().endswith(function_table())
