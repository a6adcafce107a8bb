"""What the rows are about: orders whose lines are added up, and texts that are quoted or said.

Rows, student and critic share these few facts, each of which is one function.
"""

from __future__ import annotations

import re
from random import Random

QUOTE, SAY = "quote", "say"
_LINE = re.compile(r"(\d+) \w+ at (\d+) each")
_ORDER = re.compile(r"\d+ \w+ at \d+ each and \d+ \w+ at \d+ each")
_THINGS = ("lamps", "desks", "mirrors", "clocks", "sofas", "carpets", "stools", "vases", "shelves", "trays")
_WHO = ("your parcel", "the order", "our driver", "the refund", "a colleague", "the spare part", "your invoice")
_WHEN = ("on monday", "next week", "this evening", "in two days", "before noon", "at the end of may", "on the 3rd")


def order(chance: Random) -> str:
    """Write an order of two lines."""
    one, two = chance.sample(_THINGS, 2)
    first, second = (f"{chance.randint(2, 9)} {thing} at {chance.randint(11, 99)} each" for thing in (one, two))
    return f"{first} and {second}"


def is_order(text: str) -> bool:
    """Say whether a text is an order."""
    return bool(_LINE.search(text))


def orders(text: str) -> list[str]:
    """Return the orders that a text names, in its order."""
    return _ORDER.findall(text)


def lines(text: str) -> list[int]:
    """Return what each line of an order comes to."""
    return [int(count) * int(price) for count, price in _LINE.findall(text)]


def total(text: str) -> int:
    """Return what an order comes to."""
    return sum(lines(text))


def has_carry(text: str) -> bool:
    """Say whether the last digits of the lines add up to ten or more."""
    return sum(line % 10 for line in lines(text)) >= 10


def slipped(text: str) -> int:
    """Return what an order comes to for one who forgets to carry."""
    return total(text) - 10 * has_carry(text)


def sentence(figure: str) -> str:
    """Put a total into a sentence."""
    return f"The total is {figure}."


def quotation(chance: Random) -> str:
    """Make up a text that has to stay as it is, to the letter."""
    letters = "".join(chance.choice("abcdefghkmnpqrstuvwxyz") for _ in range(5))
    return f"{letters}-{chance.randint(100, 999)}x"


def remark(chance: Random) -> str:
    """Make up a text that anyone would polish before it is sent."""
    return f"{chance.choice(_WHO)} comes {chance.choice(_WHEN)}, number {chance.randint(100, 999)}"


def polished(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."
