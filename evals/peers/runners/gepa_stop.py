"""GEPA's stop rule for this comparison: a validation score of the target, or the cap on steps (or on rollouts)."""

from __future__ import annotations

from typing import Any

from gepa.utils import ScoreThresholdStopper

from evals.peers.assignment import STEPS, TARGET


class Stop:
    """Says after each step whether it was the last one."""

    def __init__(self) -> None:
        self._target = ScoreThresholdStopper(TARGET)
        self.why = "the cap on rollouts"

    def __call__(self, state: Any) -> bool:
        steps = state.i + 1
        if self._target(state):
            self.why = f"target after {steps} steps"
        elif steps >= STEPS:
            self.why = f"{STEPS} steps"
        else:
            return False
        return True
