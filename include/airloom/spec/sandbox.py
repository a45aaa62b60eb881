"""Jinja's sandbox, narrowed to what a pipeline needs and bounded in size and work.

Imports jinja2 at once: `expression` imports this module inside its functions.
"""

from __future__ import annotations

import functools
import json
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer

from airloom.spec.expression import Exposed
from airloom.spec.problem import suggestion

MAX_SIZE = 10_000_000
"""The largest value that an expression may make: a character is 1, an item of a list or an object 10 more."""
MAX_WORK = 20_000_000
"""What all expressions of one node may make together, counted alike; a step of work is 20."""
MOST_COMPILED = 1000
"""Texts whose compiled form is kept."""
MAX_BITS = 10_000
"""The length of the largest whole number."""
STEP = 20
Compiled = TypeVar("Compiled")
ITEM = 10


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEPT_FILTERS = _words(
    """abs capitalize count d default dictsort first float groupby int items last length list lower map max min
    reject rejectattr reverse select selectattr sort title trim truncate unique upper urlencode wordcount"""
)

_TEXT = _words(
    """capitalize casefold count endswith find isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle
    isupper join lower lstrip partition removeprefix removesuffix replace rfind rpartition rsplit rstrip split
    splitlines startswith strip swapcase title upper"""
)
_DATE = _words("year month day weekday isoweekday isoformat strftime")
_TIME = _words("hour minute second microsecond isoformat strftime")
_SCALARS = frozenset({str, int, float, bool, NoneType, date, datetime, time, timedelta, Decimal})
# The order matters: a datetime is a date, too. What isn't listed has no attribute at all.
ATTRIBUTES: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _TEXT),
    (datetime, _DATE | _TIME | _words("date time timestamp")),
    (date, _DATE),
    (time, _TIME),
    (timedelta, _words("days seconds microseconds total_seconds")),
    (LoopContext, _words("index index0 revindex revindex0 first last length previtem nextitem")),
    (list, _words("count index")),
    (tuple, _words("count index grouper list")),
)


def _attributes(obj: Any) -> frozenset[str]:
    if isinstance(obj, Exposed):
        return obj.exposed
    listed = next((names for kind, names in ATTRIBUTES if isinstance(obj, kind)), frozenset[str]())
    return listed if not isinstance(obj, tuple) or hasattr(obj, "grouper") else listed - {"grouper", "list"}


class TooLarge(SecurityError):
    """Raise when an expression asks for more text, items or steps than are allowed."""


def text_of(value: Any) -> str:
    """Return how a value stands in text: text, numbers and dates as they are; all else as JSON."""
    value = plain(value)
    if isinstance(value, Exposed):
        raise SecurityError(f"{value!r} has no text: use one of {', '.join(sorted(value.exposed))}")
    if isinstance(value, date | time):
        return value.isoformat()
    if value is None or isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    return str(value)


def plain(value: Any) -> Any:
    """Return a value without views, generators and undefined parts: dicts, lists and scalars.

    An object that occurs several times is converted once, so that the work stays that of its distinct parts.
    """
    return value if _is_plain(value) else _plain(value, {})


def _is_plain(value: Any) -> bool:
    pending = [value]
    seen: set[int] = set()
    while pending:
        part = pending.pop()
        kind = type(part)
        if kind in _SCALARS:
            continue
        if kind is not dict and kind is not list:
            return False
        if id(part) not in seen:
            seen.add(id(part))
            pending.extend(part.values() if kind is dict else part)
    return True


def _plain(value: Any, known: dict[int, tuple[Any, Any]]) -> Any:
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Undefined):
        # Touching it raises, either "is undefined" or the sandbox's refusal; but for an `if` without `else`.
        str(value)
        raise UndefinedError("the condition of this `if` is false, and it has no `else`: write `else none`")
    if isinstance(value, str):
        return str(value)
    if callable(value):
        raise SecurityError("a function is not a value: call it, with its arguments in parentheses")
    if id(value) in known:
        return known[id(value)][1]
    result: Any
    if isinstance(value, Mapping):
        result = {key: _plain(item, known) for key, item in value.items()}
    elif isinstance(value, list | tuple | set | frozenset | range | Iterator):
        result = [_plain(item, known) for item in value]
    else:
        return value
    # The original is kept, too: its id must not be given to another object meanwhile.
    known[id(value)] = (value, result)
    return result


