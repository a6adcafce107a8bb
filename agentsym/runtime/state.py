"""The state of the langgraph graph: the agent's fields outside, one private channel with stamped values inside.

The stamp (super-step and node) says who wrote a value, which gives each step its parents and finds two writers of
one field in one super-step, whatever order they finish in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired

from langgraph.channels.last_value import LastValue
from pydantic import Field as Described
from typing_extensions import TypedDict

from agentsym.errors import NodeError
from agentsym.network.dataflow import surely_written
from agentsym.network.fields import Field, FieldType
from agentsym.network.network import END, Network
from agentsym.network.nodes import PromptNode

RUN = "agentsym:run"
CLEARED = {"agentsym:cleared": True}
_NOTHING = LastValue(Any).value

_TYPES: dict[FieldType, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "list": list[Any],
    "object": dict[str, Any],
    "choice": str,
    "any": Any,
}

Stamp = list[Any]
"""`[super-step, node id]`."""


class Stamped(TypedDict):
    """A value of a field and who wrote it."""

    value: Any
    at: Stamp


class RunState(TypedDict, total=False):
    """What the graph knows of its own run, as plain JSON.

    Attributes:
        values: field → the last value that a node wrote.
        visits: node → how often it has run, and in which super-step last.
        routed: node → who chose it by a conditional edge.
        awaited: deferred node → the super-step in which somebody led to it last.
    """

    values: dict[str, Stamped]
    visits: dict[str, list[int]]
    routed: dict[str, Stamp]
    awaited: dict[str, int]


class Latest(LastValue[Any]):
    """A channel of one of the agent's fields; that there is one writer is checked by `merge`, in our own words."""

    __slots__ = ()

    def update(self, values: Sequence[Any]) -> bool:
        """Keep the last value, or forget it."""
        if values:
            self.value = _NOTHING if values[-1] == CLEARED else values[-1]
        return bool(values)


def merge(before: RunState, after: RunState) -> RunState:
    """Return the run's state with what one node has written.

    Raises:
        NodeError: when another node has written the same field in the same super-step.
    """
    values = before.get("values", {})
    for name, stamped in after.get("values", {}).items():
        other = values.get(name)
        if other is not None and other["at"][0] == stamped["at"][0] and other["at"][1] != stamped["at"][1]:
            first, second = sorted((other["at"][1], stamped["at"][1]))
            raise NodeError(
                f"nodes {first!r} and {second!r} both wrote {name!r} at the same time; give each an output field of "
                "its own, or connect them so that one runs after the other"
            )
    return {
        "values": {**values, **after.get("values", {})},
        "visits": {**before.get("visits", {}), **after.get("visits", {})},
        "routed": {**before.get("routed", {}), **after.get("routed", {})},
        "awaited": {**before.get("awaited", {}), **after.get("awaited", {})},
    }


class Schemas:
    """The schemas of one graph: its input and output (exactly the agent's fields), its state, and what nodes read."""

    def __init__(self, network: Network) -> None:
        inputs = {field.name: _annotation(field) for field in network.inputs}
        certain = surely_written(network)[END]
        outputs: dict[str, Any] = {}
        for field in network.output_fields():
            annotation = _annotation(field, _labels(network, field.name))
            outputs[field.name] = annotation if field.name in certain else NotRequired[annotation]
        private = {RUN: Annotated[dict[str, Any], merge]}
        self.input: Any = _typed_dict(f"{network.name}_input", inputs)
        self.output: Any = _typed_dict(f"{network.name}_output", outputs)
        self.state: Any = _typed_dict(f"{network.name}_state", {**inputs, **outputs, **private})
        self.reads: Any = _typed_dict(f"{network.name}_reads", {**inputs, **private})


def _typed_dict(name: str, fields: dict[str, Any]) -> Any:
    return TypedDict(name, fields)  # type: ignore[operator]


def _annotation(field: Field, labels: Sequence[str] = ()) -> Any:
    kind: Any = Literal[tuple(labels)] if labels else _TYPES[field.type]
    if field.description:
        return Annotated[kind, Described(description=field.description), Latest]
    return Annotated[kind, Latest]


def _labels(network: Network, name: str) -> tuple[str, ...]:
    """Return the labels of a choice that every writer of the field offers; none for any other field."""
    found: dict[str, None] = {}
    for node in network.nodes:
        for field in node.output:
            if field.name == name and field.type == "choice" and isinstance(node, PromptNode):
                found.update(dict.fromkeys(node.choices(name).labels))
    return tuple(found)
