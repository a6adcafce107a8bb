"""Gates: what a candidate's scores must show before it becomes a version.

Each is a pure function of two score tables over the same rows, so that every decision can be made again from the
journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Literal

from agentsym.errors import UsageError
from agentsym.learning.protocols import Decision, Gate, Scores

Rows = Literal["batch", "val", "must_pass"]
TIE = 1e-9  # bare float means misjudge exact ties: at four rows, one in six


class PaperGate:
    """The paper's rule: keep an edit unless the mean on the current batch drops. Ties keep any harm they hide."""

    looks_at: frozenset[Rows] = frozenset({"batch"})

    def decide(self, before: Scores, after: Scores) -> Decision:
        return _compare(before.batch, after.batch, keep_ties=True)


class StrictGate:
    """Keep an edit only if the mean on the current batch rises."""

    looks_at: frozenset[Rows] = frozenset({"batch"})

    def decide(self, before: Scores, after: Scores) -> Decision:
        return _compare(before.batch, after.batch, keep_ties=False)


class ValidatedGate:
    """The paper's rule on batch and validation rows together, and no must-pass row may go from pass to fail."""

    looks_at: frozenset[Rows] = frozenset({"batch", "val", "must_pass"})

    def decide(self, before: Scores, after: Scores) -> Decision:
        return _must_pass(before, after, _compare(_joined(before), _joined(after), keep_ties=True))


class TolerantGate:
    """Keep an edit unless validation drops by more than one standard error of the paired difference.

    For teachers that read all rows at once: their batch holds the very examples that the prompt shows, so it says
    nothing, and a gate that wants a gain on the same validation rows at every step ends up fitting them.
    """

    looks_at: frozenset[Rows] = frozenset({"val", "must_pass"})

    def decide(self, before: Scores, after: Scores) -> Decision:
        old, new = mean(before.val.values()), mean(after.val.values())
        error = standard_error([after.val[row] - score for row, score in before.val.items()])
        reason = f"validation {_word(old, new)} on {len(before.val)} rows (one standard error: {error:.3f})"
        decision = Decision(accept=new >= old - error - TIE, reason=reason, before=old, after=new)
        return _must_pass(before, after, decision)


class AlwaysGate:
    """Keep every edit: the ablation that shows what a gate is worth."""

    looks_at: frozenset[Rows] = frozenset()

    def decide(self, before: Scores, after: Scores) -> Decision:
        return Decision(accept=True, reason="no gate")


GATES: Mapping[str, type[Gate]] = {
    "paper": PaperGate,
    "strict": StrictGate,
    "validated": ValidatedGate,
    "tolerant": TolerantGate,
    "always": AlwaysGate,
}


def gate_named(name: str) -> Gate:
    """Return a gate by its name."""
    if name not in GATES:
        raise UsageError(f"there is no gate {name!r}; there are: {', '.join(GATES)}")
    return GATES[name]()


def mean(values: Iterable[float]) -> float:
    """Return the mean, 0.0 of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _compare(before: Mapping[str, float], after: Mapping[str, float], *, keep_ties: bool) -> Decision:
    """Compare paired means; a row that the candidate has no score for counts 0."""
    old, new = mean(before.values()), mean(after.get(row, 0.0) for row in before)
    accept = new >= old - TIE if keep_ties else new > old + TIE
    return Decision(accept=accept, reason=f"the score {_word(old, new)} on {len(before)} rows", before=old, after=new)


def _word(old: float, new: float) -> str:
    return "rises" if new > old + TIE else "drops" if new < old - TIE else "stays"


def standard_error(differences: Sequence[float]) -> float:
    """Return the standard error of the mean of paired differences; 0 for fewer than two."""
    count = len(differences)
    if count < 2:
        return 0.0
    middle = mean(differences)
    return sqrt(sum((difference - middle) ** 2 for difference in differences) / (count - 1) / count)


def _must_pass(before: Scores, after: Scores, decision: Decision) -> Decision:
    """Turn a decision down where a row that must pass goes from pass to fail."""
    lost = [row for row, score in before.must_pass.items() if _passes(score) and not _passes(after.must_pass[row])]
    if not lost:
        return decision
    reason = f"{len(lost)} must-pass rows would fail: {', '.join(sorted(lost)[:3])}"
    return decision.model_copy(update={"accept": False, "reason": reason})


def _joined(scores: Scores) -> dict[str, float]:
    return {
        **{f"batch/{row}": s for row, s in scores.batch.items()},
        **{f"val/{row}": s for row, s in scores.val.items()},
    }


def _passes(score: float) -> bool:
    return score >= 1.0 - TIE
