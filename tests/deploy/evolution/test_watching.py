"""Watching: one process of several is at it, and another takes over when that one gives no sign of life."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentsym.deploy.beginning import begin
from agentsym.deploy.evolution import watching
from agentsym.deploy.evolution.evolution import Evolution, Turn
from agentsym.deploy.evolution.watching import holder, turn_once, watch
from agentsym.deploy.policy import Policy
from agentsym.errors import AgentsymError, ConflictError, StoreError
from agentsym.store.store import Store
from tests.deploy.conftest import things

HOLDER = """
import sys, time
from agentsym.store import Store
with Store.open(sys.argv[1]) as store:
    assert store.leases.take("evolve things", "the first", float(sys.argv[2]))
    print("has it", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def evolution(store: Store) -> Evolution:
    begin(store, "things", things, actor="test")
    return Evolution(store, "things", things, Policy(), student="embedded", teacher="embedded")


async def test_a_turn_takes_the_lease_and_gives_it_back(evolution: Evolution) -> None:
    turn = await turn_once(evolution, "me")
    assert turn is not None and turn.what == "waits"
    assert evolution.store.leases.holder("evolve things") is None


async def test_while_another_process_is_at_it_nothing_is_done(evolution: Evolution) -> None:
    evolution.store.leases.take("evolve things", "other", 30)
    assert await turn_once(evolution, "me") is None
    assert evolution.store.leases.holder("evolve things") == "other"


async def test_a_process_that_died_is_replaced(evolution: Evolution) -> None:
    seconds = 2.0
    command = [sys.executable, "-c", HOLDER, str(evolution.store.path), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as first:
        assert first.stdout is not None and first.stdout.readline() == "has it\n"
        taken = time.monotonic()
        assert await turn_once(evolution, "second") is None
        first.send_signal(signal.SIGKILL)
    while await turn_once(evolution, "second") is None:
        assert time.monotonic() < taken + 20
        await asyncio.sleep(0.05)
    assert time.monotonic() - taken > seconds / 2


async def test_the_lease_is_renewed_while_a_turn_lasts(evolution: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LEASE", 0.6)

    async def long(self: Evolution) -> Turn:
        for _ in range(30):
            await asyncio.sleep(0.05)
            assert not self.store.leases.take("evolve things", "other", 30)
        return Turn(what="nothing")

    monkeypatch.setattr(Evolution, "turn", long)
    turn = await turn_once(evolution, "me")
    assert turn is not None and turn.what == "nothing"
    assert evolution.store.leases.take("evolve things", "other", 30)


async def test_who_was_slower_waits(evolution: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(self: Evolution) -> Turn:
        raise ConflictError("things: another one was faster")

    monkeypatch.setattr(Evolution, "turn", late)
    assert await turn_once(evolution, "me") == Turn(what="waits", reason="things: another one was faster")


async def test_the_lease_is_given_back_when_a_turn_fails(evolution: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: Evolution) -> Turn:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Evolution, "turn", fails)
    with pytest.raises(StoreError):
        await turn_once(evolution, "me")
    assert evolution.store.leases.holder("evolve things") is None


def scripted(monkeypatch: pytest.MonkeyPatch, *turns: Turn | Exception) -> list[float]:
    """Let the next turns go like that; returns the list of the moments in which they were made."""
    begun: list[float] = []

    async def turn(self: Evolution) -> Turn:
        begun.append(time.monotonic())
        found = turns[min(len(begun), len(turns)) - 1]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Evolution, "turn", turn)
    return begun


async def watched(
    evolution: Evolution, number: int, told: Callable[[Any], None] = pytest.fail, every: float = 0.5
) -> list[str]:
    seen: list[str] = []
    turns = watch(evolution, every=every, told=told)
    async for turn in turns:
        seen.append(turn.what)
        if len(seen) == number:
            break
    await turns.aclose()
    return seen


async def test_a_turn_that_did_something_is_followed_by_the_next_at_once(
    evolution: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    whats: Any = ("rejected", "held", "canary", "promoted", "rolled_back", "waits")
    scripted(monkeypatch, *(Turn(what=what) for what in whats))
    assert await watched(evolution, len(whats), every=600) == list(whats)


@pytest.mark.parametrize("what", ["waits", "frozen", "nothing"])
async def test_a_turn_that_had_nothing_to_do_is_followed_by_a_pause(
    evolution: Evolution, monkeypatch: pytest.MonkeyPatch, what: Any
) -> None:
    begun = scripted(monkeypatch, Turn(what=what))
    assert await watched(evolution, 2) == [what] * 2 and begun[1] - begun[0] >= 0.5


async def test_an_error_ends_a_turn_and_not_the_watch(evolution: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[AgentsymError] = []
    begun = scripted(monkeypatch, StoreError("the disk is full"), Turn(what="waits"))
    assert await watched(evolution, 1, errors.append) == ["waits"]
    assert [str(error) for error in errors] == ["the disk is full"] and begun[1] - begun[0] >= 0.5


def test_no_two_processes_have_one_name() -> None:
    assert holder() != holder() and str(os.getpid()) in holder()
