"""What stands in for tools that write, while versions are learned and compared: what they returned when it was real.

A call that no trace holds, and for which the operator gave no stub, fails its example; it is never made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from agentsym.errors import NodeError
from agentsym.network.canonical import canonical_json
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, ToolNode
from agentsym.network.records import Trajectory

MISSED = "cannot be evaluated without writing"


class RecordedWrites:
    """Answers calls of what writes: from traces, else by the operator's stubs.

    Args:
        network: the agent, which says what writes.
        trajectories: runs whose results are known, the newest first.
        stubs: name of a tool or function node → its result where no trace holds the call.
    """

    def __init__(self, network: Network, trajectories: Iterable[Trajectory], stubs: Mapping[str, Any]) -> None:
        self._stubs = stubs
        self._known: dict[tuple[str, str], Any] = {}
        functions = dict(_writing_functions(network, ""))
        for trajectory in trajectories:
            for step in trajectory.steps:
                for call in step.tool_calls:
                    if call.error is None:
                        self._known.setdefault((call.tool, canonical_json(call.arguments)), call.result)
                fields = functions.get(step.node, ())
                if fields and step.error is None and step.output.keys() == set(fields):
                    result = step.output[fields[0]] if len(fields) == 1 else step.output
                    name = step.node.rpartition("/")[2]
                    self._known.setdefault((name, canonical_json(step.inputs)), result)

    async def __call__(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Return what a call returned, or would return.

        Raises:
            NodeError: nobody knows; the message holds `MISSED`.
        """
        await asyncio.sleep(0)  # as the real call, it lets others run
        known = self._known.get((name, canonical_json(dict(arguments))), _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        if name in self._stubs:
            return self._stubs[name]
        raise NodeError(
            f"{name} {MISSED}: no trace holds what it returned for these arguments; "
            f"give it a result in the policy (shadow.stubs.{name})"
        )


_UNKNOWN = object()


def _writing_functions(network: Network, prefix: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    for node in network.nodes:
        match node:
            case FunctionNode(effect="write"):
                yield f"{prefix}{node.id}", tuple(field.name for field in node.output)
            case AgentNode():
                yield from _writing_functions(node.agent, f"{prefix}{node.id}/")
            case PromptNode() | ToolNode() | FunctionNode():
                pass
