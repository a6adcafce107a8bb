"""What the lexical reader promises: it knows what the prompt says, all of it, and nothing else."""

import time

import numpy as np
import pytest

from agentsym.models.lexical import Grams, LexicalReader, Reading, named

CARDS = (("card_arrival", ""), ("lost_card", ""), ("exchange_rate", ""))


def answers(reading: Reading, *texts: str) -> list[str]:
    return LexicalReader(reading, Grams()).answers(texts)


def test_bare_label_names_are_read():
    assert answers(Reading(CARDS), "What exchange rates do you use?", "I lost my card") == [
        "exchange_rate",
        "lost_card",
    ]


def test_a_definition_changes_the_answer():
    before = answers(Reading(CARDS), "my wallet was stolen on the train")
    defined = (*CARDS[:1], ("lost_card", "The wallet or the card was stolen."), *CARDS[2:])
    assert before != ["lost_card"]
    assert answers(Reading(defined), "my wallet was stolen on the train") == ["lost_card"]


def test_an_example_changes_the_answer():
    shown = Reading(CARDS, examples=(("how many yen for a pound", "exchange_rate"),))
    assert answers(shown, "how many euros for a pound") == ["exchange_rate"]


def test_a_rule_serves_the_label_in_backticks():
    text = "still nothing in the post"
    toward = [answers(Reading(CARDS, (f"Choose `{label}` for “nothing in the post”.",)), text) for label, _ in CARDS]
    assert toward == [[label] for label, _ in CARDS]


def test_a_rule_that_names_no_label_of_the_field_changes_nothing():
    texts = ["where is my card", "what is the rate"]
    plain = LexicalReader(Reading(CARDS), Grams()).scores(texts)
    ruled = LexicalReader(Reading(CARDS, ("Be kind.", "`angry` is for shouting about the rate.")), Grams()).scores(
        texts
    )
    assert np.array_equal(plain, ruled)


def test_quoted_phrases_stand_for_the_whole_clause():
    rule = "Choose `a` when the customer writes “still waiting”, not `b`; “was stolen” means `b`."
    assert named(rule, ["a", "b"]) == [
        ("still waiting", frozenset("a"), frozenset("b")),
        ("was stolen", frozenset("b"), frozenset()),
    ]


def test_a_rule_without_quotes_is_read_as_it_stands():
    assert answers(Reading(CARDS, ("`lost_card` covers a wallet left on the train.",)), "left it on the train") == [
        "lost_card"
    ]


def test_a_label_that_is_only_set_apart_loses_the_phrase():
    fields = (("refund", ""), ("charge", ""))
    text = "about my statement"
    never = LexicalReader(Reading(fields, ("Never choose `refund` for “my statement”.",)), Grams())
    assert never.score(text)["refund"] < 0.5


def test_the_same_prompt_reads_the_same_whatever_was_read_before():
    warm = Grams()
    LexicalReader(Reading((("zebra", ""), ("yak", "A shaggy animal."))), warm).scores(["a zebra on the card"])
    texts = ["card not here", "I lost it", ""]
    assert np.array_equal(
        LexicalReader(Reading(CARDS), Grams()).scores(texts), LexicalReader(Reading(CARDS), warm).scores(texts)
    )


def test_scores_sum_to_one_and_an_unknown_text_gets_no_preference():
    scores = LexicalReader(Reading(CARDS), Grams()).scores(["zzz", "", "lost card"])
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(scores[:2], 1 / 3)


def test_one_text_and_many_score_alike():
    reader = LexicalReader(Reading(CARDS), Grams())
    texts = ["my card arrived", "rate of exchange"]
    together = reader.scores(texts)
    for row, text in enumerate(texts):
        assert list(reader.score(text).values()) == pytest.approx(together[row].tolist(), abs=1e-6)


def test_every_example_is_read_as_its_own_label():
    examples = tuple((f"message about {noun} number {n}", label) for n, (noun, label) in enumerate(
        [("post", "card_arrival"), ("theft", "lost_card"), ("yen", "exchange_rate")] * 4
    ))  # fmt: skip
    assert answers(Reading(CARDS, examples=examples), *(text for text, _ in examples)) == [
        label for _, label in examples
    ]


def test_the_cache_forgets_the_oldest_and_stays_right():
    small = Grams(size=2)
    first = small.of("one two")
    small.of("three"), small.of("four")
    assert all(np.array_equal(a, b) for a, b in zip(first, small.of("one two"), strict=True))
    assert len(small._kept) == 2


def test_a_large_prompt_is_read_quickly():
    labels = [f"topic_{n}" for n in range(77)]
    examples = tuple(
        (f"please tell me about thing {n} and matter {k} of kind {n * k}", labels[n])
        for n in range(77)
        for k in range(8)
    )
    rules = tuple(f"Choose `{label}` for “thing {n} {k}”." for n, label in enumerate(labels) for k in range(5))
    started = time.process_time()
    LexicalReader(Reading(tuple((label, "") for label in labels), rules, examples), Grams())
    assert time.process_time() - started < 5  # about 0.2 s; the margin is for a busy machine
