"""Failures of which the same is said are one, and one row stands for all of them."""

from typing import Any

from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.symbolic.groups import Group, chosen, deviating, grouped
from agentsym.network.records import LossReport, Trajectory
from tests.learning.runs import chain, straight

NETWORK = chain("a", "b", "c")


def failed(row: str, said: str, *, score: float = 0.0, run: Trajectory | None = None, **expected: str) -> Evidence:
    loss = LossReport(example_id=row, score=score, text=said, expected=expected or None)
    return Evidence(row=Row(id=row, inputs={}), trajectory=run or straight(NETWORK), loss=loss)


def group(name: str, family: str = "f", count: int = 1, tried: int = 0) -> Group:
    return Group(family=family, feedback=name, rows=tuple(f"{name}{at}" for at in range(count)), tried=tried)


def test_rows_with_the_same_feedback_are_one_group_whatever_its_case_and_blanks() -> None:
    (found,) = grouped([failed("r1", "No  DATE given"), failed("r2", "no date given"), failed("r3", "no date\ngiven")])
    assert found.rows == ("r1", "r2", "r3") and found.representative == "r1"


def test_what_passes_is_in_no_group() -> None:
    assert grouped([failed("r1", "fine", score=1.0)]) == ()


def test_a_row_that_ran_twice_is_in_its_group_once() -> None:
    (found,) = grouped([failed("r1", "wrong"), failed("r1", "wrong")])
    assert found.rows == ("r1",)


def test_feedback_that_differs_in_numbers_and_quotations_is_another_group_of_the_same_family() -> None:
    told = ['wanted "mars" by 10:30, 3 short', "wanted “venus” by 11, -7.5 short", "wanted 'x' by 2026/01/02, 1 short"]
    found = grouped([failed(f"r{at}", text) for at, text in enumerate(told)])
    assert len({each.key for each in found}) == 3 and len({each.family for each in found}) == 1


def test_numbers_within_words_tell_families_apart() -> None:
    first, second = grouped([failed("r1", "field_1 is missing"), failed("r2", "field_2 is missing")])
    assert first.family != second.family


def test_the_same_feedback_on_another_node_is_another_family() -> None:
    early, late = grouped([failed("r1", "wrong", a_out="x"), failed("r2", "wrong", c_out="x")])
    assert (early.family[0], late.family[0]) == ("a", "c")


def test_a_run_goes_wrong_at_the_first_node_that_writes_something_else_than_the_label() -> None:
    assert deviating(failed("r", "", a_out="output 0", b_out="else", c_out="else")) == "b"


def test_a_run_that_ends_in_an_error_goes_wrong_there_and_the_error_is_its_feedback() -> None:
    run = straight(NETWORK, changes={1: {"error": "Boom 17"}})
    item = failed("r", "scored 0", run=run)
    assert deviating(item) == "b"
    assert [each.feedback for each in grouped([item])] == ["boom 17"]


def test_without_labels_the_last_node_that_ran_is_where_it_goes_wrong() -> None:
    assert deviating(failed("r", "wrong")) == "c"
    assert deviating(failed("r", "wrong", run=Trajectory(id="t", version="v"))) == ""


def test_what_was_required_counts_before_the_comments() -> None:
    loss = LossReport(example_id="r", score=0.0, text="long comments", requirement="be short")
    item = Evidence(row=Row(id="r", inputs={}), trajectory=straight(NETWORK), loss=loss)
    assert grouped([item])[0].feedback == "be short"


def test_tries_of_a_known_group_go_on_and_others_begin_anew() -> None:
    (known,) = grouped([failed("r1", "wrong")])
    again, new = grouped([failed("r2", "wrong"), failed("r3", "late")], known=[known.model_copy(update={"tried": 2})])
    assert (again.tried, new.tried) == (2, 0)


def test_each_try_is_made_with_another_row_of_the_group() -> None:
    turns = [group("g", count=3, tried=tried).representative for tried in range(4)]
    assert turns == ["g0", "g1", "g2", "g0"]


def test_one_group_of_each_family_comes_before_a_second_of_any() -> None:
    groups = [group("x1", "x", 9), group("x2", "x", 8), group("y", "y", 1), group("z", "z", 2)]
    assert [each.feedback for each in chosen(groups, 3)] == ["x1", "z", "y"]


def test_what_was_tried_least_comes_first_and_of_those_what_concerns_most_rows() -> None:
    groups: list[Any] = [group("tried", "x", 9, tried=1), group("small", "y", 1), group("large", "z", 2)]
    assert [each.feedback for each in chosen(groups, 3)] == ["large", "small", "tried"]
    groups = [group("tried", "x", 9, tried=1), group("small", "x", 1), group("large", "x", 2)]
    assert [each.feedback for each in chosen(groups, 2)] == ["large", "small"]
