"""What a run does, as it does it: what each node wrote when it ends, or what models say word by word.

Updates are langgraph's own stream, without the private state around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

from agentsym.network.network import Network
from agentsym.runtime.compile import compiled, network_of
from agentsym.runtime.context import Context
from agentsym.runtime.forward import accepted, quiet, run
from agentsym.runtime.nodes import KEY
from agentsym.runtime.recorder import Recorder
from agentsym.runtime.spans import agent_stream
from agentsym.runtime.state import RUN
from agentsym.runtime.values import plain

StreamMode = Literal["updates", "text"]


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
        stream: Any = graph.astream(given, config, stream_mode="updates", output_keys=[RUN])
        if context.telemetry is not None:
            stream = agent_stream(context.telemetry, network_of(graph), stream)
        async with aclosing(stream):
            async for update in stream:
                for node, written in update.items():
                    values = ((written or {}).get(RUN) or {}).get("values")
                    if values is not None:
                        yield {node: plain({name: stamped["value"] for name, stamped in values.items()})}


async def texts(network: Network, inputs: Mapping[str, Any], context: Context) -> AsyncGenerator[dict[str, str], None]:
    """Run one example and yield `{node: piece}` of each answer while it is written (JSON, as it was asked for).

    Raises:
        UsageError: when the inputs do not fit.
        NodeError: when a node fails; what was said before has been yielded.
    """
    pieces: asyncio.Queue[dict[str, str] | None] = asyncio.Queue()
    told = replace(context, on_text=lambda node, piece: pieces.put_nowait({node: piece}))
    running = asyncio.create_task(run(network, inputs, told))
    running.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        if (error := (await running).error) is not None:
            raise error
    finally:
        running.cancel()


MODES: Mapping[str, Callable[[Network, Mapping[str, Any], Context], AsyncGenerator[dict[str, Any], None]]] = {
    "updates": updates,
    "text": texts,
}
