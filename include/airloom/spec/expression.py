"""Expressions: `{{ … }}` over six names, in Jinja's sandbox.

Nothing else of a run can be reached: no Airflow context, no Connection, no environment, no class.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airloom.spec.error import AirloomError, ConfigurationError
from airloom.spec.problem import Problem, pointer, suggestion

if TYPE_CHECKING:
    from jinja2 import nodes

    from airloom.spec.sandbox import Sandbox

NAMES = ("nodes", "params", "values", "trigger", "run", "loop")
YOUNG = frozenset({"values"})
"""Those that a text may also set itself: it may be older than they are."""
PLACEHOLDER = "airloom_ph_"
"""How the name of a placeholder in captured SQL starts; the whole is `airloom_ph_<n>_`."""
MAX_TEXT = 1_000_000
MAX_DEPTH = 40
RAW_HINT = "to keep braces as text, write {% raw %}{{ … }}{% endraw %}"

_PARAM = "what Airflow keeps cannot be read here; declare a param, and write {{ params.name }}"
_AIRFLOW_NAMES = {
    **dict.fromkeys(("ds", "ds_nodash", "data_date"), "write run.local_date"),
    **dict.fromkeys(("ts", "ts_nodash", "execution_date", "logical_date"), "write run.logical_date"),
    **dict.fromkeys(("data_interval_start", "prev_ds", "yesterday_ds"), "write run.interval_start"),
    **dict.fromkeys(("data_interval_end", "next_ds", "tomorrow_ds"), "write run.interval_end"),
    **dict.fromkeys(("run_id", "dag_run"), "write run.id"),
    **dict.fromkeys(("try_number",), "write run.attempt"),
    **dict.fromkeys(("var", "conn", "macros", "ti", "task_instance", "dag", "task", "conf"), _PARAM),
    **dict.fromkeys(("now", "today", "utcnow"), "write run.logical_date, which a repeated run has again"),
    **dict.fromkeys(("env", "environ", "os"), "declare a param, and write {{ params.name }}"),
    "param": "did you mean 'params'?",
}
"""Names of Airflow's templates and of others → what to write."""
_NO_NAMES: Mapping[str, str] = {}

Raw = Collection[str] | Callable[[str], bool]


class ExpressionError(ConfigurationError):
    """Raise when an expression is wrong, or cannot be worked out with the values of this run."""

    code = "expression"


@dataclass(frozen=True)
class Declared:
    """Stand for a value that is known only at a run: a column type of DuckDB, `T[]` for a list, None for unknown."""

    type: str | None = None


