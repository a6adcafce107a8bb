"""The one door that every model call goes through: log, cache, single flight, slot, budget, call, retry, ledger.

Models only answer; whatever holds for all of them is done here once, so a cap, a price or a count means the same for
each.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from agentsym.errors import ModelError, RateLimited, StoreError, Transient, UsageError
from agentsym.models.answers import NO_CALL, AnswerLog
from agentsym.models.budget import REPLY_TOKENS, Budget
from agentsym.models.cache import ResponseCache
from agentsym.models.chat_span import chat_span
from agentsym.models.flights import Flight, Listener, OnText
from agentsym.models.ledger import Ledger
from agentsym.models.prices import Price, Prices
from agentsym.models.protocol import LanguageModel, Phase, Reply, Request, StreamingModel
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Usage
from agentsym.telemetry.names import ERROR_TYPE, RETRY, WAIT
from agentsym.telemetry.switch import switched
from agentsym.telemetry.telemetry import Telemetry

_FREE = Price(0.0, 0.0)


class Recorder(Protocol):
    """Keeps what was asked and answered; equal requests may come many times."""

    def record(self, model: str, request: Request, reply: Reply, *, phase: Phase, node: str) -> None:
        """Keep one answer."""
        ...


@dataclass(frozen=True)
class _Call:
    """What is asked of whom, for which account, and the keys of its answer in the cache and in the log (None: no log).

    The log's key is that of the request as it was asked, since a resumed run may have other caps.
    """

    model: LanguageModel
    request: Request
    phase: Phase
    node: str
    key: str = ""
    logged: str | None = None


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
        answers: where calls of remote models are written down as they are made, and whose answers count as given; None
            for nowhere.
        telemetry: makes spans of calls, and of what they are made for; yes or no; None: as `AGENTSYM_TELEMETRY` and
            the process say.
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
        answers: AnswerLog | None = None,
        telemetry: Telemetry | bool | None = None,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"the concurrency is {concurrency}; it must be 1 or more")
        self.cache = cache
        self.budget = Budget() if budget is None else budget
        self.ledger = Ledger() if ledger is None else ledger
        self.retry = RetryPolicy() if retry is None else retry
        self.recorder = recorder
        self.answers = answers
        self.telemetry = switched(telemetry)
        self._prices = Prices() if prices is None else prices
        self._known: dict[str, Price | None] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._flights: dict[str, Flight] = {}
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
        asked = request
        if self.budget.bounds_replies and request.max_tokens is None:
            request = request.model_copy(update={"max_tokens": REPLY_TOKENS})
        if not model.remote:
            return await self._seen(_Call(model, request, phase, node), on_text, self._answer)
        key = request.key(model.name)
        logged = None if self.answers is None else key if request is asked else asked.key(model.name)
        call = _Call(model, request, phase, node, key, logged)
        reply = self._given(call, on_text) or await self._seen(call, on_text, self._answer_once)
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

    async def _seen(
        self, call: _Call, on_text: OnText | None, answer: Callable[[_Call, OnText | None], Awaitable[Reply]]
    ) -> Reply:
        """Answer, inside of a span where there is telemetry; what a log has given was seen before."""
        if self.telemetry is None:
            return await answer(call, on_text)
        with chat_span(self.telemetry, call.model, call.request, call.phase, call.node) as tell:
            reply = await answer(call, on_text)
            tell(reply)
            return reply

    def _given(self, call: _Call, on_text: OnText | None) -> Reply | None:
        """Return the answer that the log holds: paid for before, so that neither budget nor ledger see a call."""
        if self.answers is None or call.logged is None or (reply := self.answers.take(call.logged)) is None:
            return None
        if on_text is not None:
            on_text(reply.text)
        self._keep(call.key, reply)
        self.ledger.add(call.phase, call.node, Usage(cached=reply.usage.cached))
        return reply

    async def _answer_once(self, call: _Call, on_text: OnText | None) -> Reply:
        """Answer from the cache or from a call that is under way, else make the call."""
        reply = self._kept(call.key)
        if reply is not None and on_text is not None:
            on_text(reply.text)
        if reply is None:
            leads = call.key not in self._flights
            if leads:
                self._flights[call.key] = self._lead(call, streams=on_text is not None)
            reply = await self._wait_for(call.key, self._flights[call.key], on_text)
            if leads:
                return reply
        self.ledger.add(call.phase, call.node, NO_CALL)
        worth = _priced(self.price(call.model), reply.usage)  # kept perhaps before its price was known
        return reply.model_copy(update={"usage": NO_CALL, "worth": worth})

    def _lead(self, call: _Call, *, streams: bool) -> Flight:
        """Begin the call that one or more callers wait for; its reply is kept."""

        async def answered() -> Reply:
            try:
                reply = await self._answer(call, flight.tell if streams else None)
                self._keep(call.key, reply)
                if not streams:
                    flight.tell(reply.text)
                return reply
            finally:
                self._leave(call.key, flight.call)

        flight = Flight(asyncio.create_task(answered()))
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

    async def _wait_for(self, key: str, flight: Flight, on_text: OnText | None) -> Reply:
        """Wait for a call; a caller who is cancelled leaves it to the others, and the last one stops it."""
        flight.waiting += 1
        listener = None if on_text is None else Listener(on_text)
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

    async def _answer(self, call: _Call, on_text: OnText | None) -> Reply:
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
                return await self._send(call, spent, tell if on_text is not None else None)
            except ModelError as error:
                wait = None if said else self.retry.wait(error, attempt)
                if wait is None:
                    raise
                spent += _lost(error, Usage(calls=1))
                if self.telemetry is not None:
                    self.telemetry.event(RETRY, {ERROR_TYPE: type(error).__name__, WAIT: wait})
                if isinstance(error, RateLimited):
                    self._close(call.model, wait)
                else:
                    await self._sleep(wait)

    async def _send(self, call: _Call, spent: Usage, on_text: OnText | None) -> Reply:
        """Make one attempt: reserve, call, settle, and write log and account, also where it fails or is cancelled.

        The reply's usage is that of this attempt and of those before it, which have `spent` so much.
        """
        model, request, reply, number = call.model, call.request, None, 0
        async with self._slot(model):
            price = self.price(model)  # a list that cannot be read is said before anything is sent
            estimate = self._most(model, request)
            reservation = await self.budget.reserve(estimate)
            clock = asyncio.get_running_loop().time
            started, usage = clock(), _unknown(estimate)
            try:
                if self.answers is not None and call.logged is not None:
                    number = self.answers.sent(call.logged, call.phase, call.node, usage)
                reply = await _asked(model, request, on_text)
                usage = _priced(price, reply.usage)
            except ModelError as error:
                usage = _lost(error, estimate)
                raise
            finally:
                usage = usage.model_copy(update={"calls": max(1, usage.calls), "seconds": clock() - started})
                self.budget.settle(reservation, usage)
                self.ledger.add(call.phase, call.node, usage)
                if reply is not None:
                    reply = reply.model_copy(update={"usage": spent + usage, "worth": usage})
                if self.answers is not None and number:
                    self.answers.settled(number, usage, reply)
        return reply

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
