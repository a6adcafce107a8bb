"""What the contrastive teacher promises: edits that help, keep the limits and read like sentences."""

import re

import pytest

from agentsym.learning.teacher.contrast import (
    AddExample,
    AddRule,
    Contrast,
    Edit,
    Limits,
    Record,
    SetDefinition,
)
from agentsym.learning.teacher.phrases import phrases, retold
from agentsym.models.lexical import Grams, LexicalReader, Reading

ROWS = [
    ("How do I activate my new card?", "activate"),
    ("I got my card in the post, how can I activate it?", "activate"),
    ("The activation of my card does not work.", "activate"),
    ("Can I activate the card in the app?", "activate"),
    ("My card still has not arrived.", "arrival"),
    ("I am still waiting for my card, it was sent two weeks ago.", "arrival"),
    ("Can I track the delivery of my card?", "arrival"),
    ("How long does delivery take? I am still waiting.", "arrival"),
    ("I lost my card yesterday on the bus.", "lost"),
    ("Someone stole my wallet with the card in it.", "lost"),
    ("My card was stolen, please block it.", "lost"),
    ("I can't find my card, can you block it?", "lost"),
]
BARE = Reading((("activate", ""), ("arrival", ""), ("lost", "")))


def records(content: Reading) -> list[Record]:
    predicted = LexicalReader(content, Grams()).answers([text for text, _ in ROWS])
    return [Record(text, wanted, answer) for (text, wanted), answer in zip(ROWS, predicted, strict=True)]


def applied(content: Reading, edits: list[Edit]) -> Reading:
    choices, rules, examples = dict(content.choices), list(content.rules), list(content.examples)
    for edit in edits:
        match edit:
            case AddExample():
                examples.append((edit.text, edit.label))
            case AddRule():
                rules.append(edit.text)
            case SetDefinition():
                choices[edit.label] = edit.text
    return Reading(tuple(choices.items()), tuple(rules), tuple(examples))


def learned(content: Reading, limits: Limits | None = None) -> Reading:
    teacher = Contrast(limits, "The customer")
    for kind in (*["examples", "rules"] * 5, "definitions"):
        content = applied(content, teacher.propose(kind, content, records(content)))
    return content


def right(content: Reading) -> int:
    return sum(record.predicted == record.wanted for record in records(content))


@pytest.mark.parametrize("kind", ["examples", "rules", "definitions"])
def test_each_kind_alone_makes_the_prompt_better(kind):
    better = applied(BARE, Contrast().propose(kind, BARE, records(BARE)))
    assert right(better) > right(BARE)


def test_the_schedule_learns_the_whole_batch():
    assert right(learned(BARE)) == len(ROWS)


def test_the_limits_are_kept():
    limits = Limits(examples_per_label=2, rules_per_label=2, rule_chars=70, definition_chars=90)
    content = learned(BARE, limits)
    for label, definition in content.choices:
        assert len(definition) <= 90
        assert sum(shown == label for _, shown in content.examples) == 2
        assert sum(f"`{label}`" in rule for rule in content.rules) <= 2
    assert content.rules and all(len(rule) <= 70 for rule in content.rules)


def test_rules_quote_pieces_of_the_label_s_messages_and_never_a_whole_one():
    for rule in learned(BARE).rules:
        (label,) = re.findall("`(.+?)`", rule)
        own = [text.lower() for text, wanted in ROWS if wanted == label]
        for phrase in re.findall("“(.+?)”", rule):
            assert any(phrase.lower() in text for text in own)
            assert all(phrase.lower() != text.rstrip(".?") for text in own)


def test_a_definition_that_a_person_wrote_is_kept():
    given = Reading((("activate", "Making a new card work."), *BARE.choices[1:]))
    written = {edit.label for edit in Contrast().propose("definitions", given, records(given))}
    assert written == {"arrival", "lost"}


def test_a_phrase_is_quoted_only_if_messages_of_its_label_share_its_words():
    """`still waiting` stands in two messages of one label; `bus` in one, `my card` in all."""
    rules = [edit.text for edit in Contrast().propose("rules", BARE, records(BARE))]
    assert any("waiting" in rule for rule in rules)
    assert not any(word in rule for rule in rules for word in ("bus", "wallet", "“my card”"))


def test_an_example_names_the_record_it_shows():
    for edit in Contrast().propose("examples", BARE, records(BARE)):
        assert isinstance(edit, AddExample)
        assert ROWS[edit.row] == (edit.text, edit.label)


def test_the_same_batch_gives_the_same_edits_whatever_its_order():
    turned = records(BARE)[::-1]
    for kind in ("rules", "definitions"):
        assert Contrast().propose(kind, BARE, records(BARE)) == Contrast().propose(kind, BARE, turned)


def test_the_reason_says_what_was_missed():
    missed = [Record(text, wanted, "lost") for text, wanted in ROWS]
    (edit,) = [e for e in Contrast().propose("rules", BARE, missed) if e.label == "arrival"]
    assert edit.reason == "4 of 4 records were missed, 4 of them as `lost`"


def test_phrases_are_whole():
    found = set(phrases("I am still waiting for my new card, it was sent two weeks ago."))
    assert {"still waiting", "my new card", "waiting for my new card"} <= found
    assert not {"waiting for", "my new", "for my new card", "two", "weeks"} & found


def test_a_text_is_no_phrase_of_its_own():
    assert "card declined" not in set(phrases("Card declined"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("How do I activate my card?", "asks how to activate their card"),
        ("Hi, can you send me a new one?", "asks whether we can send them a new one"),
        ("I lost my phone yesterday.", "says that they lost their phone yesterday"),
        ("Where can I use it", "asks where they can use it"),
        ("What is the exchange rate?", "asks what the exchange rate is"),
        ("I was charged a fee.", "says that they were charged a fee"),
    ],
)
def test_a_sentence_is_told_in_the_third_person(said, told):
    assert list(retold(said)) == [told]


def test_a_sentence_that_cannot_be_told_safely_is_left_out():
    assert list(retold("Why is my card not working?")) == []
