"""The sums: what an operation makes of some numbers, and a list of numbers read from a text.

The student carries them out and the critic does them again, so both must mean the same by "subtract".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod


def calculated(operation: str, numbers: Sequence[int]) -> int:
    """Carry out an operation on numbers in any order: the smaller ones are taken from the largest, or divide it."""
    if not numbers:
        return 0
    largest = max(numbers)
    divisor = prod(numbers) // largest if largest else 0
    match operation:
        case "subtract":
            return 2 * largest - sum(numbers)
        case "multiply":
            return prod(numbers)
        case "divide":
            return largest // divisor if divisor else 0
        case "round up":
            return -(-largest // divisor) if divisor else 0
        case _:
            return sum(numbers)


def numbers_in(text: str) -> list[int]:
    """Read a list of numbers."""
    return [int(found) for found in re.findall(r"\d+", text)]
