"""Models of different price in the world of tickets, and runs that choose among them.

Models are doubles of paid ones, found by their names as real ones are; who can do what is known, so that every choice
has one right outcome.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentsym.errors import Unavailable
from agentsym.learning.node_models import with_models
from agentsym.learning.protocols import Row
from agentsym.learning.run import Run
from agentsym.learning.trainer import Trainer
from agentsym.models.protocol import LanguageModel, Reply, Request
from agentsym.network.records import Usage
from agentsym.store.store import Store
from tests.learning.symbolic.world import NODES, WORLD, Student, agent, rows, trainer

LARGE, MIDDLE, SMALL = "double/large", "double/middle", "double/small"
PRICES = {LARGE: 10.0, MIDDLE: 3.0, SMALL: 1.0}  # dollars for a million tokens, read and written
TRAIN, VAL = (rows(["a", "b", "free"] * 2, name) for name in ("t", "v"))


class Model(Student):
    """Does what its rules say, but for the kinds of tickets that it is not up to at a node.

    Args:
        name: its model string.
        weak: node → kinds that it gets wrong there, whatever its rules say.
        tokens: of an answer.
        seconds: that an answer takes.
    """

    def __init__(
        self, name: str, weak: Mapping[str, Sequence[str]] = {}, *, tokens: int = 10, seconds: float = 0.0
    ) -> None:
        super().__init__(WORLD)
        self.name = name
        self.weak, self.tokens, self.seconds = weak, tokens, seconds
        self.requests: Counter[str] = Counter()

    async def complete(self, request: Request) -> Reply:
        key = request.key(self.name)
        self.requests[key] += 1
        for _ in range(int(key[:2], 16) % 5):  # answers come in another order than they were asked for
            await asyncio.sleep(0)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        node = "sort" if "# Task\nSort" in request.messages[0].content else "read"
        weak = any(f"is {kind}" in request.messages[1].content for kind in self.weak.get(node, ()))
        text = '{"label": "wrong"}' if node == "sort" else '{"fact": "unknown is unknown"}'
        reply = Reply(text=text) if weak else await super().complete(request)
        read = sum(len(message.content) for message in request.messages) // 4
        usage = Usage(calls=1, prompt_tokens=read, completion_tokens=self.tokens, usd=None)
        return reply.model_copy(update={"usage": usage})


class Gone(Model):
    """A model that nobody serves."""

    async def complete(self, request: Request) -> Reply:
        raise Unavailable(f"{self.name}: there is no such model")


class Market:
    """The models that are there, and what they cost; `open` makes them known by their names.

    Args:
        monkeypatch: undoes it all.
        folder: where the price list is written.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch, self._folder = monkeypatch, folder
        self.models: dict[str, Model] = {}

    def open(self, *models: Model, priced: bool = True) -> Market:
        self.models = {model.name: model for model in models}
        self._monkeypatch.setattr("agentsym.runtime.context.resolve", self._found)
        prices = self._folder / "prices.yaml"
        prices.write_text(yaml.safe_dump({name: {"input": p, "output": p} for name, p in PRICES.items()}))
        if priced:
            self._monkeypatch.setenv("AGENTSYM_PRICES", str(prices))
        return self

    def requests(self) -> Counter[str]:
        """Return request → how often it was made."""
        return sum((model.requests for model in self.models.values()), Counter())

    def _found(self, name: str | LanguageModel) -> LanguageModel:
        return self.models[name] if isinstance(name, str) else name


def choosing(store: Store, market: Market, train: Sequence[Row] = TRAIN, **changes: Any) -> Trainer[Any]:
    """Return a trainer that learns nothing (unless it gets steps), and chooses among the market's models.

    Its agent begins with the first of them everywhere, and knows what there is to know.
    """
    first, *others = market.models
    start = changes.pop("agent", agent(**{node: ["mind a", "mind b"] for node in NODES}))
    begin: dict[str, Any] = {
        "agent": with_models(start, first, others),
        "student": market.models[first],
        "val": VAL,
        "steps": 0,
        "prefer": "cheapest",
        "within": 0.01,
    }
    return trainer(store, changes.pop("world", WORLD), train, **{**begin, **changes})


def models(run: Run[Any]) -> dict[str, str]:
    """Return node → the model that it asks."""
    return {node: run.best.parameter(f"{node}/model").value.removeprefix("double/") for node in NODES}


def offers(run: Run[Any]) -> list[tuple[str, bool]]:
    """Return what was tried, and whether it was taken."""
    return [(f"{offer.path}={offer.value.removeprefix('double/')}", offer.accept) for offer in run.offers]
