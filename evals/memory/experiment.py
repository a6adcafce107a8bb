"""Runs of related tasks one after the other, with lessons from different places, and what they cost.

The books are the server's. The store is all that goes from one run to the next; each has a response cache of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.memory.tasks import CONTRARY, Related, related
from evals.openai_server import Server
from evals.peers import ours as peers
from evals.peers.assignment import Assignment
from evals.peers.brain import Brain
from evals.peers.task import Task
from evals.plain_english.brain import brain
from evals.plain_english.ours import trained

TARGET = 0.9  # of validation
WAYS = ("without", "with", "unrelated", "contrary")
"""No memory; that of the runs before; that of another agent's runs; that of runs where other things are right."""


async def measure(seed: int, way: str, runs: int, before: int) -> list[dict[str, Any]]:
    """Let agents learn related tasks one after the other, and return a row for each.

    Args:
        seed: draws the tasks and their order.
        way: one of `WAYS`.
        runs: how many tasks.
        before: how many runs of other tasks fill the store first, where the way is `unrelated` or `contrary`.

    Raises:
        RuntimeError: a server could not answer every request, so the figures would be wrong.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "store"
        folder.mkdir()
        if way == "unrelated":
            await _tickets(folder, seed, before)
        elif way == "contrary":
            for task in related(seed + 1_000, before, CONTRARY):
                await _learned(task, folder, memory=False)
        rows = []
        for at, task in enumerate(related(seed, runs)):
            own = folder if way in ("without", "with") else Path(shutil.copytree(folder, Path(scratch) / str(at)))
            found = await _learned(task, own, memory=way != "without")
            rows.append({"way": way, "seed": seed, "run": at, **found})
        return rows


async def _learned(task: Related, folder: Path, *, memory: bool) -> dict[str, Any]:
    """Learn one task and return what it has cost; the run stays in the folder's store, the cache does not."""
    settings = {"steps": 60, "patience": None, "target": TARGET, "memory": memory}
    async with Server(brain) as server:
        run = await trained(server.base_url, folder, task.seed, "symbolic", settings, base=task.agent, data=task.rows)
        stats = server.stats
    if stats.errors:
        raise RuntimeError(f"the server could not answer {len(stats.errors)} requests, the first: {stats.errors[0]}")
    for file in folder.glob("cache.db*"):
        file.unlink()
    teacher, val = stats.by_model["teacher"], run.val[1] if run.val else 0.0
    return {
        "agent": task.agent.name,
        "calls": stats.requests,
        "teacher_calls": teacher.answered,
        "tokens": stats.tokens,
        "teacher_tokens": teacher.tokens,
        "val": round(val, 4),
        "reached": val >= TARGET,
    }


async def _tickets(folder: Path, seed: int, runs: int) -> None:
    """Fill a store with runs of the toy task of `evals.peers`, whose rules are about tickets."""
    for at in range(runs):
        task = Task(data_seeds=tuple(100 * seed + 10 * at + number for number in (1, 2, 3)))  # type: ignore[arg-type]
        async with Server(Brain(task.world())) as server:
            await peers.learn(Assignment(server.base_url, task, at, 0.0, {}), folder)
            if server.stats.errors:
                raise RuntimeError(f"the server could not answer every request: {server.stats.errors[0]}")
        for file in folder.glob("cache.db*"):
            file.unlink()


def figures(rows: Sequence[dict[str, Any]], name: str, way: str) -> list[float]:
    """Return a figure of all runs of one way, in the order of the runs."""
    return [row[name] for row in rows if row["way"] == way]
