"""Metrics: the cases of HotPotQA by hand, and what a user's own function may do."""

import math
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.errors import DataError, UsageError
from agentsym.learning.metrics import (
    IN_A_ROW,
    METRICS,
    Watched,
    evaluate,
    exact_match,
    f1,
    load_metric,
    normalise,
    source_of,
)
from agentsym.learning.protocols import Row, Verdict

ROW = Row(id="t-7", inputs={"message": "Where is it?"}, expected={"intent": "refund"}, source="train.jsonl:12")


def row(**expected: Any) -> Row:
    return Row(id="r", inputs={"message": "m"}, expected=expected)


def test_normalising_drops_case_punctuation_articles_and_blanks() -> None:
    assert normalise("  The  Beatles' A-side, an EP! ") == "beatles aside ep"
    assert normalise("theatre another") == "theatre another"


@pytest.mark.parametrize(
    ("wanted", "given", "score"),
    [
        ("The Beatles", "beatles!", 1),
        ("U.S.", "us", 1),
        ("refund", "Refund ", 1),
        ("refund", "refunds", 0),
        ("A", "an", 0),
        ("A", "a", 1),
        ("1.5", "15", 0),
        ("1,000", "1000", 1),
        (3, "3.0", 1),
        ("007", "7", 0),
        ("1:30", "13:0", 0),
        ("-5 °C", "5 °C", 0),
        ("C++", "C#", 0),
        ("<5", ">5", 0),
        (True, "true", 1),
        (True, False, 0),
        (["a b", 1], ["A b", 1.0], 1),
        (["a", "b"], ["b", "a"], 0),
        ({"x": "One"}, {"x": "one"}, 1),
        ({"x": "one"}, {"x": "one", "y": 2}, 0),
        ("", "", 1),
        ("", "x", 0),
        ("x", None, 0),
    ],
)
def test_exact_match(wanted: Any, given: Any, score: float) -> None:
    assert exact_match(wanted, given) == score


@pytest.mark.parametrize(
    ("wanted", "given", "score"),
    [
        ("Paris", "the city of Paris", 2 * (1 / 3) * 1 / (1 / 3 + 1)),  # P = 1/3 ("the" goes), R = 1
        ("big big dog", "big dog dog", 2 / 3),  # two words in common, as multisets
        ("big big dog", "big big cat", 2 / 3),
        ("yes", "yes it is", 0),
        ("yes, it is", "Yes", 0),
        ("no", "No.", 1),
        ("noanswer", "no answer", 0),
        ("Paris", "", 0),
        ("Paris", "Rome", 0),
        ("1.5", "15", 0),
        ("in 1990", "1990", 2 / 3),
        ("x", None, 0),
    ],
)
def test_f1_of_hotpotqa(wanted: Any, given: Any, score: float) -> None:
    assert f1(wanted, given) == pytest.approx(score)


@given(st.text(), st.text())
def test_f1_is_symmetric_and_never_below_exact(left: str, right: str) -> None:
    assert f1(left, right) == pytest.approx(f1(right, left))
    assert exact_match(left, right) <= f1(left, right) <= 1.0
    assert exact_match(left, left) == 1.0


async def test_the_score_is_the_mean_over_the_labeled_fields() -> None:
    verdict = await evaluate(
        load_metric("exact"),
        row(intent="refund", urgency="today"),
        {"intent": "refund", "urgency": "later", "due": "x"},
    )
    assert verdict.score == 0.5
    assert verdict.parts == {"intent": 1.0, "urgency": 0.0}
    assert verdict.text.splitlines() == ['intent: "refund" is right', 'urgency: wanted "today", given "later"']


async def test_a_field_that_was_not_given_is_wrong_and_named() -> None:
    verdict = await evaluate(load_metric("f1"), row(answer="Paris"), {})
    assert (verdict.score, verdict.text) == (0.0, 'answer: wanted "Paris", but nothing was given')


@pytest.mark.parametrize("name", METRICS)
async def test_without_labels_there_is_no_score(name: str) -> None:
    assert await evaluate(load_metric(name), row(), {"intent": "refund"}) == Verdict(score=None)


async def test_a_users_function_sees_the_flat_row() -> None:
    seen = []

    def half(data: dict[str, Any], output: dict[str, Any]) -> tuple[float, str]:
        seen.append((data, output, threading.current_thread() is threading.main_thread()))
        return 0.5, "half of it"

    metric = load_metric(half)
    assert metric.name == "half"
    assert await evaluate(metric, ROW, {"intent": "x"}) == Verdict(score=0.5, text="half of it")
    assert seen == [({"id": "t-7", "message": "Where is it?", "intent": "refund"}, {"intent": "x"}, False)]


