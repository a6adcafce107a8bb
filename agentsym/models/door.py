"""The one door that every model call goes through: cache, single flight, slot, budget, call, ledger.

Models only answer; whatever holds for all of them is done here once, so a cap or a count means the same for
each.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agentsym.errors import UsageError
from agentsym.models.budget import Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.ledger import Ledger
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request
from agentsym.network.records import Usage

_ONE_CALL = Usage(calls=1)
_NO_CALL = Usage(cached=1)


@dataclass
class _Flight:
    """One call under way and how many callers wait for it."""

    call: asyncio.Task[Reply]
    waiting: int = 0


class Door:
    """Asks models on behalf of everyone, on one event loop.

    Args:
        concurrency: the most remote calls at once.
        cache: where replies of remote models are kept; None keeps none.
        budget: the caps; None for no cap.
        ledger: the account to write to; None for a new one.
    """

    def __init__(
        self,
        *,
        concurrency: int = 8,
        cache: ResponseCache | None = None,
        budget: Budget | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"the concurrency is {concurrency}; it must be 1 or more")
        self.cache = cache
        self.budget = Budget() if budget is None else budget
        self.ledger = Ledger() if ledger is None else ledger
        self._slots = asyncio.Semaphore(concurrency)
        self._flights: dict[str, _Flight] = {}

    async def complete(self, model: LanguageModel, request: Request, *, phase: Phase, node: str = "") -> Reply:
        """Ask a model, or answer for it where it has answered the same request before.

        The reply's usage is what this caller has caused: for a reply from the cache, or from a call that
        someone else is waiting for already, no calls and `cached` 1.

        Raises:
            BudgetExceeded: when the call would not fit a cap; nothing was sent.
            ModelError: when the model has no answer; the call counts all the same. Callers who wait for the
                same call get the same error.
        """
        if not model.remote:
            return await self._send(model, request, phase, node)
        key = request.key(model.name)
        reply = None if self.cache is None else self.cache.get(key)
        if reply is None:
            leads = key not in self._flights
            if leads:
                call = asyncio.create_task(self._lead(key, model, request, phase, node))
                self._flights[key] = _Flight(call)
            reply = await self._wait_for(key, self._flights[key])
            if leads:
                return reply
        self.ledger.add(phase, node, _NO_CALL)
        return reply.model_copy(update={"usage": _NO_CALL})

    async def _lead(self, key: str, model: LanguageModel, request: Request, phase: Phase, node: str) -> Reply:
        """Make the call that one or more callers wait for, and keep its reply."""
        try:
            async with self._slots:
                reply = await self._send(model, request, phase, node)
            if self.cache is not None:
                self.cache.put(key, reply)
            return reply
        finally:
            self._leave(key, asyncio.current_task())

    async def _wait_for(self, key: str, flight: _Flight) -> Reply:
        """Wait for a call; a caller who is cancelled leaves it to the others, and the last one stops it."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.call)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.call.done():
                self._leave(key, flight.call)  # nobody may join a call that is being stopped
                flight.call.cancel()

    def _leave(self, key: str, call: asyncio.Task[Reply] | None) -> None:
        if key in self._flights and self._flights[key].call is call:
            del self._flights[key]

    async def _send(self, model: LanguageModel, request: Request, phase: Phase, node: str) -> Reply:
        """Reserve, call, settle, and write the account, also for a call that fails or is cancelled."""
        self.budget.reserve(_ONE_CALL)
        clock = asyncio.get_running_loop().time
        started, usage = clock(), _ONE_CALL
        try:
            reply = await model.complete(request)
            usage = reply.usage
        finally:
            usage = usage.model_copy(update={"calls": max(1, usage.calls), "seconds": clock() - started})
            self.budget.settle(_ONE_CALL, usage)
            self.ledger.add(phase, node, usage)
        return reply.model_copy(update={"usage": usage})
