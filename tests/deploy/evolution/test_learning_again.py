"""When a deployed agent learns again: which feedback is used up, what the cool-down counts from, what a freeze stops.

What a learning run itself does is no matter here, so a double stands in for it that says what came of the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agentsym.deploy.evolution import evolution as module
from agentsym.network.network import Network
from evals.deployed.world import agent
from tests.deploy.conftest import eventually
from tests.deploy.evolution.test_release import asks, compared, live, serves, taught

Runs = list[Network]


@pytest.fixture
def learns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runs]:
    """Let learning runs find a version (None: the one that they began with); the list holds what they began with."""

    def learns(found: Network | None = None, status: str = "done", meanwhile: Callable[[], Any] = lambda: None) -> Runs:
        begun: Runs = []

        async def double(store: Any, name: str, base: Network, *_: Any) -> Any:
            begun.append(base)
            meanwhile()
            return SimpleNamespace(id=f"run{len(begun)}", status=status, reason="a double"), found or base

        monkeypatch.setattr(module, "learn", double)
        return begun

    return learns


def test_feedback_that_a_policy_made_nothing_of_is_there_for_another_one(start: Any, wheel: Any, learns: Any) -> None:
    running, begun = start(agent()), learns(status="failed")
    asks(running, 150, seed=1)
    evolution = wheel(agent())
    turn = asyncio.run(evolution.turn())
    assert turn.what == "nothing" and turn.reason.startswith("run run1 found nothing better")
    assert asyncio.run(evolution.turn()).what == "waits" and len(begun) == 1
    stubbed = wheel(agent(), {"shadow": {"stubs": {"mail": "sent"}}})
    assert asyncio.run(stubbed.turn()).reason.startswith("run run2 found nothing better")
    assert asyncio.run(stubbed.turn()).what == "waits" and len(begun) == 2


def test_what_is_learned_while_learning_is_frozen_is_dropped_and_learned_later(
    start: Any, wheel: Any, learns: Any
) -> None:
    running = start(agent())
    releases = running.store.releases
    begun = learns(taught(agent()), meanwhile=lambda: releases.freeze("counter", True, actor="Ann"))
    asks(running, 150, seed=1)
    evolution = wheel(agent())
    turn = asyncio.run(evolution.turn())
    assert turn.what == "frozen" and "frozen meanwhile" in turn.reason
    assert len(releases.releases("counter")) == 1 and len(begun) == 1
    releases.freeze("counter", False, actor="Ann")
    learns(taught(agent()))
    assert asyncio.run(evolution.turn()).version == taught(agent()).version


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_nothing_goes_live_once_learning_is_frozen(start: Any, wheel: Any, share: float) -> None:
    running, evolution = start(agent()), wheel(agent(), {"release": {"canary": share}})
    releases, better = running.store.releases, taught(agent())
    asks(running, 120, seed=1)
    release = compared(running, releases.propose("counter", better, parent=agent().version, actor="test"))
    compare = evolution.compare

    async def frozen_meanwhile(*versions: str) -> Any:
        releases.freeze("counter", True, actor="Ann")
        return await compare(*versions)

    evolution.compare = frozen_meanwhile
    assert asyncio.run(evolution.turn()).what == "frozen"
    assert live(running) == agent().version and releases.deployment("counter").canary is None
    releases.promote(release, expected=agent().version, actor="Ann", reason="a person may")
    assert live(running) == better.version


def test_the_cool_down_does_not_begin_anew_with_a_freeze(start: Any, wheel: Any, learns: Any) -> None:
    running, begun = start(agent()), learns()
    evolution = wheel(agent(), {"learning": {"cool_down": 3600}})
    asks(running, 150, seed=1)
    for frozen in (True, False):
        running.store.releases.freeze("counter", frozen, actor="Ann")
    assert "nothing better" in asyncio.run(evolution.turn()).reason
    asks(running, 150, seed=2)
    assert "the cool-down ends in" in asyncio.run(evolution.turn()).reason and len(begun) == 1


def test_the_cool_down_counts_from_a_take_over(start: Any, wheel: Any, learns: Any) -> None:
    running, begun = start(agent()), learns()
    other = agent().replace(description="another one")
    running.store.releases.take("counter", other, expected=agent().version, actor="Ann")
    evolution = wheel(other, {"learning": {"cool_down": 3600}})
    eventually(lambda: serves(running, other.version))
    asks(running, 150, seed=1)
    assert "the cool-down ends in" in asyncio.run(evolution.turn()).reason and begun == []
