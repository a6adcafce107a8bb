"""Batches of training tickets, for libraries that leave the drawing of them to their user."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from evals.peers.task import Ticket


def batches(tickets: Sequence[Ticket], size: int, seed: int) -> Iterator[list[Ticket]]:
    """Yield batches for ever; tickets are shuffled anew each time that too few are left."""
    draw, left = random.Random(seed), list[Ticket]()
    while True:
        if len(left) < size:
            left = draw.sample(tickets, len(tickets))
        yield [left.pop() for _ in range(size)]
