"""Which of many edits do the harm: halving finds them with few trials, where trying each alone would cost one apiece.

Only whole lists are ever tried, so edits that do harm together, though none does alone, are found like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def culprits(items: Sequence[T], breaks: Callable[[Sequence[T]], Awaitable[bool]]) -> list[T]:
    """Return items without which the rest breaks nothing, in their order.

    Each search halves the way between a start of the list that is harmless and one that is not, so it ends at the item
    that makes the difference. One culprit of n takes at most ⌈log2 n⌉ + 1 trials, any number at most n·⌈log2 n⌉. Of
    items that do harm only together the last goes, so what should rather stay belongs to the front.

    Args:
        items: they are known to break something, all together.
        breaks: whether a part of them (in their order, at least one) breaks something; nothing breaks without any.
    """
    rest = list(items)
    found: list[T] = []
    harmless = 0  # so many of the rest, from the start, break nothing
    while rest:
        harmful = len(rest)
        while harmful - harmless > 1:
            middle = (harmless + harmful) // 2
            if await breaks(rest[:middle]):
                harmful = middle
            else:
                harmless = middle
        found.append(rest.pop(harmless))
        if harmless == len(rest) or not await breaks(rest):
            break
    return found
