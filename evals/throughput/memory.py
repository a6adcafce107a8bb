"""Whether memory stays flat while very many examples stream through the forward pass.

The student is a double in this process that answers at once, so that the figure is agentsym's and comes in minutes;
rows come from a generator and trajectories are dropped once they are read.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from agentsym.models.protocol import Reply, Request
from agentsym.network.records import Usage
from agentsym.runtime.session import Session
from evals.throughput.task import answer, desk, tickets

_MIB = 2**20


class Instant:
    """A double that answers in this process at once; the door takes it for a remote model, with all it does for one."""

    name = "double/instant"
    remote = True

    async def complete(self, request: Request) -> Reply:
        said = answer({"messages": [{"content": message.content} for message in request.messages]})
        return Reply(text=said, usage=Usage(calls=1, prompt_tokens=200, completion_tokens=10))


def resident_mib() -> float:
    """Return the memory that this process has in use, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def stream(rows: int, concurrency: int) -> dict[str, Any]:
    """Run `rows` examples, and return the memory in use after a tenth of them and at the end.

    Raises:
        ValueError: an example failed.
    """
    cpu = time.process_time()
    early, late = asyncio.run(_stream(rows, concurrency))
    return {
        "examples": rows,
        "student": "a double in this process, without latency",
        "early_mib": round(early, 2),
        "late_mib": round(late, 2),
        "growth_mib": round(late - early, 2),
        "cpu_s": round(time.process_time() - cpu, 1),
    }


async def _stream(rows: int, concurrency: int) -> tuple[float, float]:
    agent, early = desk(), 0.0
    examples = ((str(number), {"ticket": ticket.text}) for number, ticket in enumerate(tickets(rows)))
    async with Session(Instant(), concurrency=concurrency) as session:
        done = 0
        async for run in session.aforward_many(agent, examples):
            if run.status != "ok":
                raise ValueError(f"example {run.example_id}: {run.error}")
            done += 1
            if done == rows // 10:
                early = resident_mib()
    return early, resident_mib()
