"""The experiment: runs that are stopped by a cap, each judged by the books of the provider's double.

A cap lies between what two steps cost and what the whole run needs, and is at least ten of the largest reservations, so
that a run under it has learned something and the last call that did not fit is a small part of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from agentsym import Agent
from agentsym.learning.run import Run
from agentsym.models.budget import Budget
from agentsym.network.records import Usage
from evals.clients.shop import rows
from evals.clients.world import Size, environment, server, train
from evals.openai_server import Stats

Kind = Literal["calls", "tokens", "usd"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIZE = Size(train=48, val=36, batch=16, steps=10)
CONCURRENCY = 32
LATENCY = 0.005  # seconds
LEAST_SPENT = 0.8
RESERVATIONS = 10  # the smallest cap, in largest reservations


class Cap(NamedTuple):
    """A cap of one kind."""

    kind: Kind
    value: float


class Need(NamedTuple):
    """What a run without a cap uses of one kind: its first two steps, all of it, and its largest reservation."""

    two_steps: float
    whole: float
    largest: float


class Watched(Budget):
    """The caps as they are, which also remember the largest reservation."""

    largest = Usage()

    async def reserve(self, estimate: Usage) -> int:
        usd = max(self.largest.usd or 0.0, estimate.usd or 0.0)
        tokens = max(self.largest.tokens, estimate.tokens)
        self.largest = Usage(calls=1, prompt_tokens=tokens, usd=usd)
        return await super().reserve(estimate)


class Unreserved(Budget):
    """Caps that look only at what is used already: what reservations are compared with."""

    @property
    def held(self) -> Usage:
        return Usage()

    def check(self, estimate: Usage) -> None:
        super().check(Usage(calls=1))


def needs(size: Size = SIZE) -> dict[Kind, Need]:
    """Return what a run that no cap stops needs."""
    budget = Watched(max_tokens=10**12, max_usd=1e9)  # caps, so that every reply is bounded as under a real one
    early: dict[Kind, float] = {}
    with server(latency=LATENCY) as provider, environment(provider.base_url) as folder:

        def watch(what: str, data: Mapping[str, Any]) -> None:
            if what == "checkpoint" and data["state"].step == 2:
                early.update(spent(provider.stats))

        train(folder, size, concurrency=CONCURRENCY, budget=budget, watch=watch)
        whole = spent(provider.stats)
    largest: dict[Kind, float] = {
        "calls": 1,
        "tokens": budget.largest.tokens,
        "usd": budget.largest.usd or 0.0,
    }
    return {kind: Need(early[kind], whole[kind], largest[kind]) for kind in KINDS}


def spent(stats: Stats) -> dict[Kind, float]:
    """Return what the provider has billed, of each kind."""
    return {"calls": stats.requests, "tokens": stats.tokens, "usd": stats.usd}


def draw(count: int, needed: Mapping[Kind, Need], seed: int = 0) -> list[Cap]:
    """Draw caps: the kinds take turns in an order by chance, and the sizes of each kind are spread over its range.

    The range goes from the least cap that counts to what the run needs; it is cut into equal parts, one for each cap of
    this kind, and the cap is drawn in its part.

    Raises:
        ValueError: the run is too short for a cap that is worth ten reservations.
    """
    chance = random.Random(f"caps {seed}")
    kinds = chance.sample(KINDS, len(KINDS))
    caps = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        part, parts = number // len(kinds), len(range(number % len(kinds), count, len(kinds)))
        low, high = max(needed[kind].two_steps, RESERVATIONS * needed[kind].largest), needed[kind].whole
        if low >= high:
            raise ValueError(f"the run needs {high:,.6g} {kind}, no more than the least cap of {low:,.6g}")
        value = low + (high - low) * (part + chance.random()) / parts
        caps.append(Cap(kind, round(value, 6) if kind == "usd" else int(value)))
    return caps


def capped(cap: Cap, size: Size = SIZE, *, reserve: bool = True) -> dict[str, Any]:
    """Run under a cap and return what the provider billed and what was saved.

    Args:
        cap: the cap.
        size: the run's; it must need more than the cap.
        reserve: False runs without reservations.
    """
    caps = {f"max_{cap.kind}": cap.value}
    with server(latency=LATENCY) as provider, environment(provider.base_url) as folder:
        budget = None if reserve else Unreserved(**caps)
        run = train(folder, size, concurrency=CONCURRENCY, budget=budget, **caps)
        billed = spent(provider.stats)[cap.kind]
        saved = _saved(run, folder / "best", size) if reserve else True
    return {
        "kind": cap.kind,
        "cap": cap.value,
        "billed": billed,
        "share": billed / cap.value,
        "status": run.status,
        "steps": len(run.steps),
        "validation": run.val,
        "saved": saved,
        "most at once": provider.stats.peak,
    }


def holds(figures: Mapping[str, Any]) -> bool:
    """Say whether a run was stopped by its cap, under it, near it, and with its best version saved."""
    return figures["status"] == "budget" and LEAST_SPENT <= figures["share"] <= 1.0 and figures["saved"]


def _saved(run: Run[Agent], folder: Path, size: Size) -> bool:
    """Say whether the saved folder loads as the best version and scores what the journal says of it."""
    best = Agent.load(run.save(folder))
    table = rows(size.val, held_out=True)
    outputs = best.batch([{"message": row["message"]} for row in table], student="embedded")
    right = [output[name] == row[name] for row, output in zip(table, outputs, strict=True) for name in ("part", "slot")]
    return run.val is not None and best.version == run.best.version and abs(sum(right) / len(right) - run.val[1]) < 1e-9
