"""Learning a candidate: the trainer of `agentsym optimize` on the learn set, within the policy.

What the policy does not let change is frozen while learning, so that nothing is paid for what would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agentsym.deploy.evolution.allowed import narrowed, widened
from agentsym.deploy.evolution.material import Material
from agentsym.deploy.policy import Policy
from agentsym.learning.run import Run
from agentsym.learning.trainer import Trainer
from agentsym.models.protocol import LanguageModel
from agentsym.network.network import Network
from agentsym.runtime.executors.protocol import Executor
from agentsym.store.store import Store

Watch = Callable[[str, Mapping[str, Any]], None]


class Means(NamedTuple):
    """Who runs, writes and judges, and where.

    Attributes:
        student: as for a trainer.
        teacher: likewise.
        executor: where rows are run.
        concurrency: examples and model calls in flight.
        judge: the model of the policy's judge, where it is not to be found by its name.
        watch: is told what a learning run does.
    """

    student: str | LanguageModel | None
    teacher: Any
    executor: Executor
    concurrency: int
    judge: LanguageModel | None
    watch: Watch | None


async def learn(
    store: Store, name: str, base: Network, material: Material, policy: Policy, means: Means
) -> tuple[Run[Network], Network]:
    """Learn from the learn set; return the run and the version that it found, which may be the base.

    Args:
        store: where the run is written.
        name: the deployment, which the run's first event names.
        base: the live version.
        material: what there is to learn from.
        policy: what may change, and the caps.
        means: who does it.
    """
    learning = policy.learning
    trainer = Trainer(
        narrowed(base, policy.allowed),
        material.rows("learn"),
        metric=material.metric,
        student=means.student,
        teacher=means.teacher,
        optimizer=learning.optimizer,
        concurrency=means.concurrency,
        max_calls=learning.max_calls,
        max_tokens=learning.max_tokens,
        max_usd=learning.max_usd,
        writes=material.writes,
        executor=means.executor,
        store=store,
        watch=means.watch,
        origin={"deployment": name},
        steps=learning.steps,
        repeats=learning.repeats,
        seed=learning.seed,
    )
    run = await trainer.afit()
    return run, widened(run.best, base)
