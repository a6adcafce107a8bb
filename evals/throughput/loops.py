"""The two loops that are compared: agentsym's whole forward pass, and langgraph with aiohttp and nothing else.

Both send the same bytes to the same provider; the bare loop keeps no trace, cache or account and checks nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypedDict
from unittest.mock import patch

from aiohttp import ClientSession, TCPConnector
from langgraph.graph import END, START, StateGraph

from agentsym import Agent, PromptNode
from agentsym.models.cache import ResponseCache
from agentsym.models.chat_protocol import response_format
from agentsym.models.door import Door
from agentsym.network.prompt import Prompt
from agentsym.runtime.prompting import answer_schema
from agentsym.runtime.session import Session
from evals.throughput.task import Ticket

STUDENT = "openai/student"
NODES = 2


class Cost(NamedTuple):
    """What a loop took: seconds on the clock, and CPU milliseconds of this process for each model call."""

    wall_s: float
    cpu_ms: float


class Row(Protocol):
    """An example, as a loop needs it."""

    @property
    def text(self) -> str:
        """What the agent reads as `ticket`."""


Loop = Callable[[str, Agent, Sequence[Ticket], int], Awaitable[list[str]]]


def measured(loop: Loop, base_url: str, agent: Agent, rows: Sequence[Ticket], concurrency: int) -> Cost:
    """Run a loop on an event loop of its own and return its cost.

    Raises:
        ValueError: it gave a wrong label.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    labels = asyncio.run(loop(base_url, agent, rows, concurrency))  # type: ignore[arg-type]
    cost = Cost(time.perf_counter() - wall, 1000 * (time.process_time() - cpu) / (NODES * len(rows)))
    if labels != [row.label for row in rows]:
        raise ValueError("a loop gave labels that are not those of the tickets")
    return cost


async def traced(base_url: str, agent: Agent, rows: Sequence[Ticket], concurrency: int, *, cached: bool) -> list[str]:
    """Run agentsym as learning does: direct client, door with account, steps kept, and a cache that is empty."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, OPENAI_BASE_URL=base_url, OPENAI_API_KEY="k"):
        cache = ResponseCache(Path(folder) / "cache.db") if cached else None
        door = Door(concurrency=concurrency, cache=cache)
        labels = []
        async with Session(STUDENT, concurrency=concurrency, door=door) as session:
            async for run in session.aforward_many(agent, ((row.text[:11], {"ticket": row.text}) for row in rows)):
                if len(run.steps) != NODES or run.status != "ok":
                    raise ValueError(f"{run.example_id}: {run.error}")
                labels.append(run.output["label"])
        if door.ledger.total().calls != NODES * len(rows):
            raise ValueError("the account is not complete")
        if cache is not None:
            cache.close()
        return labels


async def with_cache(base_url: str, agent: Agent, rows: Sequence[Ticket], concurrency: int) -> list[str]:
    """Run agentsym with the cache on, as learning has it."""
    return await traced(base_url, agent, rows, concurrency, cached=True)


async def without_cache(base_url: str, agent: Agent, rows: Sequence[Ticket], concurrency: int) -> list[str]:
    """Run agentsym with the cache off, as `invoke` and `batch` have it."""
    return await traced(base_url, agent, rows, concurrency, cached=False)


async def bare(base_url: str, agent: Agent, rows: Sequence[Row], concurrency: int) -> list[str]:
    """Run a plain graph of functions, one a node of a chain, that post the same bodies and read the answers as JSON."""
    url, headers = f"{base_url}/chat/completions", {"Authorization": "Bearer k"}
    slots = asyncio.Semaphore(concurrency)

    def asking(node: PromptNode) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        system = Prompt(node).messages(dict.fromkeys(node.inputs, ""))[0].content
        form = response_format(answer_schema(node), "json_schema")

        async def ask(state: dict[str, Any]) -> dict[str, Any]:
            given = "\n".join(f"{field}: {state[field]}" for field in node.inputs)
            messages = [{"role": "system", "content": system}, {"role": "user", "content": f"# Input\n{given}"}]
            body = {"model": "student", "messages": messages, "response_format": form}
            async with session.post(url, json=body, headers=headers) as response:
                response.raise_for_status()
                made: dict[str, Any] = json.loads((await response.json())["choices"][0]["message"]["content"])
                return made

        return ask

    nodes = [node for node in agent.nodes if isinstance(node, PromptNode)]
    fields = {name for node in nodes for name in (*node.inputs, *(field.name for field in node.output))}
    builder = StateGraph(TypedDict("State", dict.fromkeys(fields, Any), total=False))  # type: ignore[operator]
    for node in nodes:
        builder.add_node(node.id, asking(node))
    for before, after in zip([START, *(node.id for node in nodes)], [*(node.id for node in nodes), END], strict=True):
        builder.add_edge(before, after)
    graph = builder.compile()

    async def one(row: Row) -> str:
        async with slots:
            return str((await graph.ainvoke({"ticket": row.text}))["label"])

    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        return await asyncio.gather(*(one(row) for row in rows))
