"""The one door that every model call goes through: cache, single flight, slot, budget, call, retry, ledger.

Models only answer; whatever holds for all of them is done here once, so a cap, a price or a count means the same for
each.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from agentsym.errors import ModelError, RateLimited, StoreError, Transient, UsageError
from agentsym.models.budget import REPLY_TOKENS, Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.ledger import Ledger
from agentsym.models.prices import Price, Prices
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request, StreamingModel
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Usage

_NO_CALL = Usage(cached=1)
_FREE = Price(0.0, 0.0)

OnText = Callable[[str], None]
"""Is handed the pieces of an answer's text while it is written."""


class Recorder(Protocol):
    """Keeps what was asked and answered; equal requests may come many times."""

    def record(self, model: str, request: Request, reply: Reply, *, phase: Phase, node: str) -> None:
        """Keep one answer."""
        ...


class _Listener:
    """A caller who is handed the text while it is written; what it raises is its own matter."""

    def __init__(self, on_text: OnText) -> None:
        self.on_text: OnText | None = on_text
        self.error: Exception | None = None

    def tell(self, text: str) -> None:
        """Hand on a piece, unless the caller has gone or has failed at one before."""
        if self.on_text is not None and self.error is None:
            try:
                self.on_text(text)
            except Exception as error:
                self.error = error


@dataclass
class _Flight:
    """One call under way, how many callers wait for it, who of them listens, and what was said until now."""

    call: asyncio.Task[Reply]
    waiting: int = 0
    listeners: list[_Listener] = field(default_factory=list)
    said: str = ""

    def tell(self, text: str) -> None:
        """Hand a piece of the answer to all who listen."""
        self.said += text
        for listener in self.listeners:
            listener.tell(text)