def weigh(value: Any, known: dict[int, tuple[Any, int]] | None = None) -> int:
    """Return the size of a value, counting a part as often as it occurs in it."""
    kind = type(value)
    if kind is str:
        return ITEM + len(value)
    if kind in _SCALARS:
        return ITEM
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return ITEM + (len(value) if isinstance(value, str | bytes) else 0)
    known = {} if known is None else known
    if id(value) not in known:
        parts: Iterable[Any] = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = (value, ITEM + sum([weigh(part, known) for part in parts]))
    return known[id(value)][1]


class _Bounded(NodeTransformer):
    """Lead what the sandbox does not intercept (loops, `~`, literals of lists) through filters that count."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _call("_counted", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("_joined", nodes.List(node.nodes, lineno=node.lineno))

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("_made", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("_made", node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _call("_made", node)


def _call(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class Sandbox(ImmutableSandboxedEnvironment):
    """Render the expressions of one node: strict about undefined names, attributes, sizes and work."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        # Without the optimizer, constants are not folded before the bounds are in place.
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
            finalize=pass_context(lambda context, value: self._text(value)),
        )
        self.work = 0
        self._compiled: dict[tuple[str, str], Any] = {}
        self.globals = {"range": safe_range}
        own: dict[str, Callable[..., Any]] = {
            "join": self._join,
            "replace": self._replace,
            "round": _round,
            "shift": _shift,
            "string": self._text,
            "sum": self._sum,
            "tojson": self._text_as_json,
            "_joined": self._join,
            "_made": lambda value: value,
        }
        filters = {name: FILTERS[name] for name in KEPT_FILTERS} | own
        self.filters = {name: self._counting(function) for name, function in filters.items()}
        self.filters["_counted"] = self._counted

    @property
    def filter_names(self) -> list[str]:
        """Return the filters that an author may use."""
        return sorted(name for name in self.filters if not name.startswith("_"))

    def expression(self, expression: nodes.Expr) -> Callable[[Mapping[str, Any]], Any]:
        """Return what works out one expression: its value has a type."""
        result = nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)
        evaluate = TemplateExpression(self.from_string(nodes.Template([result], lineno=1)), False)
        return lambda names: plain(evaluate(names))

    def compiled(self, key: tuple[str, str], compile_it: Callable[[], Compiled]) -> Compiled:
        """Return what `compile_it` made of a text of this key, now or before."""
        if key not in self._compiled:
            if len(self._compiled) >= MOST_COMPILED:
                self._compiled.clear()
            self._compiled[key] = compile_it()
        found: Compiled = self._compiled[key]
        return found

    def spend(self, amount: int) -> None:
        """Count `amount` towards the work; raise TooLarge beyond it."""
        self.work += amount
        if amount > MAX_SIZE:
            raise TooLarge(f"this makes a value of more than {MAX_SIZE:,} characters")
        if self.work > MAX_WORK:
            raise TooLarge("this takes too many steps")

    # Hooks of Jinja

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        return super()._generate(_Bounded().visit(source), name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an item of a mapping, or a listed attribute of anything else."""
        if isinstance(obj, Undefined):
            # Raises: what is undefined has no parts.
            str(obj)
        if attribute.startswith("_"):
            return self.unsafe_undefined(obj, attribute)
        if isinstance(obj, Mapping):
            return self.getitem(obj, attribute)
        if attribute not in _attributes(obj):
            return self.unsafe_undefined(obj, attribute)
        if isinstance(obj, str) and attribute in ("join", "replace"):
            return functools.partial(self._join_method if attribute == "join" else self._replace, obj)
        return getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; for a string on anything but a mapping, what the attribute of that name is."""
        if isinstance(argument, str) and not isinstance(obj, Mapping):
            return self.getattr(obj, argument)
        if isinstance(obj, Mapping):
            if argument in obj:
                try:
                    return obj[argument]
                except KeyError as error:
                    said = str(error.args[0]) if error.args else ""
                    return self.undefined(said if " " in said else f"{argument!r} has no value in this run")
            near = suggestion(str(argument), [key for key in obj if isinstance(key, str)])
            return self.undefined(f"there is no {argument!r} here" + (f"; {near}" if near else ""))
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Return an undefined that refuses every use."""
        advice = f"; write ['{attribute}'] for an item of that name" if isinstance(obj, Mapping) else ""
        message = f"a value of type {type(obj).__name__} has no {attribute!r} that an expression may use{advice}"
        return self.undefined(message, exc=SecurityError)

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow functions and methods; never classes or objects that can be called."""
        kinds = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)
        return isinstance(obj, kinds) and super().is_safe_callable(obj)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a function and count the call and its result."""
        if isinstance(__obj, Undefined):
            str(__obj)
        result = super().call(__context, __obj, *args, **kwargs)
        __self.spend(STEP + _length(result))
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator whose result might be far larger than its operands."""
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% is for numbers; join texts with ~")
        if isinstance(left, int) and isinstance(right, int):
            _check_number(operator, left, right)
        elif operator == "+" and isinstance(left, Sequence):
            self.spend(weigh(left) + weigh(right))
        elif operator == "*" and isinstance(left, Sequence) != isinstance(right, Sequence):
            sequence, times = (left, right) if isinstance(left, Sequence) else (right, left)
            self.spend(weigh(sequence) * max(times, 0))
        self.spend(STEP)
        return super().call_binop(context, operator, left, right)

    # What counts

    def _counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            self.spend(STEP + weigh(result))
            return result

        return counted

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.spend(STEP)
            yield value

    def concat(self, parts: Iterable[str]) -> str:
        """Join the parts of a text, stopping at the longest text allowed."""
        kept = []
        length = 0
        for part in parts:
            length += len(part)
            self.spend(len(part))
            if length > MAX_SIZE:
                raise TooLarge(f"the text is longer than {MAX_SIZE:,} characters")
            kept.append(part)
        return "".join(kept)

    # Filters of our own, and Jinja's where those know no bounds

    def _text(self, value: Any) -> str:
        value = plain(value)
        self.spend(weigh(value))
        return text_of(value)

    def _text_as_json(self, value: Any) -> str:
        value = plain(value)
        self.spend(weigh(value))
        return json.dumps(value, ensure_ascii=False, default=text_of)

    def _join(self, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = [values] if isinstance(values, Undefined) else values
        if attribute is not None:
            items = [self.getitem(item, attribute) for item in items]
        return self.concat(_between([self._text(item) for item in items], self._text(d)))

    def _join_method(self, separator: str, values: Iterable[Any]) -> str:
        return self._join(values, separator)

    def _sum(self, values: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
        items = [plain(item if attribute is None else self.getitem(item, attribute)) for item in values]
        if any(isinstance(item, Sequence) for item in [start, *items]):
            raise TypeError("sum adds numbers")
        return sum(items, start)

    def _replace(self, text: str, old: str, new: str, count: int = -1) -> str:
        text, old, new = self._text(text), self._text(old), self._text(new)
        occurrences = text.count(old)
        self.spend(len(text) + max(0, len(new) - len(old)) * occurrences)
        return text.replace(old, new, -1 if count is None else count)


def _between(parts: Sequence[str], separator: str) -> Iterator[str]:
    for index, part in enumerate(parts):
        if index and separator:
            yield separator
        yield part


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 1


def _check_number(operator: str, left: int, right: int) -> None:
    bits = {"**": left.bit_length() * max(right, 0), "*": left.bit_length() + right.bit_length()}
    if bits.get(operator, 0) > MAX_BITS:
        raise TooLarge(f"this makes a number of more than {MAX_BITS:,} bits")


def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    if not -30 <= precision <= 30:
        raise ValueError("round keeps at most 30 digits")
    return FILTERS["round"](value, precision, method)


def _shift(value: Any, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> Any:
    if not isinstance(value, date):
        raise TypeError("shift moves a date or a time stamp")
    return value + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
