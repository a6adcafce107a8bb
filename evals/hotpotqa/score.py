"""Exact match and F1 as HotPotQA defines them, so that figures can stand beside published ones.

agentsym's own `exact` and `f1` tell C from C++ and 1.5 from 15, which this benchmark takes for the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentsym.learning.metrics import normalise, word_f1
from agentsym.learning.protocols import Verdict
from agentsym.learning.run import Tested


def exact_match(wanted: str, given: str) -> float:
    """Return 1 if two answers are equal once normalised, else 0."""
    return float(normalise(wanted) == normalise(given))


def hotpotqa(row: Mapping[str, Any], output: Mapping[str, Any]) -> Verdict:
    """Score an answer by F1; the parts have `em` too."""
    wanted, given = str(row["answer"]), str(output.get("answer", ""))
    em, f1 = exact_match(wanted, given), word_f1(wanted, given)
    text = f"The answer {given!r} is right." if em else f"Wanted was {wanted!r}, given was {given!r} (F1 {f1:.2f})."
    return Verdict(score=f1, parts={"em": em, "f1": f1}, text=text)


def figures(tested: Tested, samples: int) -> dict[str, tuple[float, float]]:
    """Return EM and F1 in percent, before and after."""
    before, after = tested.metrics_before, tested.metrics_after
    return {name.upper(): (100 * before.get(name, 0.0), 100 * after.get(name, 0.0)) for name in ("em", "f1")}
