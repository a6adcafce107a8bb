"""The task: word problems drawn from the wordings by a seed, with other numbers, people and wordings in the test.

The answer follows from the numbers that the problem was made of, so it is right whatever the wording.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from evals.plain_english.numerals import in_words
from evals.plain_english.templates import WORDINGS

Part = Literal["train", "val", "test"]
SIZES: Mapping[Part, int] = {"train": 40, "val": 40, "test": 60}
MIX = (*WORDINGS, "total", "total")
"""The kinds in the shares in which they come; `total` is right from the beginning, so there is something to lose."""
_PEOPLE = {
    "seen": ("Ada", "Bruno", "Chloe", "Dario", "Edda", "Farid", "Greta", "Hugo"),
    "unseen": ("Ines", "Jonas", "Kaya", "Luis", "Mira", "Nils", "Olga", "Piet"),
}
_THINGS = {
    "seen": ("marbles", "stamps", "shells", "apples", "buttons", "ribbons", "leaves", "tiles"),
    "unseen": ("pebbles", "badges", "acorns", "lemons", "beads", "candles", "feathers", "bricks"),
}


class Numbers(NamedTuple):
    """The numbers of a problem."""

    a: int
    b: int
    c: int = 0


Result = Callable[[Numbers], int]
RESULTS: Mapping[str, Result] = {
    "total": lambda n: n.a + n.b,
    "words": lambda n: n.a + n.b,
    "dozen": lambda n: 12 * n.a + n.b,
    "pair": lambda n: 2 * n.a + n.b,
    "hours": lambda n: 60 * n.a + n.b,
    "unused": lambda n: n.a + n.b,
    "ages": lambda n: n.a + n.b,
    "left": lambda n: n.a - n.b,
    "each": lambda n: n.a * n.b,
    "share": lambda n: n.a // n.b,
    "more": lambda n: n.a - n.b,
    "fit": lambda n: -(-n.a // n.b),
    "words and left": lambda n: n.a - n.b,
    "dozen and each": lambda n: 12 * n.a * n.b,
}


class Problem(NamedTuple):
    """One problem: its kind (no agent is told), its text and the right answer."""

    kind: str
    text: str
    answer: int


def problems(part: Part, seed: int, mix: Sequence[str] = MIX, results: Mapping[str, Result] = RESULTS) -> list[Problem]:
    """Return the problems of one part of the data, no text twice; the kinds of a mix take turns and are shuffled.

    Args:
        part: which part; it says how many there are.
        seed: of the numbers, people, things and wordings.
        mix: the kinds.
        results: kind → what is right.
    """
    rng = random.Random(f"{part} {seed}")
    kinds = [mix[at % len(mix)] for at in range(SIZES[part])]
    rng.shuffle(kinds)
    found: dict[str, Problem] = {}
    for kind in kinds:
        made = _made(kind, part, rng, results)
        while made.text in found:
            made = _made(kind, part, rng, results)
        found[made.text] = made
    return list(found.values())


def rows(
    part: Part, seed: int, mix: Sequence[str] = MIX, results: Mapping[str, Result] = RESULTS
) -> list[dict[str, str | int]]:
    """Return the problems as rows of a data set."""
    made = problems(part, seed, mix, results)
    return [{"id": f"{part}-{at}", "problem": made.text, "answer": made.answer} for at, made in enumerate(made)]


def _made(kind: str, part: Part, rng: random.Random, results: Mapping[str, Result]) -> Problem:
    side: Literal["seen", "unseen"] = "unseen" if part == "test" else "seen"
    numbers = _numbers(kind, rng, far=part == "test")
    one, two = rng.sample(_PEOPLE[side], 2)
    wording = rng.choice(getattr(WORDINGS[kind], side))
    spelled = in_words(numbers.a) if "{A}" in wording else ""
    text = wording.format(**numbers._asdict(), A=spelled, one=one, two=two, thing=rng.choice(_THINGS[side]))
    return Problem(kind, text[0].upper() + text[1:], results[kind](numbers))


def _numbers(kind: str, rng: random.Random, *, far: bool) -> Numbers:
    """Draw numbers with which a kind makes sense; those of the test lie in another range."""
    small = rng.randint(6, 9) if far else rng.randint(2, 5)
    middle = rng.randint(23, 39) if far else rng.randint(11, 22)
    large = rng.randint(61, 95) if far else rng.randint(41, 60)
    match kind:
        case "total":
            return Numbers(large, middle)
        case "words":
            return Numbers(rng.randint(13, 19) if far else rng.randint(3, 12), middle)
        case "dozen" | "pair" | "hours":
            return Numbers(small, middle)
        case "unused" | "ages":
            return Numbers(middle, large, rng.randint(14, 19) if far else rng.randint(7, 10))
        case "share":
            return Numbers(small * middle, small)
        case "fit":
            return Numbers(small * middle + rng.randint(1, small - 1), small)
        case "words and left":
            return Numbers(large if far else middle, small)
        case "each" | "dozen and each":
            return Numbers(small, middle)
        case _:
            return Numbers(large, middle)
