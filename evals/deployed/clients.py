"""Clients of a served agent, a process of its own: each asks, waits for the answer, and asks again.

`python -m evals.deployed.clients` takes jobs (`Job`) on stdin. Every message is another one; what the server refuses
for now, and what does not reach it, is sent again and counted apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, TCPConnector

from evals.deployed.figures import percentile
from evals.deployed.messages import numbered
from evals.deployed.workers import work

RETRIED = (429, 503)
PAUSE_S = 0.1  # before the same is sent again


class Job(NamedTuple):
    """What is to be asked, until the first of the three ends has come.

    Attributes:
        url: the server.
        token: the secret of a token.
        first: the number of the first message.
        seconds: end after so long.
        requests: end after so many.
        until: end when this file is there.
        clients: how many ask at once.
        feedback: give the right label to every so-manieth answer; 0 to none.
        new_share: see `numbered`.
        log: write a line of JSON for every answer and every feedback as soon as it has come.
    """

    url: str
    token: str
    first: int
    seconds: float | None = None
    requests: int | None = None
    until: str | None = None
    clients: int = 32
    feedback: int = 0
    new_share: float = 0.0
    log: str | None = None


def thread(number: int, attempt: int) -> str:
    """Return the thread that an attempt at a message belongs to, so that the store can tell which of them arrived."""
    return f"message {number} attempt {attempt}"


class _Asking:
    """One job under way."""

    def __init__(self, job: Job, session: ClientSession, log: TextIO | None) -> None:
        self._job = job
        self._session = session
        self._log = log
        self._numbers = count(job.first)
        self._end = None if job.seconds is None else time.monotonic() + job.seconds
        self.seconds: list[float] = []
        self.answered: list[float] = []
        self.right = 0
        self.versions: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    async def client(self) -> None:
        """Ask, again and again."""
        while (number := self._next()) is not None:
            asked = numbered(number, self._job.new_share)
            answer = await self._sent("/invoke", {"inputs": {"message": asked.message}}, number)
            if answer is None:
                continue
            self.versions[answer["version"]] += 1
            self.right += answer["output"]["intent"] == asked.intent
            if self._job.feedback and number % self._job.feedback == 0:
                label = {"intent": asked.intent}
                said = {"trace_id": answer["trace_id"], "kind": "label", "label": label}
                await self._sent("/feedback", said, number)

    def _next(self) -> int | None:
        job, number = self._job, next(self._numbers)
        over = (
            (self._end is not None and time.monotonic() >= self._end)
            or (job.requests is not None and number >= job.first + job.requests)
            or (job.until is not None and Path(job.until).exists())
        )
        return None if over else number

    async def _sent(self, path: str, body: dict[str, Any], number: int) -> dict[str, Any] | None:
        """Send until there is an answer; None where it is a final refusal."""
        for attempt in count():
            begun, clock = time.time(), time.monotonic()
            sent = body if path == "/feedback" else {**body, "thread_id": thread(number, attempt)}
            try:
                async with self._session.post(self._job.url + path, json=sent) as response:
                    status, found = response.status, await response.json()
            except ClientConnectorError:
                self.counts["not connected"] += 1
            except (ClientError, TimeoutError, OSError):
                self.counts["cut off"] += 1
                self._write({"number": number, "attempt": attempt, "path": path, "cut_off": True})
            else:
                if status in RETRIED:
                    self.counts[f"refused for now: {found['error']['type']}"] += 1
                elif status >= 400:
                    self.counts[f"{status} {found['error']['type']} at {path}"] += 1
                    return None
                else:
                    self._note(path, clock)
                    ended = time.time()
                    self._write({"number": number, "attempt": attempt, "begun": begun, "ended": ended, **found})
                    return dict(found)
            await asyncio.sleep(PAUSE_S)
        raise AssertionError

    def _note(self, path: str, begun: float) -> None:
        now = time.monotonic()
        if path == "/feedback":
            self.counts["feedback"] += 1
            return
        self.seconds.append(now - begun)
        self.answered.append(now)

    def _write(self, line: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(line) + "\n")


async def _do(given: dict[str, Any]) -> dict[str, Any]:
    job = Job(**given)
    headers = {"authorization": f"Bearer {job.token}"}
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        place = Path(job.log or os.devnull)
        log = stack.enter_context(place.open("a", buffering=1, encoding="utf-8"))
        session = await stack.enter_async_context(
            ClientSession(connector=TCPConnector(limit=0), headers=headers, timeout=ClientTimeout(total=120))
        )
        asking = _Asking(job, session, log if job.log else None)
        await asyncio.gather(*(asking.client() for _ in range(job.clients)))
    wall = time.monotonic() - began
    times = [began, *asking.answered]
    return {
        "requests": len(asking.answered),
        "right": asking.right,
        "wall_s": wall,
        "p50_ms": 1000 * percentile(asking.seconds, 0.5),
        "p99_ms": 1000 * percentile(asking.seconds, 0.99),
        "longest_gap_s": max((after - before for before, after in pairwise(times)), default=0.0),
        "versions": dict(asking.versions),
        "counts": dict(asking.counts),
    }


if __name__ == "__main__":
    asyncio.run(work(_do))
