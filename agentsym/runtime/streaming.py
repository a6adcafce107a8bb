"""What each node wrote, as it is written: langgraph's stream of updates without the private state around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from agentsym.network.network import Network
from agentsym.runtime.compile import compiled, network_of
from agentsym.runtime.context import Context
from agentsym.runtime.forward import accepted, quiet
from agentsym.runtime.nodes import KEY
from agentsym.runtime.recorder import Recorder
from agentsym.runtime.state import RUN
from agentsym.runtime.values import plain


async def updates(
    network: Network, inputs: Mapping[str, Any], context: Context
) -> AsyncGenerator[dict[str, Any], None]:
    """Run one example and yield `{node: {field: value}}` when a node has ended.

    Raises:
        UsageError: when the inputs do not fit.
        NodeError: when a node fails; what was done before has been yielded.
    """
    graph = compiled(network)
    given = accepted(network_of(graph), inputs)
    config: Any = {"configurable": {KEY: Recorder(context, record=False)}}
    with quiet(context, config):
        async for update in graph.astream(given, config, stream_mode="updates", output_keys=[RUN]):
            for node, written in update.items():
                values = ((written or {}).get(RUN) or {}).get("values")
                if values is not None:
                    yield {node: plain({name: stamped["value"] for name, stamped in values.items()})}
