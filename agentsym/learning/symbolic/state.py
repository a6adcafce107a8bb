"""`SymbolicState`: what the combined algorithm remembers between two steps."""

from __future__ import annotations

from agentsym.learning.protocols import Proposal, Trial, Tried, Update
from agentsym.learning.state import State
from agentsym.learning.symbolic.changes import node_of, told
from agentsym.learning.symbolic.groups import Group
from agentsym.learning.symbolic.momentum import Momentum
from agentsym.network.network import Network

SAID = 3  # critiques of a node that are told again
TOLD = 5  # edits of a node that did not help, likewise
KEPT = 6  # tries that are remembered of each node and outcome


class SymbolicState(State):
    """Where the combined algorithm stands.

    Attributes:
        groups: failures of the head that are known and not mended yet.
        passing: train rows that pass with the head, as far as is known.
        scans: how often train rows were looked at.
        clean: train rows that were found to pass with the head, since something failed last.
        momentum: what was said of each node, fading.
        pool: version → its validation scores by row, of the Pareto front.
        parents: version → the version that it was made from.
        pending: group → changes of several nodes that did not help together; one of them may be right.
        since: changes accepted since the last version that was validated; empty where the head is such a version.
        sound: that version.
        sound_val: its validation scores, as far as they are known.
        seen: rows of train that `groups` and `passing` speak of.
        validated_rate: share of them that passed when the head was last validated.
        validated_accepts: steps that had been accepted then.
        fruitless: steps in a row in which nothing was accepted.
    """

    groups: tuple[Group, ...] = ()
    passing: tuple[str, ...] = ()
    scans: int = 0
    clean: tuple[str, ...] = ()
    momentum: Momentum = Momentum()
    pool: dict[str, dict[str, float]] = {}
    parents: dict[str, str] = {}
    pending: dict[str, tuple[Update, ...]] = {}
    since: tuple[Update, ...] = ()
    sound: str
    sound_val: dict[str, float] = {}
    seen: int = 0
    validated_rate: float = 0.0
    validated_accepts: int = 0
    fruitless: int = 0

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

    def tried(self, node: str) -> tuple[str, ...]:
        """Return the edits of a node that did not help, the latest last."""
        own = (item for item in self.history.get(node, ()) if item.outcome == "rejected")
        return tuple(item.what for item in own)[-TOLD:]

    def remembering(self, base: Network, proposal: Proposal, trial: Trial) -> dict[str, tuple[Tried, ...]]:
        """Return the history with what became of each change of a step."""
        history = dict(self.history)
        gain = trial.decision.after - trial.decision.before
        for at, update in enumerate(proposal.updates):
            if update.status != "committed" or update.earlier:
                continue
            kept = trial.decision.accept and (trial.kept is None or at in trial.kept)
            node = node_of(update)
            new = Tried(
                step=self.step,
                outcome="accepted" if kept else "rejected",
                what=told(update, base) + ("" if kept else _why_not(trial, at)),
                change=gain if kept else 0.0,
            )
            tried = (*history.get(node, ()), new)
            same = [item for item in tried if item.outcome == new.outcome][:-KEPT]
            history[node] = tuple(item for item in tried if item not in same)
        return history


def _why_not(trial: Trial, at: int) -> str:
    """Say what became of a change that was not kept."""
    return " (it broke what was right)" if at in trial.harmful else " (the failure stayed)"
