"""Gates are pure arithmetic on paired scores; these are the tables that they must agree with (D10)."""

import random

import pytest

from agentsym.errors import UsageError
from agentsym.learning.gate import (
    AlwaysGate,
    PaperGate,
    StrictGate,
    TolerantGate,
    ValidatedGate,
    gate_named,
    standard_error,
)
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

    def noisy() -> Scores:
        return scores(*(min(1, max(0, 0.5 + draw.gauss(0, 0.3))) for _ in range(4)))

    kept = sum(PaperGate().decide(noisy(), noisy()).accept for _ in range(2000)) / 2000
    assert 0.45 < kept < 0.55


def test_the_tolerant_gate_keeps_what_is_within_one_standard_error_and_ignores_the_batch():
    before = Scores(batch={"a": 1.0}, val={str(row): 1.0 for row in range(100)})
    noise = Scores(batch={"a": 0.0}, val={**before.val, "0": 0.0})  # 0.01 down, one standard error is 0.01
    harm = Scores(batch={"a": 1.0}, val={**before.val, **{str(row): 0.0 for row in range(10)}})  # 0.1 down, 0.03
    assert TolerantGate().decide(before, noise).accept
    assert not TolerantGate().decide(before, harm).accept
    assert standard_error([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_the_tolerant_gate_lets_no_must_pass_row_fail():
    before = Scores(val={"v": 0.0}, must_pass={"m": 1.0})
    assert not TolerantGate().decide(before, Scores(val={"v": 1.0}, must_pass={"m": 0.0})).accept


def test_the_ablation_accepts_everything_and_looks_at_nothing():
    assert AlwaysGate().looks_at == frozenset()
    assert AlwaysGate().decide(scores(1.0), scores(0.0)).accept


def test_an_unknown_gate_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"'best'.*paper, strict, validated, tolerant, always"):
        gate_named("best")
