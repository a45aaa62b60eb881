"""What a check is told about the world: Connections, pools, files, columns of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airloom.engine.relation import Columns
from airloom.engine.storage import Files
from airloom.nodes.ports import Interfaces, no_interfaces
from airloom.spec.error import AirloomError
from airloom.spec.values import Values


@dataclass(frozen=True)
class Question:
    """Ask a node that reads through Connections for its columns: plain data, for another process may answer."""

    node: str
    type: str
    version: int | None
    config: dict[str, Any]
    params: dict[str, Any]
    """The params of the document."""
    connections: list[str]


@dataclass(frozen=True)
class Description:
    """Hold the columns of a node, None where only a run can tell, or why it cannot tell them."""

    columns: Columns | None = None
    error: AirloomError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form in which another process hands it over."""
        columns = None if self.columns is None else list(self.columns.items())
        return {"columns": columns, "error": None if self.error is None else self.error.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Description:
        """Return what `to_json` wrote."""
        columns, told = data["columns"], data["error"]
        error = None if told is None else AirloomError.from_json(told)
        return cls(None if columns is None else dict(columns), error)


Describe = Callable[[Sequence[Question]], Mapping[str, Description]]


@dataclass(frozen=True)
class Facts:
    """Hold what is known; None means that it is not known here, and then nothing is said about it."""

    connections: Mapping[str, str] | None = None
    """Name → type of the Connections that exist."""
    pools: frozenset[str] | None = None
    files: Files | None = None
    """Where file sources are looked at for their columns."""
    describe: Describe | None = None
    """Gives, by node, what each question asks for; it takes a bounded time, whatever another system does."""
    switched_off: frozenset[str] = frozenset()
    """The node types that no version may use any more."""
    run_tests: bool = False
    """Whether the tests of functions are run: nothing is published that fails them."""
    values: Values = field(default_factory=Values)
    """What documents may read as `values`."""
    calls: Callable[[str], frozenset[str] | None] | None = None
    """Gives the pipelines that a published pipeline runs, by its id; None where there is no such pipeline."""
    interface: Interfaces = no_interfaces
    """Gives what a published pipeline takes and gives as a part of another one, by its id."""
