"""Runs agentsym on the task as a user would: the Trainer, the direct client, and caches that are new and empty."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentsym import Agent, PromptNode
from agentsym.learning import Trainer
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.models.cache import ResponseCache
from agentsym.models.openai_http import OpenAIModel
from agentsym.network.parameters import Rules
from agentsym.runtime.session import Session
from agentsym.store.store import Store
from evals.openai_server import Server
from evals.plain_english.brain import brain
from evals.plain_english.task import Part, rows

_MOST_RULES = 40  # of one node: the rules name no label in backticks, so all of them count for every label

READ = "List the numbers that the problem is about, in the order of the text."
SOLVE = "Work out the answer to the problem from its numbers."
_SCORED: tuple[Part, ...] = ("val", "test")


def agent(name: str = "word-problems", read: str = READ, solve: str = SOLVE) -> Agent:
    """Return the agent before it has learned: a step that lists the numbers, and one that calculates with them."""
    return Agent(
        name,
        nodes=[
            PromptNode(
                "read",
                read,
                inputs=["problem"],
                output={"numbers": str},
                rules=Rules(max_per_label=_MOST_RULES, role="which numbers count, and what for"),
            ),
            PromptNode(
                "solve",
                solve,
                inputs=["problem", "numbers"],
                output={"answer": int},
                rules=Rules(max_per_label=_MOST_RULES, role="what is to be done with the numbers"),
            ),
        ],
        edges=[("read", "solve")],
        outputs=["answer"],
    )


async def learn(seed: int, optimizer: str | Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Learn the task once and return the findings as one flat row.

    Calls and tokens are the server's own count of what learning took; the scores of the first and the best version are
    taken anew after that, every answer asked for again.

    Args:
        seed: of the data and of the trainer.
        optimizer: the trainer's, by name, or a recipe.
        settings: further arguments of the Trainer.

    Raises:
        UsageError: the trainer does not know the optimizer or a setting.
        RuntimeError: the server could not answer every request, so the figures would be wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with Server(brain) as server:
            run = await trained(server.base_url, Path(folder), seed, optimizer, settings)
            stats = server.stats
            server.reset()
            scores = {
                f"{part}{name}": await score(server.base_url, network, rows(part, seed))
                for part in _SCORED
                for name, network in (("_before", agent()), ("", run.best))
            }
            if errors := [*stats.errors, *server.stats.errors]:
                raise RuntimeError(f"the server could not answer {len(errors)} requests, the first with {errors[0]}")
    student = stats.by_model["student"].answered
    return {
        "optimizer": optimizer if isinstance(optimizer, str) else optimizer.name,
        "seed": seed,
        **scores,
        "calls": stats.requests,
        "student_calls": student,
        "teacher_calls": stats.requests - student,
        "tokens": stats.tokens,
        "rules": sum(len(rules_of(run.best, node)) for node in ("read", "solve")),
        "stopped": run.reason,
    }


async def trained(
    url: str,
    folder: Path,
    seed: int,
    optimizer: str | Recipe,
    settings: Mapping[str, Any],
    *,
    base: Agent | None = None,
    data: Callable[[Part, int], Sequence[Mapping[str, Any]]] = rows,
) -> Run[Agent]:
    """Train an agent (by default ours) against a server, and return the run; the folder gets store and cache."""
    with Store.open(folder / "store.db") as store:
        trainer = Trainer(
            base or agent(),
            data("train", seed),
            val=data("val", seed),
            student=model(url, "student"),
            teacher=model(url, "teacher"),
            optimizer=optimizer,
            cache=False,
            store=store,
            seed=seed,
            **settings,
        )
        with ResponseCache(folder / "cache.db") as trainer.parts.door.cache:  # not the user's
            return await trainer.afit()


async def score(url: str, network: Agent, data: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of rows that an agent answers rightly."""
    async with Session(model(url, "student")) as session:
        outputs = await session.abatch(network, [{"problem": row["problem"]} for row in data])
    right = [bool(output["answer"] == row["answer"]) for output, row in zip(outputs, data, strict=True)]
    return round(sum(right) / len(right), 4)


def rules_of(network: Agent, node: str) -> list[str]:
    """Return the rules of a node, as text."""
    found = network.parameter(f"{node}/rules")
    assert isinstance(found, Rules)
    return [rule.text for rule in found.value]


def model(url: str, name: str) -> OpenAIModel:
    """Return the direct client of one of the server's models."""
    return OpenAIModel(f"openai/{name}", base_url=url)
