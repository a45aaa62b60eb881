"""Ports: what goes into a node and what comes out, read from its signature and its class keywords."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airloom.engine.relation import Query
from airloom.nodes.kinds import KINDS, TableValue, kind_of

ERROR = "error"
RESERVED: frozenset[str] = frozenset({ERROR, "fired", "statistics"})
"""What a run keeps of a node beside its outputs, under the same names: no output is called so."""
TABLE_FIELDS: frozenset[str] = TableValue.exposed
"""What expressions may use of a table."""


@dataclass(frozen=True)
class Port:
    """Name one port of a node; `many` and `required` speak of inputs alone."""

    name: str
    kind: str = "any"
    many: bool = False
    required: bool = True


@dataclass(frozen=True)
class Each:
    """Declare one port for each entry of a config field."""

    field: str
    name: str | None
    kind: str


@dataclass(frozen=True)
class Maybe:
    """Declare a port that is there only where a config field is set, or `equals` a value."""

    port: Port
    when: str
    equals: str | None = None

    def holds(self, value: Any) -> bool:
        """Tell whether the port is there, by the value of the field."""
        return bool(value) if self.equals is None else value == self.equals


@dataclass(frozen=True)
class InterfacePorts:
    """Declare the ports of the interface of the pipeline that a config field names: its inputs, or its outputs."""

    field: str


Declared = Port | Each | Maybe | InterfacePorts


@dataclass(frozen=True)
class Interface:
    """Hold the inputs and outputs of a pipeline that is part of another one."""

    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the form that plans keep."""
        return {
            "inputs": [{"name": port.name, "kind": port.kind, "required": port.required} for port in self.inputs],
            "outputs": [{"name": port.name, "kind": port.kind} for port in self.outputs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interface:
        """Read what `to_json` wrote."""
        inputs = (Port(port["name"], port["kind"], required=port["required"]) for port in data["inputs"])
        return cls(tuple(inputs), tuple(Port(port["name"], port["kind"]) for port in data["outputs"]))


Interfaces = Callable[[str], Interface | None]


def no_interfaces(pipeline: str) -> Interface | None:
    """Know no other pipeline."""
    return None


def each(field: str, name: str | None = None, kind: str = "any") -> Each:
    """Declare a port for each entry of the config list `field`, for the class keywords `inputs` and `outputs`.

    The port has the name that stands in the entry under the key `name`, or the entry itself where no key is given.
    """
    return Each(field, name, _known(kind))


def port(name: str, kind: str = "any", when: str | None = None, equals: str | None = None) -> Port | Maybe:
    """Declare a port, for the class keywords `inputs` and `outputs`.

    With `when`, it is there only where that field of the config is set; with `equals`, only where the field has that
    value.

    Raises TypeError where there is no such kind.
    """
    declared = Port(name, _known(kind))
    return Maybe(declared, when, equals) if when else declared


def interface_ports(field: str) -> InterfacePorts:
    """Declare the ports of another pipeline, whose id the config field `field` holds.

    As the class keyword `inputs` it gives that pipeline's inputs, as `outputs` its outputs.
    """
    return InterfacePorts(field)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise TypeError(f"{kind!r} is not a port kind; there are {', '.join(KINDS)}")
    return kind


@functools.lru_cache(maxsize=1000)
def signature_of(function: Any) -> inspect.Signature:
    """Return the signature of a function, its annotations read as what they name."""
    return inspect.signature(function, eval_str=True)


@functools.lru_cache(maxsize=1000)
def inputs_of_signature(function: Any, ignored: tuple[type, ...]) -> tuple[Port, ...]:
    """Return the inputs that a method's parameters declare; parameters of the `ignored` types are not ports."""
    found = []
    for parameter in list(signature_of(function).parameters.values())[1:]:
        if parameter.annotation in ignored:
            continue
        kind = kind_of(parameter.annotation)
        many = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        required = parameter.default is inspect.Parameter.empty and not (many and KINDS[kind].wiring)
        found.append(Port(parameter.name, kind, many, required))
    return tuple(found)


@functools.lru_cache(maxsize=1000)
def outputs_of_signature(function: Any) -> tuple[Port, ...] | None:
    """Return the outputs that a method's return annotation declares, or None where config decides."""
    annotation = signature_of(function).return_annotation
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        hints = typing.get_type_hints(annotation)
        return tuple(Port(name, kind_of(hints[name])) for name in annotation._fields)
    if typing.get_origin(annotation) is dict and typing.get_args(annotation)[1:] == (Query,):
        return None
    if getattr(annotation, "outputs_from_config", False):
        return None
    kind = kind_of(annotation)
    return (Port("rows" if kind == "table" else "value", kind),)


def expand(
    declared: Iterable[Declared], config: Any, interfaces: Interfaces, side: Literal["inputs", "outputs"]
) -> list[Port]:
    """Return the ports that declarations give for one configuration (a node instance or a plain mapping)."""
    found: list[Port] = []
    for item in declared:
        if isinstance(item, Port):
            found.append(item)
        elif isinstance(item, Maybe):
            if item.holds(_field(config, item.when)):
                found.append(item.port)
        elif isinstance(item, InterfacePorts):
            interface = interfaces(str(_field(config, item.field)))
            found.extend(getattr(interface, side) if interface else ())
        else:
            found.extend(Port(name, item.kind) for name in _names(_field(config, item.field), item.name))
    return found


def _field(config: Any, name: str) -> Any:
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)


def _names(entries: Any, key: str | None) -> list[str]:
    if isinstance(entries, Mapping):
        return [str(name) for name in entries]
    if not isinstance(entries, list | tuple):
        return []
    names = [entry if key is None else _field(entry, key) for entry in entries]
    return [name for name in names if isinstance(name, str)]


def connects(output: str, target: str) -> bool:
    """Tell whether an output of one kind may feed an input of another."""
    if KINDS[output].wiring or KINDS[target].wiring:
        return output == target
    return output == target or "any" in (output, target) or target in KINDS[output].conversions
