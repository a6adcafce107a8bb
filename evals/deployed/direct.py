"""The yardstick, a process of its own: the same agent, asked by `ainvoke` in a `Session`, without server and store.

`python -m evals.deployed.direct` takes jobs (`Job`) on stdin.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from agentsym.runtime.session import Session
from evals.deployed.messages import numbered
from evals.deployed.workers import work
from evals.deployed.world import agent


class Job(NamedTuple):
    """What is to be asked.

    Attributes:
        student: a model string.
        first: the number of the first message.
        seconds: how long.
        clients: how many ask at once.
    """

    student: str
    first: int
    seconds: float
    clients: int = 32


async def _main() -> None:
    sessions: dict[str, Session] = {}
    asked = agent()

    async def one(session: Session, numbers: Iterator[int], until: float) -> int:
        done = 0
        while time.monotonic() < until:
            await session.ainvoke(asked, {"message": numbered(next(numbers)).message})
            done += 1
        return done

    async def do(given: dict[str, Any]) -> dict[str, float]:
        job = Job(**given)
        session = sessions.setdefault(job.student, Session(job.student, concurrency=job.clients))
        numbers, began, cpu = count(job.first), time.monotonic(), time.process_time()
        done = await asyncio.gather(*(one(session, numbers, began + job.seconds) for _ in range(job.clients)))
        return {"requests": sum(done), "wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}

    await work(do)


if __name__ == "__main__":
    asyncio.run(_main())
