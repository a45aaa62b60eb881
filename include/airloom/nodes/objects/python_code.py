"""Values by users' Python."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from airloom.engine.box import run_value
from airloom.nodes.code import CodeTime, Memory, Python, ValueFunction, check_code, check_one_source, code_of
from airloom.nodes.sdk import Context, DataError, Example, Transform
from airloom.spec.expression import Exposed


class PythonCode(Transform, code=True):
    """Make a value with Python of your own.

    The code defines `run(value)`, or `run(value, params)` with the run's parameters, and returns what JSON knows: None,
    true and false, numbers, texts, lists, dictionaries. It runs in a box: it reaches its packages and the value, and
    nothing else. Instead, `function` names a function of the folder of code, which is called in the same way.
    """

    code: Python | None = Field(None, description="Python that defines `run(value)`, or `run(value, params)`")
    function: ValueFunction | None = Field(
        None, description="In place of code: `clean` of `include/code/clean.py`, which takes `value`, and `params`"
    )
    timeout: CodeTime = Field("5m", validate_default=True, description="After this time the code is stopped")
    memory: Memory = Field(
        "1GB", validate_default=True, description="What the code may take, Python and packages included"
    )

    examples = (
        Example(
            "Count words",
            {
                "code": "from collections import Counter\n\n"
                "def run(value):\n"
                '    return dict(Counter(value["text"].lower().split()))\n'
            },
            {"value": {"text": "to be or not to be"}},
            {"value": {"to": 2, "be": 2, "or": 1, "not": 1}},
        ),
    )

    @field_validator("code")
    @classmethod
    def _has_run(cls, code: str | None) -> str | None:
        return None if code is None else check_code(code, "run", "value")

    @model_validator(mode="after")
    def _one_source(self) -> PythonCode:
        check_one_source(self)
        return self

    def run(self, value: Any = None, *, context: Context) -> Any:
        """Run the code on the value, None where no edge leads here; raise what `engine.box` raises."""
        if isinstance(value, Exposed):
            raise DataError("a table is not a value", hint="use python_transform for the rows of a table")
        return run_value(code_of(self, "run", context), value, context.log)
