"""How the teacher's double words a rule: in one of many ways, drawn by a number.

The phrases are ordinary English and none of them is a signal: the student has never seen this list, and reads them
as it reads any other sentence.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from evals.plain_english.meanings import ALWAYS, Meaning
from evals.plain_english.numerals import in_words

_WHEN: Mapping[str, tuple[str, ...]] = {
    "left": (
        "the question asks how many are left",
        "the question is about what remains",
        "somebody wants to know what a person still has",
        "the problem asks for the number remaining",
    ),
    "each": (
        "the text says how many there are in each",
        "a price or an amount per piece is given",
        "things cost so much apiece",
        "every thing of a kind has the same number",
    ),
    "share": (
        "things are shared by several people",
        "something is split into equal parts",
        "a number of things is divided evenly among people",
        "somebody hands a share to everyone",
    ),
    "more": (
        "the question asks how many more one has than the other",
        "two amounts are compared",
        "it asks for the difference of two things",
        "the question is by how many one is ahead",
    ),
    "fit": (
        "people need vehicles",
        "things are packed into boxes and the number of boxes needed is wanted",
        "it is asked how many trips somebody must make",
        "buses or boats are to be filled",
    ),
}
_DO: Mapping[str, tuple[str, ...]] = {
    "add": ("add the numbers", "take the sum of the numbers", "add up all that is given", "give the total"),
    "subtract": (
        "subtract the smaller number from the larger one",
        "take the smaller number away from the larger one",
        "deduct the second number from the first",
        "give the larger number minus the smaller one",
    ),
    "multiply": ("multiply the numbers", "take the product of the numbers", "take one number times the other"),
    "divide": (
        "divide the larger number by the smaller one",
        "take the quotient of the numbers",
        "use division, the larger number by the smaller one",
    ),
    "round up": (
        "divide and round up",
        "divide and go to the next whole number",
        "round the quotient up",
        "work out the quotient and allow one more for the rest",
    ),
}
_CONDITIONAL = ("When {when}, {do}.", "If {when}, {do}.", "{do} whenever {when}.", "{do} if {when}.")
_GENERAL = ("Always {do}.", "{do} in every problem.", "Whatever is asked, {do}.", "In all cases {do}.")
_THINGS: Mapping[str, tuple[str, ...]] = {
    "unused": (
        "the prices of things that were not bought",
        "what somebody only looked at",
        "amounts for things that were put back",
        "anything that a person did not take",
    ),
    "ages": ("the ages of people", "how old somebody is", "a person's age", "numbers of years that tell an age"),
    "words": (
        "numbers written as words",
        "numbers that are spelled out",
        "quantities given in words",
        "number words",
    ),
    "dozen": ("dozens", "anything that comes by the dozen", "amounts given in dozens", "numbers before a dozen"),
    "pair": ("pairs", "anything that comes in pairs", "amounts given in pairs", "numbers before a pair"),
    "hours": ("hours", "times given in hours", "every number of hours", "how many hours something takes"),
    "prices": ("prices", "amounts of money", "what things cost", "any price"),
    "small": ("small numbers", "numbers below ten", "single-digit numbers", "anything less than ten"),
}
_IGNORE = ("Ignore {thing}.", "Leave out {thing}.", "Do not list {thing}.", "Skip {thing}.", "Disregard {thing}.")
_COUNT = ("Count {thing}, too.", "Also list {thing}.", "Do not leave out {thing}.", "Include {thing} in the list.")
_ONE = {
    "dozen": ("a dozen", "each dozen", "one dozen", "every dozen"),
    "pair": ("a pair", "each pair", "one pair", "every pair"),
    "hours": ("an hour", "each hour", "one hour", "every hour"),
}
_TIMES = ("Treat {one} as {n}.", "Count {one} as {n}.", "Take {one} to be {n}.", "Note that {one} is {n}.")


def worded(meaning: Meaning, rng: random.Random) -> str:
    """Return a sentence that says what is meant, in a wording that the generator draws."""
    case, action = meaning.case, meaning.action
    if isinstance(action, int):
        number = in_words(action) if action < 100 and rng.random() < 0.5 else str(action)
        said = rng.choice(_TIMES).format(one=rng.choice(_ONE[case]), n=number)
        return said.removesuffix(".") + " minutes." if case == "hours" else said
    if action in ("count", "ignore"):
        return rng.choice(_COUNT if action == "count" else _IGNORE).format(thing=rng.choice(_THINGS[case]))
    forms = _GENERAL if case == ALWAYS else _CONDITIONAL
    said = rng.choice(forms).format(do=rng.choice(_DO[action]), when=rng.choice(_WHEN.get(case, ("",))))
    return said[0].upper() + said[1:]
