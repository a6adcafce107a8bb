"""A row under way: what the driver holds of it until its outcome is there, whichever worker has it.

The calls that it has made of paid models belong to the row and not to the worker, so a worker's end neither stops one
nor has it sent twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from agentsym.models.protocol import Reply
from agentsym.network.network import Network
from agentsym.network.records import Usage
from agentsym.runtime.context import Context
from agentsym.runtime.executors.messages import Job
from agentsym.runtime.executors.travel import writers
from agentsym.runtime.values import plain

if TYPE_CHECKING:
    from agentsym.runtime.forward import Outcome

T = TypeVar("T")


class Row:
    """One row.

    Attributes:
        network: the version to run.
        parcel: the same, as workers fetch it.
        job: what a worker is told; its number is another one with each worker.
        context: who answers, and at whose expense.
        outcome: is set when the row is done.
        deaths: how many workers have died with it.
        writes: the places of its code that may have changed the world, so that it cannot be run again.
    """

    def __init__(self, network: Network, parcel: Any, job: Job, context: Context) -> None:
        self.network = network
        self.parcel = parcel
        self.job = job
        self.context = context
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.deaths = 0
        self.writes = [] if job.stands_in else writers(network)
        self._around = copy_context()  # for whoever looks at calls: they belong to the caller, not to a worker
        self._calls: defaultdict[str, list[asyncio.Task[Reply]]] = defaultdict(list)
        self._repeated: Counter[str] = Counter()
        self._asked: dict[int, asyncio.Task[Any]] = {}
        self._leases: dict[int, int] = {}

    def call(self, number: int, key: str, make: Callable[[], Coroutine[Any, Any, Reply]]) -> asyncio.Task[Reply]:
        """Return the call that answers a question: a new one, or where the row is run again the one that it made then.

        The nth question of a key gets the nth call of that key, done or under way, with the usage that it had.
        """
        calls, place = self._calls[key], self._repeated[key]
        self._repeated[key] += 1
        if place == len(calls):
            calls.append(self._begin(make()))
        elif calls[place].cancelled():
            calls[place] = self._begin(make())
        self._asked[number] = calls[place]
        return calls[place]

    def lease(self, number: int, lease: int, estimate: Usage) -> asyncio.Task[None]:
        """Reserve what a worker's own model may use; the task is done when there is room for it."""

        async def reserve() -> None:
            self._leases[lease] = await self.context.door.budget.reserve(estimate)

        return self._answer(number, reserve())

    def write(self, number: int, name: str, arguments: dict[str, Any]) -> asyncio.Task[Any]:
        """Have done what stands in for code that writes."""

        async def stand_in() -> Any:
            assert self.context.writes is not None
            return plain(await self.context.writes(name, arguments), f"what stands in for {name!r}")

        return self._answer(number, stand_in())

    def settle(self, lease: int, used: Usage) -> None:
        """Settle what was reserved."""
        if (reservation := self._leases.pop(lease, None)) is not None:
            self.context.door.budget.settle(reservation, used)

    def withdraw(self, number: int) -> None:
        """Stop what was to answer a question."""
        if (task := self._asked.pop(number, None)) is not None:
            task.cancel()

    def rewind(self) -> None:
        """Get ready to be run again from the beginning; calls of paid models go on meanwhile."""
        paid = {task for calls in self._calls.values() for task in calls}
        for number, task in list(self._asked.items()):
            if task not in paid:
                self.withdraw(number)
        self._asked.clear()
        self._repeated.clear()
        for lease in list(self._leases):
            self.settle(lease, Usage())

    def _answer(self, number: int, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._asked[number] = self._begin(work)
        return task

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.create_task(work, context=self._around.copy())

    async def end(self) -> None:
        """Stop what is still under way for the row, and wait until it has stopped."""
        self.rewind()
        tasks = [task for calls in self._calls.values() for task in calls if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
