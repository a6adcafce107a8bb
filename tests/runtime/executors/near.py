"""Real workers behind the real crew, without Ray: they live in this event loop, on a wire that pickles all it carries.

A worker can be made to die here at a chosen moment, and by a row, without ending the test.
"""

from __future__ import annotations

import asyncio
import pickle
from contextvars import ContextVar
from typing import Any

from agentsym.network.network import Network
from agentsym.network.nodes import FunctionNode, PromptNode
from agentsym.runtime.executors.crew import ROOM, Crew
from agentsym.runtime.executors.links import WorkerLost
from agentsym.runtime.executors.worker import Worker

AT_WORK: ContextVar[NearLink] = ContextVar("AT_WORK")
"""The way to the worker that runs the row at hand."""


class NearLink:
    """The way to a worker in this loop."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.said: list[Any] = []
        self._death = asyncio.get_running_loop().create_future()

    def die(self) -> None:
        """Let the worker end here and now, with all that it does."""
        if not self._death.done():
            self._death.set_result(None)
        for task in self.worker._jobs.values():
            task.cancel()

    kill = die

    async def hello(self) -> int:
        AT_WORK.set(self)
        return await self._call("hello")

    async def learn(self, parcel: Any, forget: Any) -> None:
        await self._call("learn", parcel, forget)

    async def push(self, messages: Any) -> None:
        AT_WORK.set(self)
        await self._call("push", messages)

    async def poll(self) -> Any:
        said = await self._call("poll")
        self.said += said
        return said

    async def _call(self, method: str, *arguments: Any) -> Any:
        work = asyncio.ensure_future(getattr(self.worker, method)(*pickle.loads(pickle.dumps(arguments))))
        try:
            await asyncio.wait({work, self._death}, return_when=asyncio.FIRST_COMPLETED)
            if self._death.done():
                raise WorkerLost("it died in a test")
            return pickle.loads(pickle.dumps(work.result()))
        finally:
            work.cancel()


class NearLinks:
    """Where such workers come from.

    Attributes:
        links: the ways to all that were started.
    """

    def __init__(self) -> None:
        self.links: list[NearLink] = []

    def start(self) -> NearLink:
        self.links.append(NearLink())
        return self.links[-1]

    def keep(self, parcel: Any) -> Any:
        return parcel


class NearExecutor:
    """An executor whose workers are in this loop."""

    def __init__(self, workers: int = 2) -> None:
        self.links = NearLinks()
        self._workers = workers

    def width(self, concurrency: int) -> int:
        return max(concurrency, ROOM * self._workers)

    async def run(self, network: Any, inputs: Any, context: Any, *, example_id: str = "") -> Any:
        return await self.crew.run(network, inputs, context, example_id=example_id)

    async def __aenter__(self) -> NearExecutor:
        self.crew = Crew(self.links, self._workers)
        await self.crew.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.crew.close()


async def doubled(x: str) -> str:
    """End its worker, or take its time, where the input says so."""
    if x == "deadly":
        AT_WORK.get().die()
        await asyncio.sleep(60)
    return x + x


async def posted(x: str) -> str:
    """Change the world; end the worker, or take time for it, where the input says so."""
    if x == "deadly":
        AT_WORK.get().die()
        await asyncio.sleep(60)
    return f"posted {x}"


def posts() -> Network:
    """A function that writes."""
    return Network("posts", [FunctionNode("post", posted, output={"y": str}, effect="write")])


def asks_twice() -> Network:
    """One prompt, the user's own code, and a second prompt on what both have written."""
    nodes = [
        PromptNode("first", "Write a.", inputs=["x"], output={"a": str}),
        FunctionNode("twice", doubled, output={"d": str}),
        PromptNode("second", "Write b.", inputs=["a", "d"], output={"b": str}, join="all"),
    ]
    return Network("asks_twice", nodes, [("first", "second"), ("twice", "second")], outputs=["b", "d"])
