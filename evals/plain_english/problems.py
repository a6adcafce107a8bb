"""Reads a word problem: which numbers stand in it and what kind each is, and which question is asked.

Student and teacher read problems alike; what to make of them is for the student's rules to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from evals.plain_english.meanings import SOLVE_CASES, UNITS
from evals.plain_english.numerals import numerals

_SENTENCE = re.compile(r"(?<=[.!?])\s+|;\s*")
_UNITS: Mapping[str, re.Pattern[str]] = {
    "dozen": re.compile(r"\s*dozens?\b", re.IGNORECASE),
    "pair": re.compile(r"(?:\s+\w+)?\s+(?:pairs?|couples?)\b", re.IGNORECASE),
    "hours": re.compile(r"(?:\s+\w+)?[\s-]+hours?\b", re.IGNORECASE),
}
_ONE = re.compile(r"\b(?:an?|one|another)\s+(?:(?:full|whole|new)\s+)?(dozen|pair|couple|hour)\b", re.IGNORECASE)
_ONE_OF = {"dozen": "dozen", "pair": "pair", "couple": "pair", "hour": "hours"}
_AGE_AFTER = re.compile(r"[\s-]*years?[\s-]+old\b|[\s-]*years of age\b", re.IGNORECASE)
_AGE_BEFORE = re.compile(r"\b(?:aged?(?: of)?|turned|turns|turning)\s+$", re.IGNORECASE)
_UNUSED = re.compile(
    r"\b(?:not|never|n['\u2019]t|without)\b[\w\s]{0,12}\b(?:buy|bought|buying|take|taken|taking|pay|paid|want|keep)\b"
    r"|\b(?:put|puts|hung|laid) (?:it|them|that|this|both) back\b|\b(?:left|leaves) (?:it|them|that) (?:there|in|on)\b"
    r"|\b(?:only|just|merely) (?:looked|admired|tried|lifted|glanced)\b|\bdecided against\b",
    re.IGNORECASE,
)
_PRICE_BEFORE = re.compile(r"(?:[$€£]|\b(?:costs?|for|paid|pays|priced at|price is|price of))\s*$", re.IGNORECASE)
_PRICE_AFTER = re.compile(r"\s*(?:dollars?|euros?|pounds?|coins?|cents)\b", re.IGNORECASE)
_SMALL = 10
_QUESTIONS: Mapping[str, re.Pattern[str]] = {
    "fit": re.compile(r"\b(?:need(?:ed|s)?|required?|requires|necessary|have to|has to|must)\b", re.IGNORECASE),
    "more": re.compile(
        r"\bhow (?:many|much) (?:\w+ )?(?:more|fewer|less)\b|\bdifference\b|\bby how (?:many|much)\b"
        r"|\bhow (?:much|far) \w+er\b",
        re.IGNORECASE,
    ),
    "left": re.compile(r"\bleft\b|\bremain\w*|\bstill\b|\bleftover", re.IGNORECASE),
}
_ANYWHERE: Mapping[str, re.Pattern[str]] = {
    "share": re.compile(
        r"\bshar(?:e|es|ed|ing)\b|\bsplits?\b|\bequal(?:ly)?\b|\bevenly\b|\bdivid\w+|\bdeals?\b|\bfairly\b",
        re.IGNORECASE,
    ),
    "each": re.compile(r"\beach\b|\bper\b|\bapiece\b|\bevery\b", re.IGNORECASE),
}


class Quantity(NamedTuple):
    """A number of a problem.

    Attributes:
        value: as it stands there, in units where it has one.
        cases: what kind it is, the names of the rules' cases; a number that is only implied ("a dozen") is `implied`.
    """

    value: int
    cases: frozenset[str]


def quantities(problem: str) -> list[Quantity]:
    """Return the numbers of a problem, in the order of the text."""
    return [quantity for sentence in _SENTENCE.split(problem) for quantity in _of_sentence(sentence)]


def asked(problem: str) -> tuple[str, ...]:
    """Return which of the second step's cases a problem is of, the most specific first."""
    question = " ".join(sentence for sentence in _SENTENCE.split(problem) if sentence.endswith("?"))
    found = {case for case, pattern in _QUESTIONS.items() if pattern.search(question)}
    found |= {case for case, pattern in _ANYWHERE.items() if pattern.search(problem)}
    return tuple(case for case in SOLVE_CASES if case in found)


def asks_for_minutes(problem: str) -> bool:
    """Say whether the question wants minutes."""
    return re.search(r"\bminutes\b[^.]*\?", problem, re.IGNORECASE) is not None


def _of_sentence(sentence: str) -> list[Quantity]:
    shared = {"unused"} if _UNUSED.search(sentence) else set()
    placed: list[tuple[int, Quantity]] = []
    for number in numerals(sentence):
        before, after = sentence[: number.start], sentence[number.end :]
        cases = {case for case in UNITS if _UNITS[case].match(after)} | shared
        if _AGE_AFTER.match(after) or _AGE_BEFORE.search(before):
            cases.add("ages")
        if _PRICE_BEFORE.search(before) or _PRICE_AFTER.match(after):
            cases.add("prices")
        if number.is_word:
            cases.add("words")
        if number.value < _SMALL:
            cases.add("small")
        placed.append((number.start, Quantity(number.value, frozenset(cases))))
    for found in _ONE.finditer(sentence):
        placed.append((found.start(), Quantity(1, frozenset({"implied", _ONE_OF[found[1].lower()], *shared}))))
    return [quantity for _, quantity in sorted(placed, key=lambda item: item[0])]
