"""Momentum is arithmetic on what was said; the weights here are worked out by hand."""

import pytest
from pydantic import ValidationError

from agentsym.learning.symbolic.momentum import LEAST, Momentum


def test_weights_fade_by_a_fifth_a_step_and_grow_by_one_each_time_something_is_said() -> None:
    first = Momentum().after([("triage", "Name the city."), ("triage", "Name the city."), ("reply", "Be brief.")])
    second = first.after([("triage", "Give a date.")])
    third = second.after([("triage", "Give a date.")])
    assert first.of("triage") == [("Name the city.", 2.0)]
    assert second.of("triage") == [("Name the city.", pytest.approx(1.6)), ("Give a date.", 1.0)]
    assert third.of("triage") == [("Give a date.", pytest.approx(1.8)), ("Name the city.", pytest.approx(1.28))]
    assert third.of("reply") == [("Be brief.", pytest.approx(0.64))]


def test_nothing_is_remembered_of_a_node_of_which_nothing_was_said() -> None:
    assert Momentum().after([("triage", " \n"), ("triage", "")]) == Momentum()
    assert Momentum().of("triage") == []


def test_a_critique_is_the_same_whatever_its_case_and_blanks_and_keeps_its_first_wording() -> None:
    said = Momentum().after([("a", "Name the city."), ("a", " name  THE\ncity. "), ("b", "Name the city.")])
    assert said.of("a") == [("Name the city.", 2.0)]
    assert said.of("b") == [("Name the city.", 1.0)]


def test_what_was_said_once_is_forgotten_after_fourteen_steps() -> None:
    momentum = Momentum().after([("a", "Once."), *[("a", "Ten times.")] * 10])
    for _ in range(13):
        momentum = momentum.after([])
    assert [text for text, _ in momentum.of("a")] == ["Ten times.", "Once."]
    momentum = momentum.after([])
    assert [text for text, _ in momentum.of("a")] == ["Ten times."]
    assert all(weight >= LEAST for _, weight in momentum.of("a"))


def test_of_equal_weights_the_one_heard_first_comes_first() -> None:
    momentum = Momentum().after([("a", "Second letter: b."), ("a", "First letter: a.")])
    assert [text for text, _ in momentum.of("a")] == ["Second letter: b.", "First letter: a."]


def test_a_checkpoint_gives_back_the_very_same_weights() -> None:
    momentum = Momentum().after([("a", "Say why.")]).after([("a", "Say when."), ("b", "Say why.")]).after([])
    restored = Momentum.model_validate_json(momentum.model_dump_json())
    assert restored == momentum
    assert restored.after([("a", "Say why.")]) == momentum.after([("a", "Say why.")])


def test_momentum_cannot_be_changed_in_place() -> None:
    momentum = Momentum().after([("a", "Say why.")])
    later = momentum.after([("a", "Say why.")])
    assert momentum.of("a") == [("Say why.", 1.0)] != later.of("a")
    with pytest.raises(ValidationError, match="frozen"):
        momentum.memories = ()
