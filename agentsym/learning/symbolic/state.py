"""`SymbolicState`: what the combined algorithm remembers between two steps."""

from __future__ import annotations

from collections.abc import Sequence

from agentsym.learning.protocols import Update
from agentsym.learning.state import State
from agentsym.learning.symbolic.attempts import Attempt
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.symbolic.momentum import Momentum

SAID = 3  # critiques of a node that are told again
TOLD = 5  # edits that did not help, likewise


class SymbolicState(State):
    """Where the combined algorithm stands.

    Attributes:
        groups: failures of the head that are known and not mended yet.
        passing: train rows that pass with the head, as far as is known.
        scans: how often train rows were looked at.
        clean: train rows that were found to pass with the head, since something failed last.
        attempts: group → what was tried against its failures in vain, the latest last.
        right: node → visits that were right, as `inputs => outputs`.
        momentum: what was said of each node, fading.
        pool: version → its validation scores by row, of the Pareto front.
        parents: version → the version that it was made from.
        pending: group → changes of several nodes that did not help together; one of them may be right.
        since: changes accepted since the last version that was validated; empty where the head is such a version.
        sound: that version.
        sound_val: its validation scores, as far as they are known.
        seen: rows of train that `groups` and `passing` speak of.
        validated_rate: share of them that passed when the head was last validated; negative where nobody knows.
        validated_accepts: steps that had been accepted then.
        fruitless: steps in a row in which nothing was accepted.
    """

    groups: tuple[Group, ...] = ()
    passing: tuple[str, ...] = ()
    scans: int = 0
    clean: tuple[str, ...] = ()
    attempts: dict[str, tuple[Attempt, ...]] = {}
    right: dict[str, tuple[str, ...]] = {}
    momentum: Momentum = Momentum()
    pool: dict[str, dict[str, float]] = {}
    parents: dict[str, str] = {}
    pending: dict[str, tuple[Update, ...]] = {}
    since: tuple[Update, ...] = ()
    sound: str
    sound_val: dict[str, float] = {}
    seen: int = 0
    validated_rate: float = -1.0
    validated_accepts: int = 0
    fruitless: int = 0

    def moved_to(self, head: str) -> SymbolicState:
        """Go on with another version, of which nothing is known; its failures have to be looked for."""
        unknown = {"groups": (), "passing": (), "clean": (), "seen": 0, "validated_rate": -1.0}
        return self.model_copy(update={"head": head, **unknown})

    @property
    def finalists(self) -> tuple[str, ...]:
        """The best version, and those of the Pareto front."""
        return (self.best, *self.pool)

    @property
    def unvalidated(self) -> bool:
        """Whether something was accepted that validation has not seen."""
        return bool(self.since)

    @property
    def rate(self) -> float:
        """Share of the train rows that pass with the head, as far as is known."""
        return 1.0 - sum(len(group.rows) for group in self.groups) / max(1, self.seen)

    def before(self, node: str) -> tuple[str, ...]:
        """Return what was said of a node most, in the steps until now."""
        return tuple(text for text, _ in self.momentum.of(node))[:SAID]

    def tried(self, node: str, cases: Sequence[Case]) -> tuple[str, ...]:
        """Return what was tried at a node against some failures in vain, the latest last."""
        attempts = (attempt for case in cases for attempt in self.attempts.get(case.group.key, ()))
        own = {attempt.did: attempt.what for attempt in attempts if attempt.node == node}
        return tuple(own.values())[-TOLD:]
