"""What is remembered of a row decides whether it is run again: news first, then what was taken on trust longest."""

import pytest

from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.recall import Recall
from agentsym.network.records import LossReport, Trajectory

ROWS = tuple(Row(id=f"r{number}", inputs={}) for number in range(20))


def ran(row: Row, version: str, *, passed: bool) -> Evidence:
    run = Trajectory(id=f"{row.id} in {version}", version=version, example_id=row.id)
    return Evidence(row=row, trajectory=run, loss=LossReport(example_id=row.id, score=float(passed), satisfied=passed))


def after(*runs: tuple[range, str, bool], share: float = 0.0, fewest: int = 0) -> Recall:
    """Remember runs of rows, each group a step of its own."""
    recall = Recall(ROWS, seed=0, share=share, fewest=fewest)
    for step, (numbers, version, passed) in enumerate(runs):
        recall.add([ran(ROWS[number], version, passed=passed) for number in numbers], step)
    return recall


def test_rows_that_never_ran_are_run():
    assert after().to_run(ROWS, "v1", 0) == ROWS
    assert after((range(15), "v1", True)).to_run(ROWS, "v2", 1) == ROWS[15:]


def test_a_row_that_stands_in_the_batch_twice_is_run_once():
    assert after().to_run([*ROWS, *ROWS], "v1", 0) == ROWS


def test_rows_that_failed_are_run_by_every_other_version():
    recall = after((range(4), "v1", False), (range(4, 20), "v1", True))
    assert recall.to_run(ROWS, "v2", 2) == ROWS[:4]
    assert recall.to_run(ROWS, "v1", 2) == ()


@pytest.mark.parametrize("share, more", [(0.0, 0), (0.2, 0), (0.3, 2), (1.0, 16)])
def test_rows_that_passed_fill_up_the_share(share, more):
    recall = after((range(4), "v1", False), (range(4, 20), "v1", True), share=share)
    assert len(recall.to_run(ROWS, "v2", 2)) == 4 + more


def test_of_a_small_batch_every_row_is_run_that_another_version_ran():
    recall = after((range(12), "v1", True), (range(12, 20), "v2", True), fewest=100)
    assert recall.to_run(ROWS, "v2", 2) == ROWS[:12]


def test_those_that_passed_longest_ago_are_run_first_and_none_is_left_out_for_long():
    recall = after((range(10, 20), "v1", True), (range(10), "v2", True), share=0.25)
    seen: list[str] = []
    for step in range(2, 6):
        chosen = recall.to_run(ROWS, f"v{step + 1}", step)
        assert len(chosen) == 5
        recall.add([ran(row, f"v{step + 1}", passed=True) for row in chosen], step)
        seen += [row.id for row in chosen]
    assert {*seen[:10]} == {row.id for row in ROWS[10:]} and {*seen[10:]} == {row.id for row in ROWS[:10]}


def test_of_equally_old_rows_the_seed_chooses():
    one, other = (Recall(ROWS, seed, share=0.5, fewest=0) for seed in (0, 1))
    for recall in (one, other):
        recall.add([ran(row, "v1", passed=True) for row in ROWS], 0)
    assert one.to_run(ROWS, "v2", 1) == one.to_run(ROWS, "v2", 1) != other.to_run(ROWS, "v2", 1)


def test_every_row_that_another_version_ran_is_run_on_demand():
    recall = after((range(12), "v1", True), (range(12, 20), "v2", True))
    assert recall.to_run(ROWS, "v2", 2, every=True) == ROWS[:12]


def test_a_batch_is_complete_with_its_fresh_runs_in_place_of_the_old_ones():
    recall = after((range(20), "v1", True))
    fresh = [ran(ROWS[3], "v2", passed=False)]
    evidence = recall.complete([ROWS[2], ROWS[3]], fresh)
    assert [item.trajectory.version for item in evidence] == ["v1", "v2"]
    assert [recall.holds(item) for item in evidence] == [True, False]
