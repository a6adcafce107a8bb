"""An edit is judged beside its rivals, and tries of the same edit are one lesson."""

from typing import Any

import pytest

from agentsym.learning.memory.lesson import Group, Lesson, Situation, joined


def lesson(edit: str = "add_rule: Mind it.", **more: Any) -> Lesson:
    situation = more.pop("situation", None) or Situation(task="Sort it.", kind="rules", fault="It was wrong.")
    values = {"fate": "kept", "credit": 1.0, "advantage": 1.0, **more}
    return Lesson(run="r", agent="tickets", situation=situation, edit=edit, **values)


def test_an_advantage_is_the_distance_from_the_mean_in_standard_deviations() -> None:
    group = Group.of([1.0, 0.0, 0.0, 0.0])
    assert group.advantage(1.0) == pytest.approx(3**0.5)
    assert group.advantage(0.0) == pytest.approx(-(3**-0.5))


def test_where_all_edits_did_alike_none_has_an_advantage() -> None:
    assert Group.of([1.0, 1.0, 1.0]).advantage(1.0) == 0.0


def test_what_did_harm_warns_and_what_failed_once_does_not() -> None:
    assert lesson(fate="harmful", credit=0.0, advantage=-1.0).warns
    assert lesson(fate="taken back", advantage=-1.0).warns
    assert not lesson(fate="vain", credit=0.0, advantage=-1.0).warns
    assert lesson(fate="vain", credit=0.0, advantage=-1.0, times=2).warns
    assert not lesson().warns and lesson().helped
    assert not lesson(credit=0.0).helped, "it was kept, and nobody measured that it mended anything"


def test_tries_of_the_same_edit_become_one_lesson_with_their_means() -> None:
    tries = [
        lesson(fate="vain", credit=0.0, advantage=-1.0),
        lesson("add_rule: mind it.", advantage=2.0),
        lesson(advantage=2.0),
        lesson("add_rule: Another."),
    ]
    one, other = joined(tries)
    assert (one.fate, one.times, one.credit, one.advantage) == ("kept", 3, 0.667, 1.0)
    assert other == tries[-1]
