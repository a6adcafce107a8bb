"""One run of `Trainer` against the provider's double, in folders and an environment of its own.

The keys, the prices and the caches of whoever runs an eval are neither used nor touched.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agentsym import Agent
from agentsym.learning import Trainer
from agentsym.learning.run import Run
from agentsym.models.budget import Budget
from agentsym.models.cache import ResponseCache
from agentsym.store.store import Store
from evals.clients.shop import desk, rows
from evals.openai_server import Price, Server
from evals.openai_server.brains import classroom

KEY = "key-of-the-double"
PRICES = {"student": Price(0.1, 0.4), "teacher": Price(2.0, 8.0)}
PREFIXES = {"direct": "", "litellm": "litellm:"}
"""Client → what stands before a model string to choose it."""


class Size(NamedTuple):
    """How much is learned: rows of training and validation, rows a batch, steps."""

    train: int
    val: int
    batch: int
    steps: int


def server(*, latency: float = 0.0) -> Server:
    """Return a provider's double that plays student and teacher."""
    return Server(classroom(), latency=latency, key=KEY, prices=PRICES)


@contextmanager
def environment(base_url: str, listed: Mapping[str, Price] = PRICES) -> Iterator[Path]:
    """Set what the clients read of the environment, and yield a temporary folder; both are undone at the end.

    Args:
        base_url: where the provider's double listens.
        listed: model → its price, for the price list.
    """
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder) / "prices.yaml"
        lines = {
            f"{prefix}openai/{name}": price._asdict() for prefix in PREFIXES.values() for name, price in listed.items()
        }
        prices.write_text(yaml.safe_dump(lines), encoding="utf-8")
        changes = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY, "AGENTSYM_PRICES": str(prices)}
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def train(
    folder: Path,
    size: Size,
    *,
    prefix: str = "",
    concurrency: int = 8,
    budget: Budget | None = None,
    watch: Callable[[str, Mapping[str, Any]], None] | None = None,
    seed: int = 0,
    **caps: Any,
) -> Run[Agent]:
    """Optimize the workshop's desk, with a store and a cache of its own in `folder`.

    Args:
        folder: where the store and the cache are written; a new one for each run.
        size: how much is learned.
        prefix: put before the model strings `openai/student` and `openai/teacher`.
        concurrency: the most calls at once.
        budget: caps that replace those of the trainer.
        watch: handed to the trainer.
        seed: draws rows and batches.
        caps: handed to the trainer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Store.open(folder / "store.db") as store:
        trainer = Trainer(
            desk(),
            rows(size.train, held_out=False, seed=seed),
            val=rows(size.val, held_out=True, seed=seed),
            optimizer="paper",
            student=f"{prefix}openai/student",
            teacher=f"{prefix}openai/teacher",
            concurrency=concurrency,
            store=store,
            watch=watch,
            seed=seed,
            batch=size.batch,
            steps=size.steps,
            patience=None,
            cache=False,
            **caps,
        )
        door = trainer.parts.door
        if budget is not None:
            door.budget = trainer.budget = budget
        with ResponseCache(folder / "cache.db") as door.cache:  # not the user's
            return trainer.fit()