async def test_a_users_function_may_be_async() -> None:
    async def right(data: dict[str, Any], output: dict[str, Any]) -> bool:
        return data["intent"] == output["intent"]

    assert (await evaluate(load_metric(right), ROW, {"intent": "refund"})).score == 1.0
    assert (await evaluate(load_metric(lambda data, output: right(data, output)), ROW, {"intent": "x"})).score == 0.0


async def test_a_metric_that_raises_fails_the_example_and_says_which() -> None:
    verdict = await evaluate(load_metric(lambda data, output: output["missing"]), ROW, {})
    assert verdict.score == 0.0
    assert "row 't-7' (train.jsonl:12): KeyError: 'missing'" in verdict.text


async def test_a_metric_that_has_worked_is_told_of_once_and_refused_when_it_fails_on_many_rows_in_a_row() -> None:
    said: list[str] = []
    watched = Watched(load_metric(lambda data, output: output["missing"]), said.append)

    async def batch(*outputs: dict[str, float]) -> None:
        for output in outputs:
            assert (await evaluate(watched, ROW, output)).score == len(output)
        watched.end_batch()

    fine: dict[str, float] = {"missing": 1.0}
    await batch(fine, {}, {})
    (warning,) = said
    assert "row 't-7' (train.jsonl:12): KeyError: 'missing' (at test_metrics.py:" in warning
    await batch(*[{}] * (IN_A_ROW - 1))  # what a candidate answers may be odd
    await batch(fine, *[{}] * (IN_A_ROW - 1))
    await batch(*[{}] * (IN_A_ROW - 1))
    with pytest.raises(DataError, match=rf"it failed on every row \({IN_A_ROW} of {IN_A_ROW}\)"):
        await batch({})
    await batch({})
    assert len(said) == 1


async def test_a_metric_that_has_never_worked_is_refused_after_a_single_row() -> None:
    watched = Watched(load_metric(lambda data, output: output["missing"]), print)
    await evaluate(watched, ROW, {})
    with pytest.raises(DataError):
        watched.end_batch()


def test_the_source_of_a_metric_is_its_whole_file(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def score(row, output):\n    return half()\n\ndef half():\n    return 0.5\n")
    first = source_of(load_metric("own.py:score", tmp_path))
    assert first == source_of(load_metric("own.py:score", tmp_path))
    (tmp_path / "own.py").write_text("def score(row, output):\n    return half()\n\ndef half():\n    return 0.25\n")
    assert source_of(load_metric("own.py:score", tmp_path)) != first
    assert source_of(load_metric("exact")) == ""
    one = load_metric(lambda data, output: 1.0)
    other = load_metric(lambda data, output: 0.0)
    assert source_of(one) != source_of(other)


@pytest.mark.parametrize("found", [None, "0.5", 1.5, -0.1, math.nan, (0.5,), (0.5, 1), {"score": 1}])
async def test_a_metric_that_returns_no_score_ends_the_run(found: Any) -> None:
    with pytest.raises(DataError, match=r"row 't-7' \(train.jsonl:12\)"):
        await evaluate(load_metric(lambda data, output: found), ROW, {})


async def test_numpy_numbers_are_numbers() -> None:
    import numpy as np

    assert (await evaluate(load_metric(lambda data, output: np.float32(0.5)), ROW, {})).score == 0.5
    assert (await evaluate(load_metric(lambda data, output: np.bool_(True)), ROW, {})).score == 1.0


async def test_a_metric_is_loaded_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def score(row, output):\n    return 0.25\n")
    metric = load_metric("own.py:score", tmp_path)
    assert (metric.name, (await evaluate(metric, ROW, {})).score) == ("own.py:score", 0.25)
    with pytest.raises(UsageError, match="no function 'other'"):
        load_metric("own.py:other", tmp_path)
    with pytest.raises(UsageError, match="no such Python file"):
        load_metric("none.py:score", tmp_path)


def test_an_unknown_metric_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="exact, f1"):
        load_metric("accuracy")
    with pytest.raises(UsageError, match="no metric"):
        load_metric(3)
    assert load_metric(METRICS["f1"]) is METRICS["f1"]
