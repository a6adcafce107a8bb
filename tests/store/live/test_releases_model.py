"""Releases against a plain model: whatever is asked in whatever order, store and model say the same.

The model is written from the description of the states, not from the code, and what was read once may be acted on
later, when it is stale.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agentsym.errors import AgentsymError, ConflictError, UsageError
from agentsym.store import Store
from agentsym.store.live.lifecycle import Release
from tests.store.live.versions import VERSIONS

FOLLOWS = {
    "draft": {"validated"},
    "validated": {"shadow"},
    "shadow": {"held", "canary", "live"},
    "held": {"canary", "live"},
    "canary": {"live"},
}
STATES = [*FOLLOWS, "live", "superseded", "rolled_back", "rejected"]
OPEN, LIVE = -1, -2
versions = st.integers(0, len(VERSIONS) - 1)
candidates = st.just(OPEN) | versions
"""The open candidate half of the time, else any version; so most changes are legal, and many are not."""
bases = st.just(LIVE) | versions
names = count()


class Model(RuleBasedStateMachine):
    """One deployment, and what it must be."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.name = f"things{next(names)}"
        self.states: dict[int, str] = {0: "live"}
        self.live, self.source, self.canary, self.frozen = 0, 0, None, False
        self.generation, self.changes = 1, 0
        self.read: dict[int, Release] = {}

    @initialize()
    def begin(self) -> None:
        self.store.releases.begin(self.name, VERSIONS[0], actor="test")
        self.changes = 1
        self.look()

    def number(self, drawn: int) -> int:
        """Return the version that was drawn."""
        opened = [number for number, state in self.states.items() if state in FOLLOWS]
        return self.live if drawn == LIVE else drawn if drawn != OPEN else opened[0] if opened else 0

    @rule()
    def look(self) -> None:
        """Read all releases; what is done later may rest on it."""
        known = {VERSIONS[number].version: number for number in self.states}
        self.read = {known[release.version]: release for release in self.store.releases.releases(self.name)}

    def outcome(self, problem: type[AgentsymError] | None, change: Any) -> bool:
        """Whether a change is made, as it must be; where it is refused, it is for the right reason."""
        try:
            change()
        except AgentsymError as error:
            assert problem is not None and type(error) is problem, error
            return False
        assert problem is None
        self.changes += 1
        return True

    @rule(number=versions, parent=bases)
    def propose(self, number: int, parent: int) -> None:
        parent = self.number(parent)
        opened = any(state in FOLLOWS for state in self.states.values())
        refused = parent != self.live or opened or number in self.states
        if self.outcome(
            ConflictError if refused else None,
            lambda: self.store.releases.propose(
                self.name, VERSIONS[number], parent=VERSIONS[parent].version, actor="test"
            ),
        ):
            self.states[number] = "draft"

    @rule(way=st.lists(st.integers(0, 3), min_size=1, max_size=5))
    def advance(self, way: list[int]) -> None:
        """Bring the open candidate some steps on, or propose one: what chance alone hardly does."""
        for turn in way:
            self.look()
            number = self.number(OPEN)
            state = self.states[number]
            if state not in FOLLOWS:
                free = [each for each in range(len(VERSIONS)) if each not in self.states]
                if free:
                    self.propose(free[0], LIVE)
                continue
            ways = sorted(FOLLOWS[state])
            to = ways[turn % len(ways)]
            if to == "live":
                self.promoted(number, self.live)
            else:
                self.moved(number, to)

    @rule(drawn=candidates, to=st.sampled_from(STATES), fresh=st.booleans())
    def move(self, drawn: int, to: Any, fresh: bool) -> None:
        if fresh:
            self.look()
        self.moved(self.number(drawn), to)

    def moved(self, number: int, to: Any) -> None:
        """Move a version from the state in which it was read."""
        if number not in self.read:
            return
        release = self.read[number]
        legal = to != "live" and to in FOLLOWS.get(release.state, set()) | (
            {"rejected"} if release.state in FOLLOWS else set()
        )
        stale = self.states[number] != release.state
        problem = UsageError if not legal else ConflictError if stale else None
        if self.outcome(problem, lambda: self.store.releases.move(release, to, actor="test", reason="so", share=0.25)):
            self.states[number] = to
            if "canary" in (to, release.state):
                self.canary = number if to == "canary" else None
                self.generation += 1

    @rule(drawn=candidates, expected=bases, fresh=st.booleans())
    def promote(self, drawn: int, expected: int, fresh: bool) -> None:
        if fresh:
            self.look()
        self.promoted(self.number(drawn), self.number(expected))

    def promoted(self, number: int, expected: int) -> None:
        """Promote a version from the state in which it was read."""
        if number not in self.read:
            return
        release = self.read[number]
        stale = self.states[number] != release.state or expected != self.live
        problem = UsageError if "live" not in FOLLOWS.get(release.state, ()) else ConflictError if stale else None
        if self.outcome(
            problem,
            lambda: self.store.releases.promote(
                release, expected=VERSIONS[expected].version, actor="test", reason="better"
            ),
        ):
            self.states[self.live], self.states[number] = "superseded", "live"
            self.point(number)

    @rule(expected=bases, to=versions)
    def roll_back(self, expected: int, to: int) -> None:
        expected = self.number(expected)
        problem = (
            UsageError if self.states.get(to) != "superseded" else ConflictError if expected != self.live else None
        )
        if self.outcome(
            problem,
            lambda: self.store.releases.roll_back(
                self.name, expected=VERSIONS[expected].version, to=VERSIONS[to].version, actor="test", reason="worse"
            ),
        ):
            self.states[self.live], self.states[to] = "rolled_back", "live"
            self.point(to)

    @rule(number=versions, expected=bases)
    def take(self, number: int, expected: int) -> None:
        expected = self.number(expected)
        blocked = self.states.get(number) in ("rolled_back", "rejected")
        problem = UsageError if blocked else ConflictError if expected != self.live else None
        if self.outcome(
            problem,
            lambda: self.store.releases.take(
                self.name, VERSIONS[number], expected=VERSIONS[expected].version, actor="test"
            ),
        ):
            if number != self.live:
                self.states[self.live] = "superseded"
            self.states[number] = "live"
            self.source = number
            self.point(number)

    @rule(frozen=st.booleans())
    def freeze(self, frozen: bool) -> None:
        assert self.outcome(None, lambda: self.store.releases.freeze(self.name, frozen, actor="test"))
        self.frozen = frozen
        self.generation += 1

    def point(self, live: int) -> None:
        """Another version is live; servers must know, and no canary answers any more."""
        self.live, self.canary = live, None
        self.generation += 1

    @invariant()
    def store_and_model_agree(self) -> None:
        found = self.store.releases.deployment(self.name)
        if found is None:
            return
        assert (found.live, found.source) == (VERSIONS[self.live].version, VERSIONS[self.source].version)
        assert found.canary == (None if self.canary is None else VERSIONS[self.canary].version)
        assert found.share == (0.0 if self.canary is None else 0.25)
        assert (found.frozen, found.generation) == (self.frozen, self.generation)
        states = {release.version: release.state for release in self.store.releases.releases(self.name)}
        assert states == {VERSIONS[number].version: state for number, state in self.states.items()}
        assert sum(state == "live" for state in states.values()) == 1

    def teardown(self) -> None:
        """Every change has its entry, and nothing that was refused has one."""
        objects = {self.name, *(f"{self.name}@{each.version}" for each in VERSIONS)}
        entries = [entry for entry in self.store.audit.entries(most=100_000) if entry.object_id in objects]
        assert len(entries) == self.changes


def test_whatever_is_asked_store_and_model_say_the_same(store: Store) -> None:
    run_state_machine_as_test(
        lambda: Model(store),
        settings=settings(
            max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert store.audit.verify() is not None and not hasattr(store.audit.verify(), "problem")