class Door:
    """Asks models on behalf of everyone, on one event loop.

    Args:
        concurrency: the most remote calls at once.
        cache: where replies of remote models are kept; None keeps none.
        budget: the caps; None for no cap.
        ledger: the account to write to; None for a new one.
        retry: when a request is sent again; None for the usual policy.
        prices: what models cost; None for those of the environment.
        recorder: is shown every answer of a remote model; None for none.
    """

    def __init__(
        self,
        *,
        concurrency: int = 8,
        cache: ResponseCache | None = None,
        budget: Budget | None = None,
        ledger: Ledger | None = None,
        retry: RetryPolicy | None = None,
        prices: Prices | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"the concurrency is {concurrency}; it must be 1 or more")
        self.cache = cache
        self.budget = Budget() if budget is None else budget
        self.ledger = Ledger() if ledger is None else ledger
        self.retry = RetryPolicy() if retry is None else retry
        self.recorder = recorder
        self._prices = Prices() if prices is None else prices
        self._known: dict[str, Price | None] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._flights: dict[str, _Flight] = {}
        self._closed_until: dict[str, float] = {}

    async def complete(
        self, model: LanguageModel, request: Request, *, phase: Phase, node: str = "", on_text: OnText | None = None
    ) -> Reply:
        """Ask a model, or answer for it where it has answered the same request before.

        The reply's usage is what this caller has caused, repeated attempts included: for a reply from the cache, or
        from a call that someone else is waiting for already, no calls and `cached` 1.

        Args:
            model: who is asked.
            request: what is asked; under a cap on tokens or dollars it gets a longest reply, if it has none.
            phase: what the call is counted as.
            node: whom it is counted for.
            on_text: is handed the answer's text in pieces as it is written, or at once where that cannot be.

        Raises:
            BudgetExceeded: when the call would not fit a cap; nothing was sent.
            ModelError: when the model has no answer, also after the retries; the attempts count all the same. Callers
                who wait for the same call get the same error.
        """
        if self.budget.bounds_replies and request.max_tokens is None:
            request = request.model_copy(update={"max_tokens": REPLY_TOKENS})
        if not model.remote:
            return await self._answer(model, request, phase, node, on_text)
        reply = await self._answer_once(model, request, phase, node, on_text)
        if self.recorder is not None:
            self.recorder.record(model.name, request, reply, phase=phase, node=node)
        return reply

    def price(self, model: LanguageModel) -> Price | None:
        """Return what a model costs; nothing where it runs here, None where nobody knows.

        Raises:
            UsageError: the user's list of prices cannot be read.
        """
        if not model.remote:
            return _FREE
        if model.name not in self._known:
            self._known[model.name] = self._prices.of(model.name)
        return self._known[model.name]

    def check_price(self, model: LanguageModel) -> None:
        """Check that a cap on dollars can hold for a model.

        Raises:
            UsageError: there is such a cap and the model's price is unknown, or the user's list cannot be read.
        """
        price = self.price(model)
        if self.budget.max_usd is not None and price is None:
            name = model.name.partition(" at ")[0]
            raise UsageError(
                f"nobody knows the price of {name}, so --max-usd cannot hold; write `{name}: {{input: X, output: Y}}` "
                "(dollars for a million tokens) into a YAML file and name it in AGENTSYM_PRICES, or cap --max-tokens"
            )

    async def _answer_once(
        self, model: LanguageModel, request: Request, phase: Phase, node: str, on_text: OnText | None
    ) -> Reply:
        """Answer from the cache or from a call that is under way, else make the call."""
        key = request.key(model.name)
        reply = self._kept(key)
        if reply is not None and on_text is not None:
            on_text(reply.text)
        if reply is None:
            leads = key not in self._flights
            if leads:
                self._flights[key] = self._lead(key, model, request, phase, node, streams=on_text is not None)
            reply = await self._wait_for(key, self._flights[key], on_text)
            if leads:
                return reply
        self.ledger.add(phase, node, _NO_CALL)
        return reply.model_copy(update={"usage": _NO_CALL})

    def _lead(
        self, key: str, model: LanguageModel, request: Request, phase: Phase, node: str, *, streams: bool
    ) -> _Flight:
        """Begin the call that one or more callers wait for; its reply is kept."""

        async def call() -> Reply:
            try:
                reply = await self._answer(model, request, phase, node, flight.tell if streams else None)
                self._keep(key, reply)
                if not streams:
                    flight.tell(reply.text)
                return reply
            finally:
                self._leave(key, flight.call)

        flight = _Flight(asyncio.create_task(call()))
        return flight

    def _kept(self, key: str) -> Reply | None:
        try:
            return None if self.cache is None else self.cache.get(key)
        except StoreError as error:
            self._without_cache(error)
            return None

    def _keep(self, key: str, reply: Reply) -> None:
        try:
            if self.cache is not None:
                self.cache.put(key, reply)
        except StoreError as error:
            self._without_cache(error)

    def _without_cache(self, error: StoreError) -> None:
        """Go on without the cache, which only saves calls: no answer that was paid for is lost for its sake."""
        self.cache = None
        warnings.warn(f"{error}; going on without it", stacklevel=2)

    async def _wait_for(self, key: str, flight: _Flight, on_text: OnText | None) -> Reply:
        """Wait for a call; a caller who is cancelled leaves it to the others, and the last one stops it."""
        flight.waiting += 1
        listener = None if on_text is None else _Listener(on_text)
        if listener is not None:
            flight.listeners.append(listener)
            if flight.said:
                listener.tell(flight.said)
        try:
            reply = await asyncio.shield(flight.call)
        finally:
            if listener is not None:
                listener.on_text = None
            flight.waiting -= 1
            if not flight.waiting and not flight.call.done():
                self._leave(key, flight.call)  # nobody may join a call that is being stopped
                flight.call.cancel()
        if listener is not None and listener.error is not None:
            raise listener.error
        return reply

    def _leave(self, key: str, call: asyncio.Task[Reply] | None) -> None:
        if key in self._flights and self._flights[key].call is call:
            del self._flights[key]

    async def _answer(
        self, model: LanguageModel, request: Request, phase: Phase, node: str, on_text: OnText | None
    ) -> Reply:
        """Send a request, again where that is worth it and nothing of an answer was handed out yet."""
        spent, attempt, said = Usage(), 0, False

        def tell(text: str) -> None:
            nonlocal said
            said = True
            if on_text is not None:
                on_text(text)

        while True:
            attempt += 1
            try:
                reply, usage = await self._send(model, request, phase, node, tell if on_text is not None else None)
            except ModelError as error:
                wait = None if said else self.retry.wait(error, attempt)
                if wait is None:
                    raise
                spent += _lost(error, Usage(calls=1))
                if isinstance(error, RateLimited):
                    self._close(model, wait)
                else:
                    await self._sleep(wait)
            else:
                return reply.model_copy(update={"usage": spent + usage})

    async def _send(
        self, model: LanguageModel, request: Request, phase: Phase, node: str, on_text: OnText | None
    ) -> tuple[Reply, Usage]:
        """Make one attempt: reserve, call, settle, and write the account, also where it fails or is cancelled."""
        async with self._slot(model):
            price = self.price(model)  # a list that cannot be read is said before anything is sent
            estimate = self._most(model, request)
            number = await self.budget.reserve(estimate)
            clock = asyncio.get_running_loop().time
            started, usage = clock(), _unknown(estimate)
            try:
                reply = await _asked(model, request, on_text)
                usage = _priced(price, reply.usage)
            except ModelError as error:
                usage = _lost(error, estimate)
                raise
            finally:
                usage = usage.model_copy(update={"calls": max(1, usage.calls), "seconds": clock() - started})
                self.budget.settle(number, usage)
                self.ledger.add(phase, node, usage)
        return reply, usage

    def _most(self, model: LanguageModel, request: Request) -> Usage:
        """Return the most that a call can use: a token is at least one byte of the request."""
        if not self.budget.bounds_replies:
            return Usage(calls=1)
        self.check_price(model)
        price = self.price(model)
        usage = Usage(
            calls=1,
            prompt_tokens=len(request.model_dump_json(exclude={"rollout"}).encode()),
            completion_tokens=request.max_tokens or REPLY_TOKENS,
        )
        return usage.model_copy(update={"usd": None if price is None else price.of(usage)})

    def _close(self, model: LanguageModel, seconds: float) -> None:
        """Let nobody ask a model for a while: a rate limit is the account's, not the one request's."""
        until = asyncio.get_running_loop().time() + seconds
        self._closed_until[model.name] = max(until, self._closed_until.get(model.name, 0.0))

    @asynccontextmanager
    async def _slot(self, model: LanguageModel) -> AsyncIterator[None]:
        """Wait until a model may be asked and a slot is free; a local model needs neither."""
        if not model.remote:
            yield
            return
        while True:
            await self._sleep(self._closed_for(model))
            async with self._slots:
                if self._closed_for(model) > 0:
                    continue  # closed while this one waited for its slot
                yield
                return

    def _closed_for(self, model: LanguageModel) -> float:
        """Return for how many seconds nobody may ask a model, within the cap on seconds; then the budget speaks."""
        if (until := self._closed_until.get(model.name)) is None:
            return 0.0
        return self._within_cap(until - asyncio.get_running_loop().time())

    async def _sleep(self, seconds: float) -> None:
        if (seconds := self._within_cap(seconds)) > 0:
            await asyncio.sleep(seconds)

    def _within_cap(self, seconds: float) -> float:
        cap = self.budget.max_seconds
        return seconds if cap is None else min(seconds, cap - self.budget.seconds)


async def _asked(model: LanguageModel, request: Request, on_text: OnText | None) -> Reply:
    """Get one answer, in pieces where someone wants them and the model can."""
    if on_text is None:
        return await model.complete(request)
    if not isinstance(model, StreamingModel):
        reply = await model.complete(request)
        on_text(reply.text)
        return reply
    async for piece in model.stream(request):
        if isinstance(piece, Reply):
            return piece
        on_text(piece)
    raise ModelError(f"{model.name}: the stream ended without a reply")


def _priced(price: Price | None, usage: Usage) -> Usage:
    """Fill in the price of a reply that did not bring one."""
    if usage.usd is not None or price is None:
        return usage
    return usage.model_copy(update={"usd": price.of(usage)})


def _unknown(estimate: Usage) -> Usage:
    """Return what is counted for a call of which nobody knows how far it got: all that it had reserved."""
    return estimate.model_copy(update={"estimated": True})


def _lost(error: ModelError, estimate: Usage) -> Usage:
    """Return what is counted for a failed attempt: nothing but the call, unless it may be billed all the same."""
    return _unknown(estimate) if isinstance(error, Transient) and error.charged else Usage(calls=1)
