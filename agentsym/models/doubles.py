"""A stand-in for language models in tests: it follows a script.

It is a double and named so: it shows what agentsym asks and does with answers, and nothing of a model.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self

from agentsym.errors import ModelError
from agentsym.models.protocol import Reply, Request
from agentsym.network.records import Message

Said = str | Reply | Exception | Callable[[Request], "str | Reply"]

MALFORMED = '{"answer": "cut o'
REFUSAL = "I'm sorry, but I can't help with that."


def timeout() -> ModelError:
    """Return the failure of a server that did not answer in time."""
    return ModelError("scripted: no answer within 60 seconds")


def rate_limit() -> ModelError:
    """Return the failure of a server that has had too many requests."""
    return ModelError("scripted: 429, too many requests")


class Unscripted(AssertionError):
    """A model was asked something that its script does not foresee, or a rule of it was never used."""


@dataclass(frozen=True)
class Rule:
    """One line of a script.

    Attributes:
        says: the answer: a text, a reply, an exception to raise, or a function of the request.
        when: which requests it answers: a predicate, or a text that one of the messages holds; None: every
            one.
        times: how many requests it answers before the next rule's turn comes; None: any number.
        latency: seconds before the answer; None: the model's.
    """

    says: Said
    when: Callable[[Request], bool] | str | None = None
    times: int | None = None
    latency: float | None = None

    def fits(self, request: Request) -> bool:
        """Say whether the rule answers a request."""
        if isinstance(self.when, str):
            return any(self.when in message.content for message in request.messages)
        return self.when is None or self.when(request)


@dataclass(frozen=True)
class Call:
    """One call as it was logged: what was asked and the number of the rule that answered (None: none)."""

    request: Request
    rule: int | None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that were sent."""
        return self.request.messages

    @property
    def text(self) -> str:
        """All messages' texts, one after the other."""
        return "\n\n".join(message.content for message in self.request.messages)


class ScriptedModel:
    """A double that answers by the first rule that fits.

    It is strict: use it as a context manager, or call `verify` at the end.

    Args:
        rules: the script, in order; a plain text (or any other answer) is a rule that always fits.
        name: as of any model.
        remote: as of any model.
        latency: seconds before each answer, passed by `sleep` (virtual in a virtual loop).

    Attributes:
        calls: every call in order.
        peak: the most calls that were under way at once.
    """

    def __init__(
        self,
        rules: Iterable[Rule | Said],
        *,
        name: str = "scripted",
        remote: bool = True,
        latency: float = 0.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.remote = remote
        self.calls: list[Call] = []
        self.peak = 0
        self._script = tuple(rule if isinstance(rule, Rule) else Rule(rule) for rule in rules)
        self._latency = latency
        self._sleep = sleep
        self._used = [0] * len(self._script)
        self._under_way = 0
        self._lock = threading.Lock()

    async def complete(self, request: Request) -> Reply:
        """Answer by the script.

        Raises:
            Unscripted: when no rule fits.
        """
        rule = self._next(request)
        try:
            latency = self._latency if rule.latency is None else rule.latency
            if latency:
                await self._sleep(latency)
            said = rule.says
            if isinstance(said, Exception):
                raise said
            if callable(said):
                said = said(request)
            return said if isinstance(said, Reply) else Reply(text=said)
        finally:
            with self._lock:
                self._under_way -= 1

    def verify(self) -> None:
        """Check that every call was foreseen and every rule was used (as often as its `times` says).

        Raises:
            Unscripted: when not.
        """
        if lost := [call for call in self.calls if call.rule is None]:
            raise Unscripted(f"{self.name}: no rule for {len(lost)} calls, the first one:\n{lost[0].text}")
        for number, (rule, used) in enumerate(zip(self._script, self._used, strict=True)):
            if used < (rule.times or 1):
                raise Unscripted(f"{self.name}: rule {number} was used {used} times, not {rule.times or 1}: {rule}")

    def _next(self, request: Request) -> Rule:
        """Choose the rule and log the call, in one piece."""
        with self._lock:
            for number, rule in enumerate(self._script):
                if (rule.times is None or self._used[number] < rule.times) and rule.fits(request):
                    self._used[number] += 1
                    self.calls.append(Call(request, number))
                    self._under_way += 1
                    self.peak = max(self.peak, self._under_way)
                    return rule
            call = Call(request, None)
            self.calls.append(call)
        raise Unscripted(f"{self.name}: no rule fits this call:\n{call.text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.verify()
