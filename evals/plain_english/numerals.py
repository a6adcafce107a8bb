"""Numbers in English text, in digits or in words, with the place where they stand.

Problems, rules and answers are read with the same eyes, so that "twelve" is 12 in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += [f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
_TENS = {
    f"{stem}ty": 10 * tens
    for tens, stem in enumerate(("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine"), 2)
}
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_ONES[1:10])}))?|{'|'.join(sorted(_ONES[2:], key=len)[::-1])})"
_NUMBER = re.compile(rf"\d+(?:,\d{{3}})*|\b{_WORD}\b", re.IGNORECASE)


class Numeral(NamedTuple):
    """A number where it stands in a text; `is_word` says that it is not written in digits."""

    value: int
    start: int
    end: int
    is_word: bool


def numerals(text: str) -> Iterator[Numeral]:
    """Yield the numbers of a text in its order; "one" is not taken for a number, since it seldom counts."""
    for found in _NUMBER.finditer(text):
        is_word = not found[0][0].isdigit()
        value = _of_word(found[0].lower()) if is_word else int(found[0].replace(",", ""))
        yield Numeral(value, found.start(), found.end(), is_word)


def in_words(value: int) -> str:
    """Write a number from 0 to 99 in words."""
    if value < len(_ONES):
        return _ONES[value]
    tens = next(word for word, number in _TENS.items() if number == value - value % 10)
    return tens if value % 10 == 0 else f"{tens}-{_ONES[value % 10]}"


def _of_word(word: str) -> int:
    if word in _ONES:
        return _ONES.index(word)
    tens, _, ones = word.replace(" ", "-").partition("-")
    return _TENS[tens] + (_ONES.index(ones) if ones else 0)
