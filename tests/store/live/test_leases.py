"""Leases: one holder at a time, until it gives up or gives no sign of life."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from agentsym.store import Store
from agentsym.store.live import leases as module


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", self)

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_of_two_holders_the_first_has_it(store: Store, clock: Clock) -> None:
    assert store.leases.holder("evolve things") is None
    assert store.leases.take("evolve things", "a", 30)
    assert not store.leases.take("evolve things", "b", 30)
    assert store.leases.take("evolve others", "b", 30)
    assert (store.leases.holder("evolve things"), store.leases.holder("evolve others")) == ("a", "b")


def test_it_is_free_when_its_time_is_over_and_not_before(store: Store, clock: Clock) -> None:
    store.leases.take("x", "a", 30)
    clock.now = 1030.0
    assert store.leases.holder("x") == "a" and not store.leases.take("x", "b", 30)
    clock.now = 1030.5
    assert store.leases.holder("x") is None and store.leases.take("x", "b", 30)
    assert store.leases.holder("x") == "b" and not store.leases.take("x", "a", 30)


def test_renewing_makes_it_last(store: Store, clock: Clock) -> None:
    store.leases.take("x", "a", 30)
    clock.now = 1020.0
    assert store.leases.take("x", "a", 30)
    clock.now = 1045.0
    assert not store.leases.take("x", "b", 30)
    clock.now = 1060.0
    assert store.leases.take("x", "a", 30)  # late, but nobody took it meanwhile
    assert store.leases.holder("x") == "a"


def test_only_its_holder_gives_it_back(store: Store, clock: Clock) -> None:
    store.leases.take("x", "a", 30)
    store.leases.drop("x", "b")
    assert store.leases.holder("x") == "a"
    store.leases.drop("x", "a")
    assert store.leases.holder("x") is None and store.leases.take("x", "b", 30)
    store.leases.drop("x", "a")  # it has none any more
    assert store.leases.holder("x") == "b"


def test_of_many_who_reach_for_it_at_once_one_gets_it(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(5):
            got = list(threads.map(lambda me, name=f"x{round_}": store.leases.take(name, str(me), 30), range(8)))
            assert sum(got) == 1 and store.leases.holder(f"x{round_}") == str(got.index(True))
