"""Reads rules in plain English: which case a sentence is about, what it says to do, and whether it says not to.

No word is a marker: verbs and nouns have synonyms, the case may stand before or after the action, and "do not" turns
a sentence around. What says nothing of this task is passed over, as a platitude is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from evals.plain_english.meanings import ALWAYS, UNITS, Meaning, Step
from evals.plain_english.numerals import numerals


def _any(*options: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{option})" for option in options), re.IGNORECASE)


_READ_CASES: Mapping[str, re.Pattern[str]] = {
    "unused": _any(
        r"\b(?:not|never|n['\u2019]t)\b[\w\s]{0,14}\b(?:bought|buy|purchased?|paid for|pay for|taken?|kept|keep)\b",
        r"\b(?:left|stayed|put back|returned|remain\w*)\b[\w\s]{0,12}\b(?:shop|store|shelf|shelves)\b",
        r"\b(?:merely|only|just) (?:looked at|admired|considered)\b",
        r"\bwithout (?:buying|purchasing)\b",
        r"\b(?:unbought|put back|window[- ]shopping)\b",
    ),
    "ages": _any(r"\bages?\b", r"\byears? old\b", r"\bhow old\b", r"\bolder or younger\b", r"\bbirthdays?\b"),
    "words": _any(
        r"\b(?:numbers?|numerals?|quantities|amounts?)\b[\w\s,]{0,30}\b(?:words?|letters)\b",
        r"\b(?:spelled|spelt|written|words?)[- ](?:out )?(?:numbers?|numerals?|quantities|amounts?)\b",
        r"\b(?:numbers?|numerals?|quantities|amounts?)\b[\w\s,]{0,30}\bsp(?:elled|elt|elling)\b(?: out)?",
        r"\bnumber words?\b",
        r"\bwords? (?:for|like|such as|that (?:name|stand for|mean)) (?:a )?(?:numbers?|numerals?|quantities)\b",
    ),
    "dozen": _any(r"\bdozens?\b"),
    "pair": _any(r"\bpairs?\b", r"\bcouples?\b"),
    "hours": _any(r"\bhours?\b"),
    "prices": _any(r"\bprices?\b", r"\bamounts? of money\b", r"\bsums? of money\b", r"\bwhat (?:\w+ ){1,3}costs?\b"),
    "small": _any(
        r"\b(?:small|low|tiny|single[- ]digit|one[- ]digit) (?:numbers?|values?|quantities|figures)\b",
        r"\b(?:numbers?|values?|quantities|figures|anything)\b[\w\s]{0,16}\b(?:below|under|smaller than|less than)\b",
    ),
}
_SOLVE_CASES: Mapping[str, re.Pattern[str]] = {
    "fit": _any(
        r"\b(?:vehicles?|vans?|bus(?:es)?|minibus(?:es)?|cars?|taxis?|boats?|ferr(?:y|ies)|trips?|rides?|containers?)\b",
        r"\b(?:crates?|boxes|trays|bags|baskets)\b[\w\s]{0,20}\b(?:needed|required?|necessary|needs?|takes?)\b",
        r"\b(?:transport(?:ed)?|capacity|seats)\b",
    ),
    "share": _any(
        r"\bshar(?:e|es|ed|ing)\b",
        r"\bsplit(?:s|ting)?\b",
        r"\b(?:divided|distributed|handed out|dealt out)\b[\w\s]{0,12}\b(?:among|between|evenly|equally)\b",
        r"\b(?:equal|fair) (?:parts|portions|groups|piles)\b",
    ),
    "more": _any(
        r"\bhow (?:many|much) (?:more|fewer|less)\b",
        r"\b(?:more|fewer|less) (?:of \w+ )?(?:one|somebody|someone|a person) \w+ than\b",
        r"\bcompar\w+\b",
        r"\bby how (?:many|much)\b",
        r"\b(?:asks?|asked|asking|wants?|wanted|question|about|for)\b[\w\s]{0,20}\bdifferences?\b",
        r"\bhow (?:much|far) \w+er\b",
    ),
    "left": _any(
        r"\bleft(?: over)?\b(?! out)", r"\bleftovers?\b", r"\bremain\w*\b", r"\bstill (?:has|have|there|be)\b"
    ),
    "each": _any(r"\beach\b", r"\bper\b", r"\bapiece\b", r"\bevery (?!problem|question|time|case|number)\w+\b"),
}
_READ_ACTIONS: Mapping[str, re.Pattern[str]] = {
    "ignore": _any(
        r"\bignor(?:e|ing)\b",
        r"\bleav(?:e|ing)\b[^.;]{0,60}?\b(?:out|aside)\b",
        r"\bskip(?:ping)?\b",
        r"\bomit(?:ting)?\b",
        r"\bdisregard(?:ing)?\b",
        r"\bexclud(?:e|ing)\b",
        r"\bpass(?:ing)? over\b",
        r"\bdiscard(?:ing)?\b",
        r"\bdrop(?:ping)?\b",
        r"\b(?:irrelevant|beside the point)\b",
    ),
    "count": _any(
        r"\b(?:count|includ|list|read|tak|treat|writ|report|us|turn|convert|translat|chang|not|regard|consider)"
        r"(?:e|s|es|ing)?\b(?<!\bnot)(?<!\bus)",
        r"\bmultipl(?:y|ying)\b",
        r"\b(?:matters?|counts?|means?|is|are|equals?|stands? for)\b",
    ),
}
_SOLVE_ACTIONS: Mapping[str, re.Pattern[str]] = {
    "round up": _any(
        r"\bround(?:ing|ed)?\b[^.;]{0,30}?\bup(?:wards?)?\b",
        r"\bnext (?:whole|full|larger|higher) (?:number|one|integer)\b",
        r"\bone more for (?:the|any) (?:rest|remainder)\b",
        r"\bceiling\b",
    ),
    "subtract": _any(
        r"\bsubtract\w*\b",
        r"\btak(?:e|ing)\b[^.;]{0,40}?\b(?:away|off|from)\b",
        r"\bdeduct\w*\b",
        r"\bminus\b",
        r"\b(?:the|their|a) difference\b",
    ),
    "multiply": _any(r"\bmultipl\w*\b", r"\btimes\b", r"\b(?:the|their|a) product\b"),
    "divide": _any(r"\bdivid(?:e|es|ing)\b", r"\bdivision\b", r"\b(?:the|their|a) quotient\b", r"\bsplit(?:ting)?\b"),
    "add": _any(r"\badd(?:ing|ition)?\b", r"\b(?:the|their|a) (?:sum|total)\b", r"\bsum(?:ming)? up\b", r"\bplus\b"),
}
_NEGATED = re.compile(
    r"(?:\b(?:not|never|no longer|avoid|stop|without|instead of|rather than|refrain from|no need to|wrong to)"
    r"|n['\u2019]t)\s+(?:(?!but\b)\w+\s+){0,2}$",
    re.IGNORECASE,
)
_DOUBLE = re.compile(r"\b(?:double|twice)\b", re.IGNORECASE)
_MINUTES = re.compile(r"\b(?:to|into|in|as) (?:\w+ )?minutes\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+|,?\s+and\s+(?=(?:if|when|whenever|where)\b)", re.IGNORECASE)
_OPPOSITE = {"ignore": "count", "count": "ignore"}


def meanings(text: str, step: Step) -> list[Meaning]:
    """Return what a text says to a step, sentence by sentence; sentences that say nothing to it are left out."""
    return [found for sentence in _SENTENCE.split(text) for found in _read(sentence, step)]


@lru_cache(maxsize=1_000)
def in_force(text: str, step: Step) -> Mapping[str, str | int]:
    """Return case → what is to be done by a text: what is said last counts, and a negation takes back what it names."""
    known: dict[str, str | int] = {}
    for case, action, holds in meanings(text, step):
        if holds:
            known[case] = action
        elif known.get(case) == action:
            del known[case]
    return known


def _read(sentence: str, step: Step) -> Iterator[Meaning]:
    cases = _READ_CASES if step == "read" else _SOLVE_CASES
    for case, pattern in cases.items():
        if named := pattern.search(sentence):
            rest = f"{sentence[: named.start()]} … {sentence[named.end() :]}"
            said = _read_action(case, rest) if step == "read" else _solve_action(rest)
            if said is not None:
                yield Meaning(case, *said)
            return
    if step == "solve" and (said := _solve_action(sentence)) is not None:
        yield Meaning(ALWAYS, *said)


def _solve_action(sentence: str) -> tuple[str, bool] | None:
    """Return the first operation that is wanted, else the first one that is not."""
    found = list(_actions(sentence, _SOLVE_ACTIONS))
    return next((item for item in found if item[1]), found[0] if found else None)


def _read_action(case: str, sentence: str) -> tuple[str | int, bool] | None:
    """Return what is to be done with a quantity; leaving it out is the opposite of counting it."""
    found = list(_actions(sentence, _READ_ACTIONS))
    action, holds = found[0] if found else ("count", True)
    if case in UNITS and action == "count":
        factor = _factor(case, sentence)
        if factor is not None:
            return factor, holds
        return None if holds else ("ignore", True)
    if not found and case != "words":
        return None
    return (action if holds else _OPPOSITE[action]), True


def _factor(case: str, sentence: str) -> int | None:
    """Return how many of something one of a unit is, by what a sentence says."""
    values = [number.value for number in numerals(sentence)]
    values = [value for value in values if value > 1] or ([2] if _DOUBLE.search(sentence) else [])
    if values:
        return values[-1]
    return UNITS["hours"] if case == "hours" and _MINUTES.search(sentence) else None


def _actions(sentence: str, verbs: Mapping[str, re.Pattern[str]]) -> Iterator[tuple[str, bool]]:
    """Yield what a sentence says to do, and whether it wants that; a verb that is part of a longer one is none."""
    taken: list[tuple[int, int]] = []
    for action, pattern in verbs.items():
        for found in pattern.finditer(sentence):
            if any(start < found.end() and found.start() < end for start, end in taken):
                continue
            taken.append(found.span())
            yield action, _NEGATED.search(sentence[: found.start()]) is None
