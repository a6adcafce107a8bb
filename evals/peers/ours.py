"""The runner of agentsym: `python -m evals.peers.ours learn ASSIGNMENT`, or `forward` for the forward pass alone.

It uses the Trainer as a user does, with the direct client, caches that are new and empty, and the metric's own feedback
as the text of the loss, since the other libraries get theirs from a function as well.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from agentsym import Agent
from agentsym.learning import Trainer
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe, recipe_named
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.openai_http import OpenAIModel
from agentsym.network.network import Network
from agentsym.runtime.session import Session
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from evals.peers.agents import Learns, agent
from evals.peers.assignment import CONCURRENCY, ROLLOUTS, STEPS, TARGET, Assignment, measured
from evals.peers.forward import timed
from evals.peers.task import Task, Ticket
from evals.peers.unshared import Unshared
from evals.throughput.loops import bare

REPEATS = 5  # of a comparison at most, where answers flip


async def learn(assignment: Assignment, folder: Path) -> Run[Agent]:
    """Optimize the task's agent.

    Args:
        assignment: what is asked for. Its options are `optimizer` (one of the trainer's), `recipe` (what is different
            in that recipe), `repeats` (by default 5 where answers flip, else 1), `learns`, and `shared` (False: equal
            requests are all sent).
        folder: where store and cache are written.

    Raises:
        UsageError: there is no such optimizer.
    """
    task, options = assignment.task, assignment.options
    learns: Learns = "text" if options.get("learns") == "text" else "rules"
    models = [model(assignment.url, name) for name in ("student", "teacher")]
    student, teacher = models if options.get("shared", True) else map(Unshared, models)
    with Store.open(folder / "store.db") as store:
        trainer = Trainer(
            agent(task, learns),
            rows(task.tickets("train")),
            val=rows(task.tickets("val")),
            metric=lambda row, output: task.judge(output["label"], row["label"]),
            student=student,
            teacher=teacher,
            optimizer=_optimizer(options),
            concurrency=CONCURRENCY,
            max_calls=ROLLOUTS * task.chain,
            cache=False,
            store=store,
            steps=STEPS,
            patience=None,
            target=TARGET,
            seed=assignment.seed,
            comments="metric",
            repeats=options.get("repeats", REPEATS if task.mode == "noisy" else 1),
        )
        with ResponseCache(folder / "cache.db") as trainer.parts.door.cache:  # not the user's
            return await trainer.afit()


async def score(url: str, task: Task, best: Network, tickets: Sequence[Ticket] | None = None) -> float:
    """Return the score of an agent on tickets (by default those of validation), every answer asked for anew."""
    tickets = task.tickets("val") if tickets is None else tickets
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


def findings(assignment: Assignment, folder: Path) -> tuple[dict[str, Any], Run[Agent]]:
    """Run an assignment; returns its row and the run, whose store is `store.db` in the folder."""
    runs: list[Run[Agent]] = []

    def learned() -> tuple[float, str]:
        runs.append(asyncio.run(learn(assignment, folder)))
        return runs[0].val[1] if runs[0].val else 0.0, runs[0].reason

    row = measured(assignment, learned, lambda: asyncio.run(score(assignment.url, assignment.task, runs[0].best)))
    return row, runs[0]


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run tickets through the agent as it is before learning, as learning does: with account, steps and a new cache.

    With the option `loop` = `bare` it is langgraph and aiohttp alone that run the same agent.
    """
    network = agent(assignment.task)
    if assignment.options.get("loop") == "bare":
        return asyncio.run(bare(assignment.url, network, tickets, workers))
    with tempfile.TemporaryDirectory() as folder:
        cache = ResponseCache(Path(folder) / "cache.db")
        try:
            return asyncio.run(_answers(model(assignment.url, "student"), network, tickets, workers, cache))
        finally:
            cache.close()


async def _answers(
    student: OpenAIModel, network: Agent, tickets: Sequence[Ticket], workers: int, cache: ResponseCache
) -> list[str]:
    async with Session(student, concurrency=workers, door=Door(concurrency=workers, cache=cache)) as session:
        outputs = await session.abatch(network, [{"ticket": ticket.text} for ticket in tickets])
    return [output["label"] for output in outputs]


def main() -> None:
    """Do what the command line says and print one row."""
    job, assignment = sys.argv[1], Assignment.from_json(sys.argv[2])
    if job == "forward":
        row = timed(assignment, lambda tickets, workers: answer(assignment, tickets, workers))
    else:
        with tempfile.TemporaryDirectory() as folder:
            row, run = findings(assignment, Path(folder))
            with Store.open(Path(folder) / "store.db") as store:
                journal = json.dumps(list(comparable(store.events(run.id))))
            row["result"] = sha256(journal.encode()).hexdigest()
    print(json.dumps(row))


def _optimizer(options: Mapping[str, Any]) -> str | Recipe:
    """Return the optimizer's name, or its recipe where something is different in it."""
    name = str(options.get("optimizer", "symbolic"))
    changes = options.get("recipe", {})
    return Recipe.model_validate({**recipe_named(name).model_dump(), **changes}) if changes else name


if __name__ == "__main__":
    main()
