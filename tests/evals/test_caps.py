"""Caps hold by the provider's own books, and they hold because calls reserve what they may use."""

from __future__ import annotations

import asyncio

import pytest

from agentsym.errors import BudgetExceeded
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.protocol import Request
from agentsym.models.resolve import resolve
from agentsym.network.records import Message
from evals.caps.experiment import CONCURRENCY, KINDS, RESERVATIONS, Need, Unreserved, capped, draw, holds, needs
from evals.clients.world import KEY, Size, environment
from evals.openai_server import Server

SMALL = Size(train=24, val=16, batch=8, steps=11)


def test_a_run_under_a_cap_stays_under_it_spends_most_of_it_and_saves_its_best() -> None:
    needed = needs(SMALL)
    for cap in draw(3, needed):
        figures = capped(cap, SMALL)
        assert holds(figures), figures


@pytest.mark.parametrize(("kind", "sent"), [(Budget, 10), (Unreserved, CONCURRENCY)])
async def test_without_reservations_calls_that_run_at_once_go_over_a_cap_together(
    kind: type[Budget], sent: int
) -> None:
    async with Server(lambda body: "yes", latency=0.02, key=KEY) as provider:
        with environment(provider.base_url):
            model, door = resolve("openai/student"), Door(concurrency=CONCURRENCY, budget=kind(max_calls=10))
            requests = [Request(messages=(Message(role="user", content=str(at)),)) for at in range(CONCURRENCY)]
            done = await asyncio.gather(
                *(door.complete(model, request, phase="forward") for request in requests), return_exceptions=True
            )
    assert provider.stats.requests == sent
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in done) == CONCURRENCY - sent


def test_caps_are_spread_over_what_lies_between_the_first_steps_and_the_whole_run() -> None:
    needed = {kind: Need(two_steps=200, whole=1000, largest=30) for kind in KINDS}
    caps = draw(20, needed)
    assert caps == draw(20, needed) and len({cap.kind for cap in caps}) == len(KINDS)
    for kind in KINDS:
        values = [cap.value for cap in caps if cap.kind == kind]
        assert all(30 * RESERVATIONS <= value <= 1000 for value in values)
        assert min(values) < 450 and max(values) > 850
    with pytest.raises(ValueError, match="no more than the least cap"):
        draw(1, {kind: Need(two_steps=200, whole=250, largest=30) for kind in KINDS})
