"""Turning the wheel of a served agent from a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agentsym.deploy.evolution.evolution import Evolution, Turn
from agentsym.deploy.policy import Policy
from agentsym.network.network import Network
from agentsym.store.store import Store

Wheel = Callable[..., Evolution]


@pytest.fixture
def wheel(store: Store) -> Wheel:
    """Make the evolution of an agent that is deployed in the store."""

    def make(agent: Network, policy: dict[str, Any] | None = None, **given: Any) -> Evolution:
        sections = {"learning": {"cool_down": 0}, "release": {"canary": 0}, **(policy or {})}
        models = {"student": "embedded", "teacher": "embedded", **given}
        return Evolution(store, agent.name, agent, Policy.model_validate(sections), **models)

    return make


def turned(evolution: Evolution) -> list[Turn]:
    """Turn the wheel until there is nothing to do, and return what was done."""
    done = []
    while (turn := asyncio.run(evolution.turn())).what not in ("waits", "held", "canary", "frozen", "nothing"):
        done.append(turn)
    return [*done, turn]
