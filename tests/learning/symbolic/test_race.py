"""Races in virtual time: who answers when is made up, so that what is claimed of timing is exact."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.errors import UsageError
from agentsym.learning.protocols import Row
from agentsym.learning.symbolic.race import Raced, race
from tests.virtual_time import Virtual, run_virtual


class Course:
    """Scores rows by their number after a while, and notes which were started, answered and cancelled."""

    def __init__(self, scores: list[float], seconds: Callable[[int], float] = lambda _: 1.0) -> None:
        self.scores, self.seconds = scores, seconds
        self.rows = [Row(id=f"r{at}", inputs={"at": at}) for at in range(len(scores))]
        self.started: list[int] = []
        self.answered: set[int] = set()
        self.cancelled: set[int] = set()
        self.most = 0

    async def score(self, row: Row) -> float:
        at = row.inputs["at"]
        self.started.append(at)
        self.most = max(self.most, len(self.started) - len(self.answered) - len(self.cancelled))
        try:
            await asyncio.sleep(self.seconds(at))
        except asyncio.CancelledError:
            self.cancelled.add(at)
            raise
        self.answered.add(at)
        return self.scores[at]

    def run(self, *, beat: float, concurrency: int = 100, slice_size: int = 8) -> Virtual[Raced]:
        return run_virtual(race(self.rows, self.score, beat=beat, concurrency=concurrency, slice_size=slice_size))


def expected(course: Course, beat: float, slice_size: int) -> Raced:
    """Return what a race one row after the other comes to."""
    total, scores = 0.0, {}
    for at, row in enumerate(course.rows):
        left = len(course.rows) - at
        if at and at % slice_size == 0 and (total + left) / len(course.rows) < beat - 1e-9:
            return Raced(scores, finished=False)
        scores[row.id] = course.scores[at]
        total += course.scores[at]
    return Raced(scores, finished=True)


def test_a_winner_is_scored_on_every_row() -> None:
    course = Course([1.0] * 20)
    assert course.run(beat=0.5).result == Raced({row.id: 1.0 for row in course.rows}, finished=True)
    assert not course.cancelled


def test_a_lost_race_ends_at_the_slice_that_decides_it_and_cancels_what_is_in_flight() -> None:
    course = Course([0.0] * 40, seconds=lambda at: 1.0 if at < 8 else 60.0)
    result, seconds = course.run(beat=0.9)
    assert result == Raced({f"r{at}": 0.0 for at in range(8)}, finished=False)
    assert course.answered == set(range(8))
    assert course.cancelled == set(range(8, 16))
    assert course.started == list(range(16))
    assert seconds == pytest.approx(1.0)  # nobody waits for the cancelled ones


def test_a_mean_that_nothing_can_reach_costs_one_slice() -> None:
    assert list(Course([1.0] * 8).run(beat=2.0, slice_size=4).result.scores) == ["r0", "r1", "r2", "r3"]


def test_a_mean_that_can_still_be_equalled_is_not_lost() -> None:
    scores = [1.0, 1.0, 0.0, 1.0, *[1.0] * 6]
    assert Course(scores).run(beat=0.9, slice_size=4).result.finished
    assert not Course(scores).run(beat=0.91, slice_size=4).result.finished
    assert Course([0.1, 0.7, 0.3, 0.0]).run(beat=(0.3 + 0.7 + 0.1 + 1.0) / 4, slice_size=3).result.finished


def test_after_the_last_row_the_race_is_finished_whatever_the_mean() -> None:
    assert Course([0.0] * 8).run(beat=0.9).result.finished
    assert not Course([0.0] * 9).run(beat=0.9).result.finished


def test_without_rows_there_is_nothing_to_race() -> None:
    assert Course([]).run(beat=0.9).result == Raced({}, finished=True)


def test_rows_that_are_needed_anyway_start_at_once_and_one_slice_on_trial() -> None:
    """To reach 0.75 of 40 rows, ten may fail: the slices that start at 0 and 8 are needed, that at 16 is on trial."""
    course = Course([0.0] * 40)
    course.run(beat=0.75)
    assert len(course.started) == 24
    assert Course([1.0] * 40).run(beat=0.0).seconds == pytest.approx(1.0)


def test_what_is_needed_after_a_good_start_follows_without_a_pause() -> None:
    """Two slices are in flight all the time, so five slices take three turns."""
    assert Course([1.0] * 40).run(beat=1.0).seconds == pytest.approx(3.0)


def test_no_more_rows_than_allowed_are_in_flight() -> None:
    course = Course([1.0] * 30, seconds=lambda at: 1.0 + at % 3)
    course.run(beat=0.0, concurrency=4)
    assert course.most == 4


@given(
    st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    st.integers(1, 9),
    st.sampled_from([1, 3, 100]),
    st.integers(0, 3),
)
def test_the_result_depends_on_the_scores_alone(
    scores: list[float], beat: float, slice_size: int, concurrency: int, seed: int
) -> None:
    chance = random.Random(seed)
    times = [chance.choice([0.0, 0.1, 1.0, 9.0]) for _ in scores]
    course = Course(scores, seconds=lambda at: times[at])
    result = course.run(beat=beat, concurrency=concurrency, slice_size=slice_size).result
    assert result == expected(course, beat, slice_size)
    assert list(result.scores) == [row.id for row in course.rows[: len(result.scores)]]
    assert len(course.started) <= len(result.scores) + slice_size
    assert course.started == sorted(course.started)


def test_an_error_is_raised_as_it_is_and_cancels_the_others() -> None:
    course = Course([1.0] * 20, seconds=lambda at: 60.0)

    async def score(row: Row) -> float:
        if row.id == "r5":
            raise LookupError("no such model")
        return await course.score(row)

    async def main() -> None:
        with pytest.raises(LookupError, match="no such model"):
            await race(course.rows, score, beat=0.5, concurrency=10)

    assert run_virtual(main()).seconds < 60
    assert not course.answered
    assert course.cancelled == set(course.started) != set()


def test_who_cancels_a_race_cancels_its_runs() -> None:
    course = Course([1.0] * 20, seconds=lambda at: 60.0)

    async def main() -> None:
        async with asyncio.timeout(1.0):
            await race(course.rows, course.score, beat=0.5, concurrency=10)

    with pytest.raises(TimeoutError):
        run_virtual(main())
    assert course.cancelled == set(course.started) == set(range(10))


@pytest.mark.parametrize(("concurrency", "slice_size"), [(0, 8), (8, 0)])
def test_a_race_of_no_rows_at_a_time_is_refused(concurrency: int, slice_size: int) -> None:
    with pytest.raises(UsageError, match="must be 1 or more"):
        Course([1.0]).run(beat=0.5, concurrency=concurrency, slice_size=slice_size)
