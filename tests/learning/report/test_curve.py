"""The chart shows every score at its place: more calls further right, a better score higher."""

import re

import pytest

from agentsym.learning.course import Course, Point, StepRecord
from agentsym.learning.protocols import Decision
from agentsym.learning.report.curve import MOST, curve


def drawn(course: Course) -> str:
    """Return the chart, which there is."""
    chart = curve(course)
    assert chart is not None
    return chart


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]


def trained(*scores: float) -> Course:
    """Return a course with a batch of train after every ten calls."""
    steps = tuple(StepRecord(at, 4, score, calls=10 * (at + 1)) for at, score in enumerate(scores))
    return Course(steps, tuple(Point(at, 10 * at, "v", None) for at in range(len(scores) + 1)))


def test_the_line_of_train_rises_with_the_score_and_ends_at_the_last_step() -> None:
    (path,) = re.findall(r'd="([^"]*)" class="train"', drawn(trained(0.2, 0.6, 0.4)))
    (x1, low), (x2, high), (x3, middle) = places(path)
    assert x1 < x2 < x3 and high < middle < low, "y counts from the top"
    assert middle == pytest.approx((high + low) / 2, abs=0.1) and x2 - x1 == pytest.approx(x3 - x2, abs=0.1)


def test_a_single_batch_is_a_dot() -> None:
    chart = drawn(trained(0.5))
    assert 'class="trained"' in chart and "<path" not in chart


def test_a_long_line_is_thinned_and_keeps_its_end() -> None:
    scores = [0.5] * (3 * MOST - 1) + [1.0]
    (path,) = re.findall(r'd="([^"]*)" class="train"', drawn(trained(*scores)))
    found = places(path)
    assert len(found) <= MOST + 1
    assert found[-1][0] == max(x for x, _ in found) and found[-1][1] < found[0][1]


def test_the_best_goes_up_in_stairs_and_dots_say_what_was_kept() -> None:
    yes, no = (Decision(accept=accept, reason="", before=0.0, after=1.0) for accept in (True, False))
    steps = (
        StepRecord(0, 4, None, decision=yes, val=0.75, calls=10),
        StepRecord(1, 4, None, decision=no, val=0.5, calls=20),
    )
    points = (Point(0, 0, "a", 0.25), Point(1, 10, "b", 0.75), Point(2, 20, "b", 0.75))
    chart = drawn(Course(steps, points))
    (path,) = re.findall(r'd="([^"]*)" class="best"', chart)
    assert path.count("H") == path.count("V") == 2
    assert "step 1: 0.750 on validation, kept" in chart and "step 2: 0.500 on validation, not kept" in chart
    assert chart.count('class="dot no"') == 1
    assert "validation went from 0.250 to 0.750 within 20 calls" in chart


def test_without_any_score_there_is_no_chart() -> None:
    assert curve(Course((StepRecord(0, 0, None),), (Point(0, 0, "a", None),))) is None
