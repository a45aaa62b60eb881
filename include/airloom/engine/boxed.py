"""What runs in the box: raise the walls, run the user's function on what was handed in, hand back what it returned.

The file runs in a fresh interpreter that `box` starts, and imports the standard library and its own walls alone. What
is handed in and out are open files: the code could not open a path. Once user code has run, nothing here is trusted.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import io
import json
import mmap
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from airloom.engine import walls

SOURCE = "<code>"
"""The file name of the user's code in a traceback."""
TESTS = "<tests>"
"""That of the tests of a function."""
_BATCH_ROWS = 65_536
_LONGEST_TEXT = 2000
_MOST_LINES = 30


class Fault(Exception):
    """Raise what the report says: its kind, and a message for the user."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main() -> None:
    """Do what the request on standard input says, write the report, and end the process."""
    request = json.load(sys.stdin)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    report: dict[str, Any] = {"missing": {}, "fault": None}
    try:
        report["missing"] = _enclose(request)
        _forget_ourselves(request["packages"])
        if request["tests"]:
            report["tests"], report["failures"] = _run_tests(request)
        else:
            _run(request)
    except Fault as fault:
        report["fault"] = {"kind": fault.kind, "message": _short(str(fault))}
    except BaseException as error:  # noqa: BLE001 whatever user code raises, SystemExit too, is its result
        report["fault"] = _described(error, _sources(request))
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(request["report"], json.dumps(report).encode())
    # Threads and exit handlers that the code left behind have no say.
    os._exit(0)


def _enclose(request: dict[str, Any]) -> dict[str, str]:
    bounds = walls.Bounds(request["memory"], request["addresses"], request["seconds"])
    parent = request["parent"]
    if not request["boxed"]:
        walls.give_way()
        walls.die_with(parent)
        walls.limit_process(bounds, None)
        return {}
    rooms = walls.Rooms(request["readable"], request["folder"])
    try:
        return walls.raise_walls(rooms, bounds, request["offered"], parent)
    except walls.NoBox as reason:
        raise Fault("no_box", str(reason)) from None


def _forget_ourselves(packages: list[str]) -> None:
    """Leave the interpreter as a plain one: the standard library, and the packages that are installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "airloom"]:
        del sys.modules[name]
    sys.path[:] = [*sys.path[1:], *packages]


def _run(request: dict[str, Any]) -> None:
    library = request["library"]
    if not request["function"]:
        return
    given = _read_table(library, request["input"]) if library else _read_value(request["input"])
    function = _function_of(_defined("code_of_node", request["source"], SOURCE), request["function"])
    asks_for_params = len(inspect.signature(function).parameters) > 1
    result = function(given, request["params"]) if asks_for_params else function(given)
    write = _write_table if library else _write_value
    try:
        write(library or "", result, request["function"], request["output"])
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise Fault("too_large", "the result is larger than the memory that the code may take") from None
        raise


