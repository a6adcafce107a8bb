"""The student of this eval: the trained transformer as a `LanguageModel`.

Requests that wait at the same time are decoded together, since forward passes are what a run costs.
"""

from __future__ import annotations

import asyncio
import json

from agentsym.models.protocol import Reply, Request
from agentsym.network.prompt import read_inputs, read_system
from evals.directives.model import Follower

Prompt = tuple[tuple[str, ...], str]
QUIET_TURNS = 3  # of the event loop without a new request, then the waiting ones are answered


class Student:
    """Reads directives and text out of the messages, as any model must, and completes them greedily.

    Args:
        model: the trained transformer.
    """

    name = "directives transformer"
    remote = False

    def __init__(self, model: Follower) -> None:
        self.model = model
        self.asked = 0
        self._waiting: list[tuple[Prompt, asyncio.Future[str]]] = []
        self._collector: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """Answer with the completion in the one field that is asked for."""
        self.asked += 1
        system, user = (message.content for message in request.messages[:2])
        (text,) = read_inputs(user).values()
        (field,) = (request.schema_ or {})["required"]
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(((read_system(system).rules, text), answer))
        if self._collector is None:
            self._collector = asyncio.create_task(self._collect())
        return Reply(text=json.dumps({field: await answer}))

    async def _collect(self) -> None:
        """Wait until no more requests come in, then decode all of them in one batch."""
        known = quiet = 0
        while quiet < QUIET_TURNS:
            quiet = quiet + 1 if len(self._waiting) == known else 0
            known = len(self._waiting)
            await asyncio.sleep(0)
        waiting, self._waiting, self._collector = self._waiting, [], None
        try:
            completions = self.model.complete([prompt for prompt, _ in waiting])
        except Exception as error:
            for _, answer in waiting:
                answer.set_exception(error)
            return
        for (_, answer), completion in zip(waiting, completions, strict=True):
            if not answer.done():
                answer.set_result(completion)
