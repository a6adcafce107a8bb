"""Messages without end, no two alike: the trade's own, each with the number of an order.

Under load a message that came before could be answered from what the first one left behind.
"""

from __future__ import annotations

import random

from evals.deployed.world import DAYS, NEW, OLD, THINGS, Asked


def numbered(number: int, new_share: float = 0.0) -> Asked:
    """Return the message of an order; equal numbers give equal messages.

    Args:
        number: the order's.
        new_share: the share of the messages that speak of what the agent has never heard of.
    """
    rng = random.Random(number)
    new = rng.random() < new_share
    intent = rng.choice(sorted(OLD))
    way = rng.choice((NEW if new else OLD)[intent])
    message = way.format(thing=rng.choice(THINGS), day=rng.choice(DAYS))
    return Asked(f"{message} Order {number}.", intent, new)
