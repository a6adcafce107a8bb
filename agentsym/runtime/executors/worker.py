"""The worker: it holds agents by version, runs the rows that it is sent, and has the driver ask the paid models.

It knows nothing of Ray, which only carries its four methods; all that it says goes into one outbox that the driver
empties, so rows, questions and answers of many rows travel together.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, cast

from agentsym.errors import AgentsymError
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel
from agentsym.models.resolve import resolve
from agentsym.network.network import Network
from agentsym.runtime.executors.failures import error_of, failure_of
from agentsym.runtime.executors.far import FarContext, FarDoor
from agentsym.runtime.executors.messages import (
    Answered,
    Asked,
    Done,
    Drop,
    Job,
    Lease,
    ToDriver,
    ToWorker,
    Withdrawn,
    Written,
)
from agentsym.runtime.executors.travel import Parcel, opened
from agentsym.runtime.forward import run
from agentsym.runtime.loop import THREADS

CHUNK = 16  # results that are not kept waiting for more
_LINGER = 0.05  # seconds that a result waits for others, while this worker has rows to run
_GATHER = 0.002  # seconds that a question waits for others


class Worker:
    """Runs rows for one driver."""

    def __init__(self) -> None:
        self._networks: dict[str, Network | AgentsymError] = {}
        self._models: dict[str, LanguageModel] = {}
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._asked: dict[int, asyncio.Future[Answered]] = {}
        self._numbers = count()
        self._outbox: list[ToDriver] = []
        self._filled = asyncio.Event()
        self._pressing = asyncio.Event()

    async def hello(self) -> int:
        """Get ready, and return the number of this process."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        return os.getpid()

    async def learn(self, parcel: Parcel, forget: Iterable[str]) -> None:
        """Keep a version, or why it cannot be run here, and forget others."""
        for version in forget:
            self._networks.pop(version, None)
        try:
            self._networks[parcel.version] = opened(parcel)
        except AgentsymError as error:
            self._networks[parcel.version] = error

    async def push(self, messages: Iterable[ToWorker]) -> None:
        """Take jobs, answers and cancellations."""
        for message in messages:
            match message:
                case Job():
                    self._jobs[message.id] = asyncio.create_task(self._do(message))
                case Answered() if waiting := self._asked.pop(message.number, None):
                    if not waiting.done():
                        waiting.set_result(message)
                case Drop() if task := self._jobs.pop(message.job, None):
                    task.cancel()
                case _:
                    pass  # of a job that was dropped

    async def poll(self) -> list[ToDriver]:
        """Wait until there is something to say, and a little for more of it, and return it."""
        await self._filled.wait()
        if not self._pressing.is_set():
            try:
                async with asyncio.timeout(_LINGER):
                    await self._pressing.wait()
            except TimeoutError:
                pass
        if self._asked:
            await asyncio.sleep(_GATHER)
        said, self._outbox = self._outbox, []
        self._filled.clear()
        self._pressing.clear()
        return said

    def say(self, message: ToDriver) -> None:
        """Put a message into the outbox."""
        self._outbox.append(message)
        self._filled.set()
        if not isinstance(message, Done) or len(self._outbox) >= CHUNK or not self._jobs:
            self._pressing.set()

    async def ask(self, question: Asked | Lease | Written) -> Answered:
        """Put a question to the driver and wait for its answer.

        Raises:
            AgentsymError: the answer is this error.
        """
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self.say(question._replace(number=number))
        try:
            answered: Answered = await answer
        except asyncio.CancelledError:
            self.say(Withdrawn(question.job, number))
            raise
        finally:
            self._asked.pop(number, None)
        if answered.failure is not None:
            raise error_of(answered.failure)
        return answered

    def model(self, name: str) -> LanguageModel:
        """Return a model of this worker's own; it serves all rows, so what it remembers is used."""
        if name not in self._models:
            self._models[name] = resolve(name)
        return self._models[name]

    async def _do(self, job: Job) -> None:
        door = FarDoor(self, job)
        trajectory, failure = None, None
        try:
            network = self._networks[job.version]
            if isinstance(network, AgentsymError):
                raise network
            context = FarContext(
                student=door.model(""),
                door=cast(Door, door),
                phase=job.phase,
                rollout=job.rollout,
                record=job.record,
                tracing=job.tracing,
                writes=door.write if job.stands_in else None,
            )
            trajectory, error = await run(network, job.inputs, context, example_id=job.example_id)
            failure = None if error is None else failure_of(error)
        except Exception as error:
            failure = failure_of(error)
        self._jobs.pop(job.id, None)
        content: dict[str, Any] | None = None if trajectory is None else trajectory.model_dump()
        worth = {} if trajectory is None else trajectory.worth.model_dump()
        self.say(Done(job.id, content, worth, failure, door.ledger.to_json()))
