"""A deployed agent follows a drift: it is asked and judged over HTTP, and learns from that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evals.deployed.drift import drive
from evals.deployed.world import agent


@pytest.mark.timeout(400)
def test_it_finds_back_and_no_promotion_costs_what_was_right(start: Any, wheel: Any) -> None:
    running = start(agent())
    evolution = wheel(agent())
    header = running.token("invoke", "feedback")
    course = drive(running.client, header, seed=0, turn=lambda: asyncio.run(evolution.turn()))
    assert course.before() > 0.95
    assert min(course.scores[510:550]) == 0.0, "the drift must hurt, or nothing is shown"
    assert course.after(201, 300) >= 0.95 * course.before()
    released = [release for release in running.store.releases.releases("counter") if release.parent is not None]
    promoted = [release for release in released if release.state in ("live", "superseded")]
    assert promoted
    assert all(release.details["shadow"]["gain"]["mean"] >= 0 for release in promoted)
    assert all(release.details["shadow"]["regressions"] == [] for release in promoted)
    assert course.versions[0] != course.versions[-1] == running.store.releases.deployment("counter").live
