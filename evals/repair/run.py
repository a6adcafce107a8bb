"""One run of the trainer against a server with the doubles, and the row that is reported of it.

The trainer is used as a user uses it, with the direct client and with caches and a store that are new and empty.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentsym import Agent
from agentsym.learning import Trainer
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import RECIPES
from agentsym.models.openai_http import OpenAIModel
from agentsym.store.store import Store
from evals.openai_server import Server
from evals.repair.brain import Brain, Learn, Teach

TRAIN, VAL, TEST = 40, 40, 60
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """What is learned: an agent, its rows, how they are scored, and who answers.

    Attributes:
        agent: before it has learned.
        rows: name of a set and number of rows → rows; another seed has others.
        metric: row and output → score and comment.
        student: answers the agent's prompt nodes.
        teacher: answers the trainer's requests.
    """

    agent: Agent
    rows: Callable[[str, int], Rows]
    metric: Callable[..., tuple[float, str]]
    student: Learn
    teacher: Teach


@dataclass(frozen=True)
class Way:
    """How it is learned; what is None is the trainer's default.

    Attributes:
        optimizer: one of the trainer's.
        gate: one of the trainer's.
        blame: one of the recipe's ways to blame.
        steps: most steps.
    """

    optimizer: str = "symbolic"
    gate: str | None = None
    blame: str | None = None
    steps: int = 80


async def learn(study: Study, seed: int, way: Way) -> tuple[Run[Agent], int]:
    """Learn, and return the run and how many requests the server answered.

    Raises:
        UsageError: there is no such optimizer or gate.
        RuntimeError: a double could not answer a request, so that the run's figures are worth nothing.
    """
    optimizer: Any = way.optimizer
    if way.blame is not None:
        optimizer = RECIPES[way.optimizer].model_copy(update={"blame": way.blame})
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store.db") as store:
        async with Server(Brain({"student": study.student}, study.teacher)) as server:
            run = await Trainer(
                study.agent,
                study.rows("train", TRAIN),
                val=study.rows("val", VAL),
                test=study.rows("test", TEST),
                metric=study.metric,
                student=OpenAIModel("openai/student", base_url=server.base_url),
                teacher=OpenAIModel("openai/teacher", base_url=server.base_url),
                optimizer=optimizer,
                gate=way.gate,
                cache=False,
                store=store,
                steps=way.steps,
                patience=None,
                target=1.0,
                seed=seed,
                comments="metric",
            ).afit()
            if server.stats.errors:
                raise RuntimeError(f"the doubles could not answer every request: {server.stats.errors[0]}")
            return run, server.stats.requests


def reported(run: Run[Agent], requests: int) -> dict[str, Any]:
    """Return the figures of a run: calls and tokens, validation, held-out rows before and after, why it stopped."""
    total, tested = run.ledger.total(), run.tested
    assert tested is not None and tested.rows == "test"
    return {
        "calls": total.calls,
        "tokens": total.tokens,
        "requests": requests,
        "val": round(run.val[1], 4) if run.val else None,
        "test": round(sum(tested.after) / len(tested.after), 4),
        "before": round(sum(tested.before) / len(tested.before), 4),
        "steps": len(run.steps),
        "stopped": run.reason,
    }