def _run_tests(request: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Run the functions `test_…` of a file of tests; return how many there are, and what those say that failed."""
    name, (_, tests) = request["function"], request["tests"]
    # By this name the tests import it.
    function = _function_of(_defined(name, request["source"], SOURCE), name)
    module = _defined(f"{name}_test", tests, TESTS, {name: function})
    by_name = {key: test for key, test in vars(module).items() if key.startswith("test_") and callable(test)}
    if not by_name:
        raise Fault("code", "there is no test: a function whose name begins with test_")
    failures: list[dict[str, Any]] = []
    for key, test in by_name.items():
        try:
            if inspect.signature(test).parameters or inspect.iscoroutinefunction(test):
                raise TypeError("a test is a plain function without parameters")
            test()
        except BaseException as error:  # noqa: BLE001 whatever a test raises is its result
            if len(failures) < request["most_failures"]:
                failures.append({**_described(error, _sources(request)), "test": _short(key)})
    return len(by_name), failures


def _defined(name: str, source: str, place: str, known: dict[str, Any] | None = None) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(known or {})
    sys.modules[name] = module
    exec(compile(source, place, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 this is what a box is for
    return module


def _function_of(module: types.ModuleType, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise Fault("code", f"the code defines no function {name}")
    return function


# Tables


def _read_table(library: str, file: int) -> Any:
    try:
        import pyarrow

        content = pyarrow.py_buffer(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
        table = pyarrow.ipc.open_stream(content).read_all()
        if library == "pandas":
            import pandas

            # Arrow's own types in pandas, too: what a table holds comes in and goes out as it is.
            return table.to_pandas(types_mapper=pandas.ArrowDtype)
        if library == "polars":
            import polars

            return polars.from_arrow(table)
    except ImportError as error:
        raise Fault("library", f"{library} cannot be imported: {error}") from None
    return table


def _write_table(library: str, result: Any, function: str, file: int) -> None:
    import pyarrow

    try:
        table = _as_arrow(library, result, function)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:
        raise Fault("output", f"the result is not a table of plain columns: {error}") from None
    with os.fdopen(file, "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=_BATCH_ROWS)


def _as_arrow(library: str, result: Any, function: str) -> Any:
    import pyarrow

    if library == "arrow":
        return _expected(result, pyarrow.Table, "pyarrow.Table", function)
    if library == "polars":
        import polars

        if isinstance(result, polars.LazyFrame):
            result = result.collect()
        return _expected(result, polars.DataFrame, "polars.DataFrame", function).to_arrow()
    import pandas

    frame = _expected(result, pandas.DataFrame, "pandas.DataFrame", function)
    named = [str(name) for name in frame.index.names if name is not None]
    if named:
        raise Fault("output", f"the index {', '.join(named)} would be lost: return df.reset_index()")
    odd = [name for name in frame.columns if not isinstance(name, str)]
    if odd:
        raise Fault("output", f"the name of a column is a text, not {odd[0]!r}")
    return pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _expected(result: Any, kind: type, name: str, function: str) -> Any:
    if not isinstance(result, kind):
        given = type(result)
        raise Fault("output", f"{function} returned {given.__module__}.{given.__qualname__}, not a {name}")
    return result


# Values


def _read_value(file: int) -> Any:
    with os.fdopen(file, "rb") as source:
        return json.load(source)


def _write_value(library: str, result: Any, function: str, file: int) -> None:
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("output", f"{function} returned what is not JSON: {error}") from None
    with os.fdopen(file, "wb") as sink:
        sink.write(text.encode("utf-8", "surrogatepass"))


# What went wrong, in the user's own code


def _sources(request: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the name and the text of each file of the user, by its name in a traceback."""
    sources = {SOURCE: (request["file"], request["source"])}
    return {**sources, TESTS: tuple(request["tests"])} if request["tests"] else sources


def _described(error: BaseException, sources: dict[str, tuple[str, str]]) -> dict[str, Any]:
    places: list[tuple[str, int, str]] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in sources:
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno, trace.tb_frame.f_code.co_name))
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename in sources and error.lineno:
        places.append((error.filename, error.lineno, ""))
    message = f"{type(error).__name__}: {_text_of(error)}".removesuffix(": ")
    shown = []
    for place, line, name in places[-_MOST_LINES:]:
        file, source = sources[place]
        lines = source.splitlines()
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        shown.append(f"  {file and f'{file}, '}line {line}, in {name}\n    {_short(text)}")
    return {
        "kind": "memory" if isinstance(error, MemoryError) else "raised",
        "message": _short(message),
        "line": places[-1][1] if places else None,
        "file": sources[places[-1][0]][0] if places else "",
        "refused": isinstance(error, OSError),
        "absent": isinstance(error, ModuleNotFoundError),
        "trace": "\n".join([*shown, _short(message)]),
    }


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 an exception of the user may not even have a text
        return ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " …"
