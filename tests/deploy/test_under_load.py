"""A served agent under load, a process of its own: versions change, it is restarted and killed, and nothing is lost."""

from __future__ import annotations

import sys

import pytest

from evals.deployed.kills import kills
from evals.deployed.memory import memory
from evals.deployed.story import story

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.timeout(400),  # processes that start, on a machine that may be busy
]


def test_a_promotion_and_a_restart_under_load_lose_no_request_and_mix_no_versions() -> None:
    found = story(pause=0.7, concurrency=8, promotions=1)
    assert found["wrong"] == {}
    assert found["versions"] == 2
    assert found["under way at a change"] > 0
    assert found["answered"] > 20


@pytest.mark.slow
def test_three_promotions_and_a_rollback_under_load() -> None:
    found = story(pause=1.0, concurrency=16)
    assert found["wrong"] == {}
    assert found["versions"] == 4


@pytest.mark.slow
def test_what_clients_were_told_of_survives_kills() -> None:
    found = kills(3, concurrency=8)
    assert found["wrong"] == {}
    assert found["traces"] > 20 and found["feedback"] > 10


@pytest.mark.slow
def test_a_server_holds_no_more_memory_the_more_it_has_answered() -> None:
    found = memory(4000)
    assert [row["requests"] for row in found["marks"]] == [0, 200, 1000, 2000, 4000]
    assert found["growth_mib"] < 10
