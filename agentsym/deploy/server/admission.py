"""How much the server takes on: so many runs at once, so many that wait, so many requests a minute and token.

What is over is refused at once with the time after which to come again, since a queue that grows helps nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agentsym.deploy.failures import Overloaded
from agentsym.deploy.server.replies import Refused
from agentsym.deploy.server.settings import Settings
from agentsym.store.live.tokens import Token

MOST = 4096  # tokens whose rate is remembered


class Admission:
    """The places of a server."""

    def __init__(self, settings: Settings) -> None:
        self._places = asyncio.Semaphore(settings.concurrency)
        self._most_waiting = settings.waiting
        self._rate = settings.rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.waiting = 0

    @asynccontextmanager
    async def place(self, seconds: float) -> AsyncIterator[None]:
        """Hold a place among those that run; wait for it if others wait no longer than they may.

        Raises:
            Overloaded: too many wait already, or none got free in time.
        """
        if not self._places.locked():
            await self._places.acquire()
        else:
            await self._wait(seconds)
        try:
            yield
        finally:
            self._places.release()

    async def _wait(self, seconds: float) -> None:
        self.check_queue()
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded("the server is busy; try again later") from None
        finally:
            self.waiting -= 1

    def check_queue(self) -> None:
        """Raise Overloaded if as many wait as may."""
        if self.waiting >= self._most_waiting:
            raise Overloaded("the server is busy; try again later")

    def count(self, token: Token, requests: int = 1) -> None:
        """Count requests of a token; raise Refused where it has had its share of this minute."""
        if self._rate is None:
            return
        now = time.monotonic()
        left, since = self._left.pop(token.id, (self._rate, now))
        left = min(self._rate, left + (now - since) * self._rate / 60)
        enough = left >= min(requests, self._rate)  # a batch larger than the rate waits for a full minute's share
        self._left[token.id] = (left - requests if enough else left), now
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        if not enough:
            wait = int((min(requests, self._rate) - left) * 60 / self._rate) + 1
            message = f"this token may send {self._rate:g} requests a minute"
            raise Refused(429, "rate_limited", message, {"retry-after": str(wait)})