class View(Mapping[str, Any]):
    """Offer named values to expressions; each is fetched when it is first used, and never otherwise.

    `fetch` raises KeyError, with a sentence that says why, for a name that has no value in this run.
    """

    def __init__(self, names: Iterable[str], fetch: Callable[[str], Any]) -> None:
        self._names = dict.fromkeys(names)
        self._fetch = fetch
        self._fetched: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._fetched:
            self._fetched[name] = self._fetch(name)
        return self._fetched[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"View({', '.join(self._names)})"


class Exposed:
    """Be a value whose attributes named in `exposed` an expression may use; all others stay out of its reach."""

    exposed: ClassVar[frozenset[str]] = frozenset()


def has_expression(text: str) -> bool:
    """Tell whether a text is more than itself: whether it holds an expression, a statement or a comment."""
    return "{{" in text or "{%" in text or "{#" in text


def texts(value: Any, at: str = "", *, raw: Raw = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield pointer and text of every string of a configuration that is rendered."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, at + pointer(key), raw=raw)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, at + pointer(index), raw=raw)
    elif isinstance(value, str) and has_expression(value) and not _is_raw(at, raw):
        yield at, value


def check_expression(text: str, given: Mapping[str, str] = _NO_NAMES) -> list[Problem]:
    """Return what is wrong with a text of expressions: syntax, names, filters, comments, statements.

    `given` are names that people may take for ones that expressions know → the name before them: orders → nodes.
    """
    return _parse(_reader(), text, given)[1] if has_expression(text) else []


def references(text: str) -> set[tuple[str, ...]]:
    """Return what the expressions of a text refer to, such as `("nodes", "orders", "rows")`.

    A reference goes on as long as its parts are constant names: a field of a value or a method follows after
    the parts that the document declares. A text that cannot be read refers to nothing.
    """
    if not has_expression(text):
        return set()
    tree, _ = _parse(_reader(), text)
    found: set[tuple[str, ...]] = set()
    walked = None if tree is None else _walk(tree)
    if tree is not None and walked is not None:
        _collect_references(tree, found, in_loop=False)
        found = {path for path in found if path[0] not in YOUNG & _assigned(walked)}
    return found


def render(value: Any, names: Mapping[str, Any], at: str = "", *, raw: Raw = frozenset()) -> Any:
    """Return a configuration with its expressions worked out.

    A string that is one expression yields the value with its type; in other text a value stands as text (strings
    and dates as they are, all else as JSON). Keys are not rendered, nor are the pointers that `raw` names.
    Raises ExpressionError, with the pointer as its field, for what is wrong, undefined or refused.
    """
    sandbox: Sandbox | None = None

    def rendered(item: Any, place: str) -> Any:
        nonlocal sandbox
        if isinstance(item, dict):
            return {key: rendered(inner, place + pointer(key)) for key, inner in item.items()}
        if isinstance(item, list):
            return [rendered(inner, place + pointer(index)) for index, inner in enumerate(item)]
        if not isinstance(item, str) or not has_expression(item) or _is_raw(place, raw):
            return item
        sandbox = sandbox or _sandbox()
        return _rendered_text(sandbox, item, names, place)

    return rendered(value, at)


def capture(text: str, names: Mapping[str, Any], at: str = "") -> tuple[str, list[Any]]:
    """Return an SQL text with a placeholder for each `{{ … }}`, and the values that belong there.

    The values never become text: `engine.sql_field` puts them into the syntax tree. Raises ExpressionError.
    """
    sandbox = _sandbox()

    def compiled() -> tuple[str, list[Any]]:
        return _captured(sandbox, text, at, sandbox.expression)

    text, expressions = sandbox.compiled(("sql", text), compiled)
    return text, [_guarded(functools.partial(expression, names), at) for expression in expressions]


def capture_declared(
    text: str, types: Mapping[tuple[str, ...], str | None], at: str = ""
) -> tuple[str, list[Declared]]:
    """Return an SQL text as `capture` does, before any run: each value is the type declared for what it refers to.

    `types` maps references, such as `("params", "region")`, to column types. What is not a plain reference to
    one of them has an unknown type. Raises ExpressionError.
    """

    def declared(expression: nodes.Expr) -> Declared:
        path, complete = _path(expression)
        return Declared(types.get(tuple(path)) if complete else None)

    return _captured(_reader(), text, at, declared)


def check_sql_expressions(text: str, given: Mapping[str, str] = _NO_NAMES) -> list[Problem]:
    """Return what is wrong with the expressions of an SQL text."""
    if PLACEHOLDER in text.lower():
        return [Problem("expression.reserved", f"names that start with {PLACEHOLDER} are reserved")]
    if "{%" in text or "{#" in text:
        hint = "use CASE WHEN … END, or a condition on the parameter"
        return [Problem("expression.statement", "only {{ … }} is possible in SQL", hint=hint)]
    return check_expression(text, given)


@functools.cache
def _reader() -> Sandbox:
    """Return a sandbox that works nothing out: making one takes longer than reading a text."""
    from airloom.spec.sandbox import Sandbox

    return Sandbox()


def _sandbox() -> Sandbox:
    """Return this thread's sandbox, for the expressions of one more node: what it has compiled is used again."""
    from airloom.spec.sandbox import Sandbox

    sandbox: Sandbox | None = getattr(_thread, "sandbox", None)
    if sandbox is None:
        sandbox = _thread.sandbox = Sandbox()
    sandbox.work = 0
    return sandbox


_thread = threading.local()


def _is_raw(place: str, raw: Raw) -> bool:
    return raw(place) if callable(raw) else place in raw


def _rendered_text(sandbox: Sandbox, text: str, names: Mapping[str, Any], at: str) -> Any:
    def compiled() -> Callable[[Mapping[str, Any]], Any]:
        tree = _parsed(sandbox, text, at)
        whole = _whole(tree)
        return sandbox.from_string(tree).render if whole is None else sandbox.expression(whole)

    return _guarded(lambda: sandbox.compiled(("text", text), compiled)(names), at)


def _guarded(work: Callable[[], Any], at: str) -> Any:
    from jinja2 import TemplateError

    try:
        return work()
    except AirloomError:
        raise
    except TemplateError as error:
        raise ExpressionError(error.message or "this cannot be worked out", field=at) from error
    except (RecursionError, SyntaxError) as error:
        # Python itself refuses code with too many brackets in each other.
        raise ExpressionError("this expression is nested too deeply", field=at) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ExpressionError(f"this cannot be worked out: {error}", field=at) from error


def _captured(sandbox: Sandbox, text: str, at: str, value_of: Callable[[nodes.Expr], Any]) -> tuple[str, list[Any]]:
    problems = check_sql_expressions(text)
    if problems:
        raise _error(problems[0], at)
    if not has_expression(text):
        return text, []
    from jinja2 import nodes

    values: list[Any] = []
    parts: list[str] = []
    for part in _output(_parsed(sandbox, text, at)):
        if isinstance(part, nodes.TemplateData):
            parts.append(part.data)
        else:
            parts.append(f" {PLACEHOLDER}{len(values)}_ ")
            values.append(value_of(part))
    return "".join(parts), values


def _parsed(sandbox: Sandbox, text: str, at: str) -> nodes.Template:
    tree, problems = _parse(sandbox, text)
    if problems or tree is None:
        raise _error(problems[0], at)
    return tree


def _error(problem: Problem, at: str) -> ExpressionError:
    return ExpressionError(problem.message, field=at, hint=problem.hint)


def _parse(
    sandbox: Sandbox, text: str, given: Mapping[str, str] = _NO_NAMES
) -> tuple[nodes.Template | None, list[Problem]]:
    from jinja2 import TemplateSyntaxError

    if len(text) > MAX_TEXT:
        return None, [Problem("expression.size", f"a text with expressions has at most {MAX_TEXT:,} characters")]
    try:
        if "{#" in text and any(kind == "comment_begin" for _, kind, _ in sandbox.lex(text)):
            return None, [Problem("expression.comment", "{# … #} is a comment and would vanish", hint=RAW_HINT)]
        tree = sandbox.parse(text)
    except TemplateSyntaxError as error:
        message = f"this expression cannot be read: {error.message}"
        if text.count("{{") > text.count("}}"):
            return None, [Problem("expression.syntax", "a {{ is not closed", hint=f"write }}}} behind it; {RAW_HINT}")]
        if "\n" in text:
            message += f" (line {error.lineno})"
        return None, [Problem("expression.syntax", message, hint=RAW_HINT)]
    except (RecursionError, ValueError):
        return None, [Problem("expression.syntax", "this expression is nested too deeply or holds too large a number")]
    return tree, _faults(sandbox, tree, given)


def _faults(sandbox: Sandbox, tree: nodes.Template, given: Mapping[str, str]) -> list[Problem]:
    from jinja2 import nodes

    statements = (nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.Assign)
    walked = _walk(tree)
    if walked is None:
        return [Problem("expression.syntax", "this expression is nested too deeply")]
    assigned = _assigned(walked)
    known = {*NAMES, *sandbox.globals, *assigned}
    problems = [
        Problem("expression.name", f"{name!r} is a given name: choose another one")
        for name in sorted(assigned & {*NAMES, *sandbox.globals} - YOUNG)
    ]
    for node in walked:
        if isinstance(node, nodes.Stmt | nodes.Template) and not isinstance(node, statements):
            problems.append(_unknown_statement(type(node).__name__))
        elif isinstance(node, nodes.For) and node.recursive:
            problems.append(_unknown_statement("For … recursive"))
        elif isinstance(node, nodes.NSRef):
            problems.append(_unknown_statement("Set of an attribute"))
        elif isinstance(node, nodes.Name) and node.name not in known:
            problems.append(_unknown_name(node.name, _dotted(walked, node), given))
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            problems.extend(_refused_attribute(sandbox, node))
        elif isinstance(node, nodes.Filter | nodes.Test):
            problems.extend(_unknown_function(sandbox, node))
    return problems


def _assigned(walked: Iterable[nodes.Node]) -> set[str]:
    """Return the names that a text sets."""
    from jinja2 import nodes

    return {node.name for node in walked if isinstance(node, nodes.Name) and node.ctx != "load"}


def _walk(tree: nodes.Template) -> list[nodes.Node] | None:
    """Return all nodes in the order of the text, or None where they are nested too deeply."""
    found: list[nodes.Node] = []
    pending: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            return None
        found.append(node)
        pending.extend((child, depth + 1) for child in reversed(list(node.iter_child_nodes())))
    return found


def _unknown_statement(name: str) -> Problem:
    hint = f"for, if and set can be used; {RAW_HINT}"
    return Problem("expression.statement", f"{{% {name.lower()} %}} is not possible here", hint=hint)


def _dotted(walked: list[nodes.Node], name: nodes.Name) -> str:
    """Return the chain of parts that begins with a name, such as `orders.rows.rows`."""
    from jinja2 import nodes

    text, inner = name.name, cast("nodes.Node", name)
    for node in reversed(walked):
        if isinstance(node, nodes.Getattr) and node.node is inner:
            text, inner = f"{text}.{node.attr}", node
    return text


def _unknown_name(name: str, dotted: str, given: Mapping[str, str]) -> Problem:
    near = suggestion(name, NAMES)
    hint = f"{near + '; ' if near else ''}expressions know {', '.join(NAMES)}; {RAW_HINT}"
    if name in given:
        hint = f"write {given[name]}.{dotted}"
    elif name in _AIRFLOW_NAMES:
        hint = _AIRFLOW_NAMES[name]
    return Problem("expression.unknown_name", f"there is no name {name!r}", hint=hint)


def _unknown_function(sandbox: Sandbox, node: nodes.Filter | nodes.Test) -> list[Problem]:
    from jinja2 import nodes

    is_filter = isinstance(node, nodes.Filter)
    known = sandbox.filter_names if is_filter else list(sandbox.tests)
    if node.name in known:
        return []
    word = "filter" if is_filter else "test"
    hint = suggestion(node.name, known) or f"possible: {', '.join(known)}"
    return [Problem(f"expression.unknown_{word}", f"there is no {word} {node.name!r}", hint=hint)]


def _refused_attribute(sandbox: Sandbox, node: nodes.Getattr | nodes.Getitem) -> list[Problem]:
    """Return the problem of a part that no value has, or that a literal has not: the sandbox refuses it in a run."""
    from jinja2 import Undefined, nodes

    name = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
    if not isinstance(name, str):
        return []
    hidden = name.startswith("_") and isinstance(node, nodes.Getattr)
    alone = isinstance(node.node, nodes.Const) and isinstance(sandbox.getattr(node.node.value, name), Undefined)
    if not hidden and not alone:
        return []
    return [
        Problem("expression.attribute", f"{name!r} is not possible here", hint="no such part of a value can be used")
    ]


def _whole(tree: nodes.Template) -> nodes.Expr | None:
    """Return the one expression that a template consists of, apart from white space."""
    from jinja2 import nodes

    if not all(isinstance(statement, nodes.Output) for statement in tree.body):
        return None
    parts = _output(tree)
    expressions = [part for part in parts if not (isinstance(part, nodes.TemplateData) and not part.data.strip())]
    if len(expressions) != 1 or isinstance(expressions[0], nodes.TemplateData):
        return None
    return expressions[0]


def _output(tree: nodes.Template) -> list[nodes.Expr]:
    """Return the texts and expressions at the top of a template, in order."""
    from jinja2 import nodes

    return [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]


def _path(node: nodes.Node) -> tuple[list[str], bool]:
    """Return the reference that a chain of attributes makes, and whether it is the whole chain.

    The reference ends before a part that is computed, such as an index; it is empty where no given name starts it.
    """
    from jinja2 import nodes

    parts: list[str] = []
    complete = True
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        part = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
        if isinstance(part, str):
            parts.append(part)
        else:
            parts.clear()
            complete = False
        node = node.node
    if not isinstance(node, nodes.Name) or node.name not in NAMES:
        return [], False
    return [node.name, *reversed(parts)], complete


def _constant(node: nodes.Node) -> Any:
    from jinja2 import nodes

    return node.value if isinstance(node, nodes.Const) else None


def _collect_references(node: nodes.Node, found: set[tuple[str, ...]], *, in_loop: bool) -> None:
    from jinja2 import nodes

    path, _ = _path(node)
    if path and not (in_loop and path[0] == "loop"):
        found.add(tuple(path))
    while path and isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem):
            _collect_references(node.arg, found, in_loop=in_loop)
        node = node.node
    for child in node.iter_child_nodes():
        inside = isinstance(node, nodes.For) and child is not node.iter
        _collect_references(child, found, in_loop=in_loop or inside)
