"""The yardsticks, in their own process: the agent asked by `ainvoke` in a `Session`, and by a `Service` with a store.

Neither has a server around it. `python -m evals.deployed.direct` takes jobs (`Job`) on stdin.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, NamedTuple

from agentsym.deploy.beginning import begin
from agentsym.deploy.service import Service
from agentsym.runtime.session import Session
from agentsym.store.store import Store
from evals.deployed.messages import numbered
from evals.deployed.workers import work
from evals.deployed.world import agent

Ask = Callable[[dict[str, Any]], Awaitable[Any]]


class Job(NamedTuple):
    """What is to be asked.

    Attributes:
        student: a model string.
        first: the number of the first message.
        seconds: how long.
        clients: how many ask at once.
        store: where a service records its traces; without, the agent is asked and nothing is recorded.
    """

    student: str
    first: int
    seconds: float
    clients: int = 32
    store: str | None = None


class _Asked:
    """Opens what is asked once and keeps it, as a server does."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._agent = agent()
        self._known: dict[tuple[str, str | None], Ask] = {}

    def of(self, job: Job) -> Ask:
        """Return what the job asks."""
        key = job.student, job.store
        if key not in self._known:
            self._known[key] = self._session(job) if job.store is None else self._service(job, job.store)
        return self._known[key]

    def _session(self, job: Job) -> Ask:
        session = Session(job.student, concurrency=job.clients)
        return lambda inputs: session.ainvoke(self._agent, inputs)

    def _service(self, job: Job, place: str) -> Ask:
        store = self._stack.enter_context(Store.open(place))
        begin(store, self._agent.name, self._agent, actor="evals")
        service = Service(store, self._agent.name, self._agent, student=job.student, concurrency=job.clients)
        service.start()
        self._stack.callback(service.close)
        return service.answer


async def _main() -> None:
    async def one(ask: Ask, numbers: Iterator[int], until: float) -> int:
        done = 0
        while time.monotonic() < until:
            await ask({"message": numbered(next(numbers)).message})
            done += 1
        return done

    async def do(given: dict[str, Any]) -> dict[str, float]:
        job = Job(**given)
        ask, numbers, began, cpu = asked.of(job), count(job.first), time.monotonic(), time.process_time()
        done = await asyncio.gather(*(one(ask, numbers, began + job.seconds) for _ in range(job.clients)))
        return {"requests": sum(done), "wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}

    async with AsyncExitStack() as stack:
        asked = _Asked(stack)
        await work(do)


if __name__ == "__main__":
    asyncio.run(_main())
