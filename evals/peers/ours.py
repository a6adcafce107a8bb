"""The runner of agentsym: `python -m evals.peers.ours ASSIGNMENT`.

It uses the Trainer as a user does, with the direct client, caches that are new and empty, and the metric's own feedback
as the text of the loss, since the other libraries get theirs from a function as well.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentsym import Agent
from agentsym.learning import Trainer
from agentsym.learning.run import Run
from agentsym.models.cache import ResponseCache
from agentsym.models.openai_http import OpenAIModel
from agentsym.network.network import Network
from agentsym.runtime.session import Session
from agentsym.store.store import Store
from evals.peers.agents import Learns, agent
from evals.peers.assignment import CONCURRENCY, ROLLOUTS, STEPS, TARGET, Assignment, measured
from evals.peers.task import Task, Ticket


async def learn(assignment: Assignment, folder: Path) -> Run[Agent]:
    """Optimize the task's agent.

    Args:
        assignment: what is asked for; its options are `optimizer` (one of the trainer's) and `learns`.
        folder: where store and cache are written.

    Raises:
        UsageError: there is no such optimizer.
    """
    task, options = assignment.task, assignment.options
    learns: Learns = "text" if options.get("learns") == "text" else "rules"
    with Store.open(folder / "store.db") as store:
        trainer = Trainer(
            agent(task, learns),
            rows(task.tickets("train")),
            val=rows(task.tickets("val")),
            metric=lambda row, output: task.judge(output["label"], row["label"]),
            student=model(assignment.url, "student"),
            teacher=model(assignment.url, "teacher"),
            optimizer=options.get("optimizer", "symbolic"),
            concurrency=CONCURRENCY,
            max_calls=ROLLOUTS * task.chain,
            cache=False,
            store=store,
            steps=STEPS,
            patience=None,
            target=TARGET,
            seed=assignment.seed,
            comments="metric",
        )
        door = trainer.parts.door
        door.cache = ResponseCache(folder / "cache.db")  # not the user's
        try:
            return await trainer.afit()
        finally:
            door.cache.close()


async def score(url: str, task: Task, best: Network) -> float:
    """Return the score of an agent on validation, every answer asked for anew."""
    tickets = task.tickets("val")
    async with Session(model(url, "student"), concurrency=CONCURRENCY) as session:
        outputs = await session.abatch(best, [{"ticket": ticket.text} for ticket in tickets])
    scores = [task.judge(output["label"], ticket.label)[0] for output, ticket in zip(outputs, tickets, strict=True)]
    return sum(scores) / len(scores)


def rows(tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Return tickets as rows of a data set."""
    return [{"id": f"t-{ticket.number}", "ticket": ticket.text, "label": ticket.label} for ticket in tickets]


def model(url: str, name: str) -> OpenAIModel:
    """Return the direct client of one of the server's models."""
    return OpenAIModel(f"openai/{name}", base_url=url)


def main() -> None:
    """Run an assignment and print its row."""
    assignment = Assignment.from_json(sys.argv[1])
    runs: list[Run[Agent]] = []

    def learned() -> tuple[float, str]:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(asyncio.run(learn(assignment, Path(folder))))
        (run,) = runs
        return run.val[1] if run.val else 0.0, run.reason

    def rescored() -> float:
        (run,) = runs
        return asyncio.run(score(assignment.url, assignment.task, run.best))

    print(json.dumps(measured(assignment, learned, rescored)))


if __name__ == "__main__":
    main()
