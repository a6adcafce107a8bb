"""Copying: the examples tell where a field's value stands in the input."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.models.spans import Kind, learn

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


def copied(kind: Kind, shown: list[tuple[str, Any]], asked: str, name: str = "answer") -> Any:
    copier = learn(name, kind, [({"text": text}, value) for text, value in shown])
    assert copier is not None
    return copier.copy({"text": asked})


@pytest.mark.parametrize(
    ("shown", "asked", "expected"),
    [
        ([("hello", "hello"), ("good day", "good day")], "see you", "see you"),
        ([("sent 2026-01-02, due 2026-02-03", "2026-02-03")], "sent 2026-05-06, due 2026-07-08", "2026-07-08"),
        ([("by 3 March 2026", "3 March 2026")], "not before March 5th, 2026 please", "March 5th, 2026"),
        ([("write to a.b@c.org.", "a.b@c.org")], "mine is x@y.com, thanks", "x@y.com"),
        ([("it was $1,200.50 in all", "$1,200.50")], "I paid 30 EUR", "30 EUR"),
        ([('she said "never" twice', "never")], 'he said "well, yes"', "well, yes"),
        (
            [("order AB-12 of 5 May", "AB-12"), ("ref 7, order X9Z of May", "X9Z")],
            "ref 4, order QQ-77 of 6 May",
            "QQ-77",
        ),
        (
            [("my name is ann and I wait", "ann"), ("hi, my name is bo lee and so on", "bo lee")],
            "my name is cy and yes",
            "cy",
        ),
    ],
)
def test_the_way_of_the_examples_is_followed(shown: list[Any], asked: str, expected: str) -> None:
    assert copied("string", shown, asked) == expected


def test_an_input_is_copied_whole_where_the_examples_do() -> None:
    examples = [({"a": "one", "b": "two"}, "two"), ({"a": "three", "b": "four"}, "four")]
    copier = learn("answer", "string", examples)
    assert copier is not None
    assert copier.copy({"a": "five", "b": "six"}) == "six"


def test_nothing_to_copy_is_an_empty_text_where_the_examples_say_so() -> None:
    assert copied("string", [("due 2026-01-02", "2026-01-02"), ("soon", "")], "later") is None


@pytest.mark.parametrize(
    ("kind", "shown", "asked", "expected"),
    [
        ("integer", [("I have 3 boxes and 5 lids", 3)], "I have 12 boxes and 4 lids", 12),
        ("integer", [("I have 3 boxes and 5 lids", 5)], "I have 12 boxes and 4 lids", 4),
        ("integer", [("a 1 b 2 c 3", 2), ("b 7 a 9 c 8", 7)], "c 4 b 5 a 6", 5),
        ("number", [("it weighs 1,250.5 kg", 1250.5)], "it weighs -2.25 kg", -2.25),
        ("integer", [("nr 4", 4)], "1.5 or 2", 2),
    ],
)
def test_a_number_is_found_where_the_examples_find_it(
    kind: Kind, shown: list[Any], asked: str, expected: float
) -> None:
    assert copied(kind, shown, asked) == expected


def test_without_examples_the_fields_name_leads() -> None:
    assert copied("string", [], "due on 2026-05-06 at x@y.com", name="due_date") == "2026-05-06"
    assert copied("string", [], "due on 2026-05-06 at x@y.com", name="email") == "x@y.com"
    assert copied("integer", [], "room 4 for 3 nights", name="nights") == 3
    assert copied("integer", [], "room 4 for 3 nights", name="room") == 4
    assert copied("integer", [], "room 4 for 3 nights", name="x") == 4


@pytest.mark.parametrize("shown", [[], [("where is it?", "We are sorry."), ("hello", "Good day.")]])
def test_prose_is_not_copied(shown: list[Any]) -> None:
    assert learn("reply", "string", [({"text": text}, value) for text, value in shown]) is None


@given(st.sampled_from(["string", "integer", "number"]), st.lists(st.tuples(TEXT, TEXT | st.integers())), TEXT)
def test_whatever_the_examples_are_a_copy_stands_in_the_input(kind: Kind, shown: list[Any], asked: str) -> None:
    copier = learn("total", kind, [({"text": text}, value) for text, value in shown])
    found = None if copier is None else copier.copy({"text": asked})
    if kind == "string":
        assert found is None or found in asked
    elif found is not None:
        assert str(abs(found)).strip("0.") in asked.replace(",", "")
        assert kind == "number" or isinstance(found, int)
