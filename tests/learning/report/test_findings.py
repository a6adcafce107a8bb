"""What weakens a result or makes it dear is said, and only where it is so."""

from typing import Any

import pytest

from agentsym.learning.report.findings import FEW, findings, verdict
from agentsym.learning.report.reading import Report
from agentsym.models.ledger import Ledger
from agentsym.network.records import Usage
from tests.learning.symbolic.world import agent


def said(report: Report, **tested: Any) -> str:
    """Return what is worth a look, with other figures of the final comparison."""
    assert report.run.tested is not None
    scores = {"rows": "test", "before": (0.5,) * FEW, "after": (0.5,) * FEW}
    report.run.tested = report.run.tested.model_copy(update={**scores, **tested})
    return "\n".join(findings(report))


def test_of_a_sound_result_nothing_is_said(small: Report) -> None:
    assert said(small) == ""


def test_few_rows_and_rows_of_validation_are_named(small: Report) -> None:
    assert "Only 49 rows were scored" in said(small, before=(0.5,) * (FEW - 1), after=(0.5,) * (FEW - 1))
    assert "There were no test rows" in said(small, rows="val")


def test_rows_that_became_worse_are_counted_beside_those_that_became_better(small: Report) -> None:
    before, after = (0.0,) * 3 + (1.0,) * 2 + (0.5,) * FEW, (1.0,) * 3 + (0.0,) * 2 + (0.5,) * FEW
    assert said(small, before=before, after=after) == "3 rows became better, 2 worse."
    assert said(small, before=after[:3] + (0.5,) * FEW, after=after[:3] + (1.0,) * FEW) == ""


def test_labels_that_are_answered_rightly_less_often_are_named(small: Report) -> None:
    before = {"team": {"a": {"a": 5}, "b": {"a": 2, "b": 3}, "c": {"c": 1}}}
    after = {"team": {"a": {"a": 2, "b": 3}, "b": {"b": 5}, "c": {"c": 1}, "new": {"a": 1}}}
    text = said(small, confusion_before=before, confusion_after=after)
    assert text == "Of team, some labels did better before: `a` (5 → 2 right)."


def test_longer_prompts_and_unknown_prices_are_told(small: Report) -> None:
    small.run.ledger = Ledger()
    small.run.ledger.add("forward", "read", Usage(calls=1, usd=None))
    small.run.best = agent(read=[f"{at} {'word ' * 30}" for at in range(20)])
    text = said(small)
    assert "times as long, so each call of a paid model costs more" in text
    assert "so the cost is not known either" in text


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(0.0, 1.0, "It helped"), (1.0, 0.0, "It got worse"), (0.5, 0.5, "This may be luck")],
)
def test_the_verdict_is_that_of_the_interval(small: Report, before: float, after: float, word: str) -> None:
    said(small, before=(before,) * FEW, after=(after,) * FEW)
    assert verdict(small.run).startswith(word)
