"""Gates: what a candidate's scores must show before it becomes a version.

Each is a pure function of two score tables over the same rows, so that every decision can be made again from the
journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from agentsym.errors import UsageError
from agentsym.learning.protocols import Decision, Gate, Scores

Rows = Literal["batch", "val", "must_pass"]
TIE = 1e-9  # bare float means misjudge exact ties: at four rows, one in six


class PaperGate:
    """The paper's rule: keep an edit unless the mean on the current batch drops. Ties are kept, with any harm in them."""

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
        lost = [row for row, score in before.must_pass.items() if _passes(score) and not _passes(after.must_pass[row])]
        decision = _compare(_joined(before), _joined(after), keep_ties=True)
        if lost:
            reason = f"{len(lost)} must-pass rows would fail: {', '.join(sorted(lost)[:3])}"
            return decision.model_copy(update={"accept": False, "reason": reason})
        return decision


class AlwaysGate:
    """Keep every edit: the ablation that shows what a gate is worth."""

    looks_at: frozenset[Rows] = frozenset()

    def decide(self, before: Scores, after: Scores) -> Decision:
        return Decision(accept=True, reason="no gate")


GATES: Mapping[str, type[Gate]] = {
    "paper": PaperGate,
    "strict": StrictGate,
    "validated": ValidatedGate,
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
    word = "rises" if new > old + TIE else "drops" if new < old - TIE else "stays"
    return Decision(accept=accept, reason=f"the score {word} on {len(before)} rows", before=old, after=new)


def _joined(scores: Scores) -> dict[str, float]:
    return {
        **{f"batch/{row}": s for row, s in scores.batch.items()},
        **{f"val/{row}": s for row, s in scores.val.items()},
    }


def _passes(score: float) -> bool:
    return score >= 1.0 - TIE
