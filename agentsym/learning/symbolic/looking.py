"""Looking for failures: which rows of train are run next, and what their runs tell of the head.

Known failures are looked at through the rows that stand for them; rows that nobody has seen come when there are none,
or when all that are known were tried in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.symbolic.gates import spread
from agentsym.learning.symbolic.groups import chosen, grouped, is_failing
from agentsym.learning.symbolic.mend import right_visits
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.symbolic.rng import draw
from agentsym.learning.symbolic.state import SymbolicState
from agentsym.learning.training import Training
from agentsym.network.canonical import canonical_json
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)
TRIES = 2  # of a failure, before unseen rows are looked at


class Looking(Generic[N]):
    """Chooses rows of train and takes note of what their runs say.

    Args:
        training: the rows.
        recipe: how many failures a step answers, and how many rows must hold.
    """

    def __init__(self, training: Training[N], recipe: Recipe) -> None:
        self._training, self._recipe = training, recipe
        self._rows = {row.id: row for row in training.sets.train}

    def rows(self, state: SymbolicState) -> tuple[Row, ...]:
        """Return the rows to run: those that stand for known failures, else the next rows of train."""
        if self.knows_failures(state):
            ids = [group.representative for group in chosen(state.groups, self._recipe.groups)]
            return tuple(self._rows[row] for row in dict.fromkeys(ids))
        return self._training.parts.sampler.batch(self._training.sets.train, state.scans)

    def knows_failures(self, state: SymbolicState) -> bool:
        """Whether there are failures worth another try; where all were tried in vain, unseen rows come first."""
        fresh = any(group.tried < TRIES for group in state.groups)
        return fresh or (bool(state.groups) and state.seen >= len(self._training.sets.train))

    def after(self, state: SymbolicState, evidence: Sequence[Evidence]) -> SymbolicState:
        """Take note of what passes and what fails with the head."""
        passed = [item.row.id for item in evidence if not is_failing(item)]
        failed = [item.row.id for item in evidence if is_failing(item)]
        passing = [row for row in state.passing if row not in failed]
        changes: dict[str, object] = {
            "passing": tuple(dict.fromkeys((*passing, *passed))),
            "right": right_visits(state.right, (item for item in evidence if not is_failing(item))),
        }
        if self.knows_failures(state):  # what passes now was mended by what was accepted for another failure
            groups = [group for group in state.groups if group.representative not in passed]
            return state.model_copy(update={**changes, "groups": tuple(groups)})
        left = [group for group in state.groups if not set(group.rows) & {*passed, *failed}]
        changes |= {
            "groups": (*left, *grouped(evidence, state.groups)),
            "scans": state.scans + 1,
            "seen": min(state.seen + len(evidence), len(self._training.sets.train)) if state.groups else len(evidence),
            "clean": () if failed else tuple(dict.fromkeys((*state.clean, *passed))),
        }
        looked = state.model_copy(update=changes)
        if state.validated_rate < 0:
            looked = looked.model_copy(update={"validated_rate": looked.rate})
        held_out = self._training.held_out()  # where there is nothing, what was seen of train counts
        return looked if held_out["val"] else looked.model_copy(update={"best_score": looked.rate})

    def must_hold(self, state: SymbolicState) -> tuple[Row, ...]:
        """Return rows that pass: of train some of every kind of right answer, and as many that must pass."""
        order = draw(self._training.settings.seed, state.step, "regression")
        passing = [self._rows[row] for row in state.passing]
        order.shuffle(passing)
        guarded = [row for row in self._training.sets.must_pass if state.must_pass.get(row.id, 0.0) >= PERFECT]
        order.shuffle(guarded)
        strata = {row.id: canonical_json(row.expected) for row in (*passing, *guarded)}
        most = self._recipe.regression
        return (*spread(passing, strata, most), *spread(guarded, strata, most))
