"""Caps on what model calls may use, checked before a call is sent.

A call first reserves the most that it can use and settles afterwards what it did use, so that callers who run at the
same time can never go over a cap together.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from agentsym.errors import BudgetExceeded, UsageError
from agentsym.network.records import Usage

REPLY_TOKENS = 4096
"""Longest reply under a cap on tokens or dollars where a request does not say: without a bound nothing could hold."""

_ROUNDING = 1e-9  # dollars: sums of floats


class Budget:
    """The caps of one run; without any it only counts. For one event loop.

    Args:
        max_calls: the most requests that are sent, repeated ones included; None for no cap.
        max_tokens: the most tokens, of prompts and replies together.
        max_usd: the most US dollars; only for models whose price is known.
        max_seconds: seconds from now after which no call is started any more.
        clock: returns seconds.

    Attributes:
        overruns: settled calls that used more tokens than they had reserved, which only a server that ignores
            `max_tokens` can bring about.
    """

    def __init__(
        self,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_usd: float | None = None,
        max_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        caps = {"max_calls": max_calls, "max_tokens": max_tokens, "max_usd": max_usd, "max_seconds": max_seconds}
        for name, cap in caps.items():
            if cap is not None and not cap >= 0:
                raise UsageError(f"{name} is {cap}; a cap must be 0 or more, or left out")
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self.max_usd = max_usd
        self.max_seconds = max_seconds
        self.overruns = 0
        self._clock = clock
        self._start = clock()
        self._used = Usage()
        self._held: dict[int, Usage] = {}
        self._next = 0
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def used(self) -> Usage:
        """What the settled calls have used, failed ones too, and what was counted beside them."""
        return self._used

    @property
    def held(self) -> Usage:
        """What is reserved and not yet settled."""
        return sum(self._held.values(), Usage())

    @property
    def seconds(self) -> float:
        """Seconds since the budget was made."""
        return self._clock() - self._start

    @property
    def bounds_replies(self) -> bool:
        """Whether the caps hold only if every request says how long its reply may be."""
        return self.max_tokens is not None or self.max_usd is not None

    def check(self, estimate: Usage) -> None:
        """Say whether what is estimated still fits beside all that is used and reserved, without reserving it.

        Raises:
            BudgetExceeded: when it does not.
        """
        if self.max_seconds is not None and self.seconds >= self.max_seconds:
            raise BudgetExceeded(
                f"the cap of {self.max_seconds:g} seconds is reached: {self.seconds:.1f} used; "
                "allow more with --max-seconds (in Python: max_seconds=)"
            )
        if self.max_calls is None and not self.bounds_replies:
            return  # nothing to add up
        used, held = self._used, self.held
        for cap, flag, unit, part in (
            (self.max_calls, "max-calls", "model calls", _calls),
            (self.max_tokens, "max-tokens", "tokens", _tokens),
            (self.max_usd, "max-usd", "dollars", _usd),
        ):
            if cap is not None and part(used) + part(held) + part(estimate) > cap + _ROUNDING:
                under_way = f" and {part(held):,.6g} under way" if held.calls else ""
                raise BudgetExceeded(
                    f"the cap of {cap:,.6g} {unit} leaves no room for {part(estimate):,.6g} more: "
                    f"{part(used):,.6g} used{under_way}; allow more with --{flag} "
                    f"(in Python: {flag.replace('-', '_')}=)"
                )

    def count(self, used: Usage) -> None:
        """Count what was used before this budget was made, by a run that now goes on: the caps are of the whole run."""
        self._used += used

    async def reserve(self, estimate: Usage) -> int:
        """Set aside the most that a call can use, and return the number to settle it by, once.

        What does not fit waits for calls under way, since most use less than they reserve; it is refused when none
        is left.

        Raises:
            BudgetExceeded: when it does not fit; nothing is reserved then.
        """
        while True:
            try:
                self.check(estimate)
                break
            except BudgetExceeded:
                late = self.max_seconds is not None and self.seconds >= self.max_seconds
                if late or not self._held:
                    raise
            await self._settled()
        self._next += 1
        self._held[self._next] = estimate
        return self._next

    def settle(self, number: int, used: Usage) -> None:
        """Give a reservation back and count what the call really used."""
        estimate = self._held.pop(number)
        if self.bounds_replies and used.tokens > estimate.tokens:
            self.overruns += 1
        self._used += used
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _settled(self) -> None:
        """Wait until some call is settled."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


def _calls(usage: Usage) -> int:
    return usage.calls


def _tokens(usage: Usage) -> int:
    return usage.tokens


def _usd(usage: Usage) -> float:
    return math.inf if usage.usd is None else usage.usd
