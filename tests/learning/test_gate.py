"""Gates are pure arithmetic on paired scores; these are the tables that they must agree with (D10)."""

import random

import pytest

from agentsym.errors import UsageError
from agentsym.learning.gate import AlwaysGate, PaperGate, StrictGate, ValidatedGate, gate_named
from agentsym.learning.protocols import Scores


def scores(*values: float, **others: dict[str, float]) -> Scores:
    return Scores(batch={str(i): value for i, value in enumerate(values)}, **others)


@pytest.mark.parametrize(
    ("before", "after", "paper", "strict"),
    [
        ((0.5, 0.5), (0.5, 0.5), True, False),  # a tie is kept by the paper's rule, not by the strict one
        ((0.5, 0.5), (1.0, 0.0), True, False),  # so is a tie of the means, whatever happened to the rows
        ((0.5, 0.5), (0.5, 0.6), True, True),
        ((0.5, 0.5), (0.5, 0.4), False, False),
        ((0.1, 0.2, 0.3), (0.3, 0.2, 0.1), True, False),  # 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 in floats
        ((), (), True, False),
    ],
)
def test_paper_keeps_ties_and_strict_does_not(before, after, paper, strict):
    assert PaperGate().decide(scores(*before), scores(*after)).accept is paper
    assert StrictGate().decide(scores(*before), scores(*after)).accept is strict


def test_validated_weighs_batch_and_validation_rows_alike():
    before = Scores(batch={"a": 0.0}, val={"b": 1.0, "c": 1.0, "d": 1.0})
    worse = Scores(batch={"a": 1.0}, val={"b": 0.0, "c": 0.9, "d": 1.0})
    better = Scores(batch={"a": 1.0}, val={"b": 0.0, "c": 1.0, "d": 1.0})
    assert not ValidatedGate().decide(before, worse).accept
    assert ValidatedGate().decide(before, better).accept


def test_a_row_that_is_in_batch_and_validation_counts_twice():
    before = Scores(batch={"a": 1.0}, val={"a": 0.0})
    assert not ValidatedGate().decide(before, Scores(batch={"a": 0.0}, val={"a": 0.9})).accept


def test_no_must_pass_row_may_fail_however_much_is_gained_elsewhere():
    before = Scores(batch={"a": 0.0}, must_pass={"m": 1.0, "n": 0.4})
    lost = ValidatedGate().decide(before, Scores(batch={"a": 1.0}, must_pass={"m": 0.99, "n": 1.0}))
    kept = ValidatedGate().decide(before, Scores(batch={"a": 1.0}, must_pass={"m": 1.0, "n": 0.0}))
    assert not lost.accept and "m" in lost.reason
    assert kept.accept


def test_a_row_that_the_candidate_could_not_answer_counts_zero():
    decision = PaperGate().decide(scores(0.5, 0.5), Scores(batch={"0": 0.9}))
    assert decision.after == pytest.approx(0.45) and not decision.accept


def test_the_paper_gate_on_noisy_scores_keeps_a_harmless_edit_about_half_of_the_time():
    draw = random.Random(0)
    noisy = [[scores(*(min(1, max(0, 0.5 + draw.gauss(0, 0.3))) for _ in range(4))) for _ in range(2)] for _ in range(2000)]
    kept = sum(PaperGate().decide(before, after).accept for before, after in noisy) / len(noisy)
    assert 0.45 < kept < 0.55


def test_the_ablation_accepts_everything_and_looks_at_nothing():
    assert AlwaysGate().looks_at == frozenset()
    assert AlwaysGate().decide(scores(1.0), scores(0.0)).accept


def test_an_unknown_gate_is_named_with_those_there_are():
    with pytest.raises(UsageError, match="'best'.*paper, strict, validated, always"):
        gate_named("best")
