"""What was tried against a failure in vain, so that nobody blames or mends the same way again.

An attempt is remembered with what became of it, since "it did not help" alone teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentsym.learning.merge import shorten
from agentsym.learning.protocols import Proposal, Trial, Update
from agentsym.learning.symbolic.changes import node_of, told
from agentsym.learning.symbolic.mend import Case
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network

KEPT = 8  # of each group
OUTCOME = 200  # characters


class Attempt(Frozen):
    """A change that did not help: of which node, what it did, and what came of it."""

    node: str
    did: str
    outcome: str

    @property
    def what(self) -> str:
        """The change and what came of it."""
        return f"{self.did} ({self.outcome})"

    def __str__(self) -> str:
        return f"{self.node}: {self.what}"


Attempts = Mapping[str, tuple[Attempt, ...]]


def attempted(
    known: Attempts, base: Network, proposal: Proposal, trial: Trial, cases: Sequence[Case]
) -> dict[str, tuple[Attempt, ...]]:
    """Add what a step tried in vain: of each failure that stayed, the changes that were for it."""
    made = dict(known)
    for case in cases:
        for at, update in enumerate(proposal.updates):
            if update.status == "committed" and not update.earlier and case.id in update.groups:
                kept = trial.decision.accept and at in (trial.kept or ())
                if not kept:
                    _add(made, case.group.key, base, update, _outcome(trial, at, case.id))
    return made


def taken_back(known: Attempts, base: Network, changes: Iterable[Update]) -> dict[str, tuple[Attempt, ...]]:
    """Add changes that validation has taken back; their groups are keys."""
    made = dict(known)
    for update in changes:
        for key in update.groups:
            _add(made, key, base, update, "it broke what was right on other inputs")
    return made


def _add(made: dict[str, tuple[Attempt, ...]], key: str, base: Network, update: Update, outcome: str) -> None:
    new = Attempt(node=node_of(update), did=told(update, base), outcome=outcome)
    made[key] = (*(item for item in made.get(key, ()) if (item.node, item.did) != (new.node, new.did)), new)[-KEPT:]


def _outcome(trial: Trial, at: int, case: str) -> str:
    if at in trial.harmful:
        return "it broke what was right"
    said = trial.said.get(case, "")
    return "the failure stayed" + (f": {shorten(' '.join(said.split()), OUTCOME)}" if said else "")
