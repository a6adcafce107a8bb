"""The moves that the teacher's double knows: nodes more, nodes less, other ways, other fields, other tools.

They are about the node that is said to be at fault and the one behind it; at most a quarter of them help, the others
change nothing, break what works, or are not legal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentsym.network.network import END

Op = dict[str, Any]
Move = tuple[Op, ...]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as a request shows it.

    Attributes:
        nodes: id → what it reads and what it writes, in the order of the agent.
        edges: the edges, as pairs.
    """

    nodes: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    edges: Sequence[tuple[str, str]]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pipeline:
        """Read a pipeline from its JSON."""
        return cls(
            {node["id"]: (node["reads"], [name.split(" ")[0] for name in node["writes"]]) for node in data["nodes"]},
            [(edge["source"], edge["target"]) for edge in data["edges"]],
        )

    def after(self, node: str) -> str:
        """Return the node that a node leads to, or the end."""
        return next((target for source, target in self.edges if source == node), END)


def moves(pipeline: Pipeline, node: str, common: Mapping[str, Any]) -> list[Move]:
    """Return every move about one node.

    Args:
        pipeline: the pipeline.
        node: the node that is said to be at fault.
        common: the fields that have one value in all failing runs, with it.
    """
    return [
        *_checks(pipeline, node),
        *_additions(pipeline, node),
        *_others(pipeline, node),
        *_ways(pipeline, node, common),
    ]


def _checks(pipeline: Pipeline, node: str) -> Iterator[Move]:
    """Yield nodes that check: some see all they need and stand where it counts, some do not."""
    reads, writes = pipeline.nodes[node]
    behind, result = pipeline.after(node), writes[-1]
    yield (_added("check", "Check the result and correct it.", (*reads, *writes), result, after=node),)
    yield (_added("verify", "Verify what was written.", (*reads, *writes), result, on_edge=[node, behind]),)
    yield (_added("look", "Correct what is wrong.", writes, result, after=node),)
    yield (_added("review", "Check the input.", reads, "remarks", before=node),)
    last = pipeline.nodes[_last(pipeline)][1][-1]
    yield (_added("control", "Compare the reply with the request.", (*reads, last), last, before=END),)
    if behind != END:
        swapped = [f"checked_{name}" if name == result else name for name in pipeline.nodes[behind][0]]
        check = _added("test", "Check and correct it.", (*reads, *writes), f"checked_{result}", after=node)
        yield check, {"op": "set_inputs", "node": behind, "value": swapped}


def _additions(pipeline: Pipeline, node: str) -> Iterator[Move]:
    """Yield other nodes that one might add."""
    reads, writes = pipeline.nodes[node]
    result, last = writes[-1], pipeline.nodes[_last(pipeline)][1][-1]
    for id, instructions in _WITHIN.items():
        yield (_added(id, instructions, writes, result, after=node),)
    for id, instructions in _AT_THE_END.items():
        yield (_added(id, instructions, (last,), last, before=END),)
    yield (_added("plan", "Make a plan.", reads, "plan", before=node),)
    plan = _added("think", "Take notes.", reads, "notes", before=node)
    yield plan, {"op": "set_inputs", "node": node, "value": [*reads, "notes"]}


def _others(pipeline: Pipeline, node: str) -> Iterator[Move]:
    """Yield moves of what is there."""
    reads, writes = pipeline.nodes[node]
    behind = pipeline.after(node)
    yield ({"op": "delete_node", "node": node},)
    yield ({"op": "set_description", "node": node, "value": "It has to be exact."},)
    yield ({"op": "set_entry", "node": _last(pipeline)},)
    note = [_field(name) for name in (*writes, "remark")]
    yield ({"op": "set_output", "node": node, "value": note},)
    yield ({"op": "attach_tool", "node": node, "tool": "word_count"},)
    yield ({"op": "delete_tool", "tool": "word_count"},)
    yield ({"op": "drop_edge", "source": node, "target": behind},)
    if behind != END:
        yield ({"op": "delete_node", "node": behind},)
        yield ({"op": "move_node", "node": node, "after": behind},)
        yield ({"op": "set_inputs", "node": behind, "value": list(reads)},)
        yield ({"op": "add_edge", "source": behind, "target": node},)


def _ways(pipeline: Pipeline, node: str, common: Mapping[str, Any]) -> Iterator[Move]:
    """Yield conditions on what the failing runs have in common: past the node behind, or into it only then."""
    behind = pipeline.after(node)
    for name, value in common.items() if behind != END else ():
        when = {"field": name, "op": "eq", "value": value}
        past = {"op": "add_edge", "source": node, "target": END}
        for op in ("ne", "eq", "exists"):
            given = {"field": name, "op": op, "value": None if op == "exists" else value}
            yield {"op": "set_condition", "source": node, "target": behind, "when": given}, past
        yield ({**past, "when": when},)
        yield ({**past, "when": {**when, "op": "exists", "value": None}},)


def _added(id: str, instructions: str, inputs: Sequence[str], output: str, **place: Any) -> Op:
    return {
        "op": "add_node",
        "id": id,
        "description": "",
        "instructions": instructions,
        "inputs": list(dict.fromkeys(inputs)),
        "outputs": [_field(output)],
        **place,
    }


def _field(name: str) -> dict[str, str]:
    return {"name": name, "type": "choice" if name == "kind" else "string", "description": ""}


def _last(pipeline: Pipeline) -> str:
    return next((source for source, target in pipeline.edges if target == END), [*pipeline.nodes][-1])


_WITHIN = {
    "rephrase": "Say it in other words.",
    "digest": "Sum up what there is.",
    "again": "Work out the total once more.",
    "pass_on": "Hand it on.",
}
_AT_THE_END = {
    "translate": "Translate the reply.",
    "greet": "Greet the customer kindly.",
    "shorten": "Shorten the reply.",
    "repeat": "Repeat the reply.",
}
