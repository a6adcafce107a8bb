"""Whether a server holds more memory the more it has answered.

The student is the embedded reader, so nothing else answers and 100,000 requests take minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.deployed import clients
from evals.deployed.figures import load, resident_mib
from evals.deployed.serving import Serving
from evals.deployed.workers import Worker

MARKS = (5_000, 25_000, 50_000, 100_000)
GOAL_MIB = 5.0
"""What may come on top between the last three marks."""


def marks(requests: int) -> tuple[int, ...]:
    """Return where the memory is read on the way to so many requests."""
    return tuple(mark * requests // MARKS[-1] for mark in MARKS)


def memory(requests: int, concurrency: int = 32, **settings: Any) -> dict[str, Any]:
    """Ask so many requests of one server and read its memory on the way.

    Args:
        requests: how many.
        concurrency: clients.
        settings: more of them for the server; see `Serving`.
    """
    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        serving = Serving(Path(place), **settings)
        with Worker("evals.deployed.clients") as many, serving:
            serving.start()
            found = [{"requests": 0, "mib": resident_mib(serving.pid)}]
            done = 0
            for mark in marks(requests):
                job = clients.Job(serving.url, serving.token, done, requests=mark - done, clients=concurrency)
                told = many.do(job._asdict())
                done = mark
                rate = told["requests"] / told["wall_s"]
                row = {"requests": done, "mib": resident_mib(serving.pid), "rate": rate, "load": load()}
                found.append(row | ({"not answered": told["counts"]} if told["counts"] else {}))
        return {"concurrency": concurrency, "marks": found, "growth_mib": growth([row["mib"] for row in found])}


def growth(mib: Sequence[float]) -> float:
    """Return the largest difference among the last three readings."""
    return max(mib[-3:]) - min(mib[-3:])
