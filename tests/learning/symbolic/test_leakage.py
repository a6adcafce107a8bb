"""Learned texts against training inputs: what is shared is told in the words of the learned text."""

from hypothesis import given
from hypothesis import strategies as st

from agentsym.learning.symbolic.leakage import Leakage

INPUTS = (
    "My card hasn't arrived yet, although I ordered it two weeks ago.",
    "Why was I charged twice for the same hotel booking in Lisbon?",
    "Top-up failed",
)


def test_a_rule_that_quotes_an_input_is_caught_with_the_whole_passage() -> None:
    rule = "Messages such as 'my card hasn't arrived yet although I ordered it' are about `card_arrival`."
    assert Leakage(INPUTS).leaks(rule) == ["my card hasn't arrived yet although I ordered it"]


def test_case_punctuation_and_the_kind_of_apostrophe_hide_nothing() -> None:
    assert Leakage(INPUTS).leaks("MY CARD: hasn\u2019t (arrived) yet -- although!") == [
        "MY CARD: hasn\u2019t (arrived) yet -- although"
    ]


def test_five_words_in_a_row_are_no_leak_and_six_are() -> None:
    assert Leakage(INPUTS).leaks("charged twice for the same amount") == []
    assert Leakage(INPUTS).leaks("charged twice for the same hotel") == ["charged twice for the same hotel"]


def test_the_length_of_a_leak_can_be_chosen() -> None:
    assert Leakage(INPUTS, n=2).leaks("The top-up failed twice.") == ["top-up failed"]  # three words: top, up, failed
    assert Leakage(INPUTS, n=4).leaks("The top-up failed twice.") == []


def test_a_passage_runs_no_further_than_what_stands_in_the_inputs() -> None:
    text = "I was charged twice for the same hotel room, and why was I charged twice for the same dinner?"
    assert Leakage(INPUTS).leaks(text) == ["charged twice for the same hotel", "why was I charged twice for the same"]


def test_a_passage_that_is_quoted_twice_is_told_once() -> None:
    quoted = "although I ordered it two weeks"
    assert Leakage(INPUTS).leaks(f"{quoted}. Never say: {quoted}.") == [quoted]


def test_nothing_leaks_from_no_inputs_or_into_no_text() -> None:
    assert Leakage([]).leaks(INPUTS[0]) == []
    assert Leakage(INPUTS).leaks("") == []


words = st.sampled_from(["a", "b", "c", "d"])


@given(st.lists(st.lists(words, max_size=12), max_size=4), st.lists(words, max_size=16))
def test_exactly_the_words_that_are_part_of_a_shared_run_are_told(inputs: list[list[str]], text: list[str]) -> None:
    runs = {tuple(line[at : at + 3]) for line in inputs for at in range(len(line) - 2)}
    starts = [at for at in range(len(text) - 2) if tuple(text[at : at + 3]) in runs]
    expected = []
    for start in starts:
        if start - 1 in starts:
            expected[-1] += " " + text[start + 2]
        else:
            expected.append(" ".join(text[start : start + 3]))
    index = Leakage((" ".join(line) for line in inputs), n=3)
    assert index.leaks(" ".join(text)) == list(dict.fromkeys(expected))
