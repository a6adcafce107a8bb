"""Samplers: which rows make the batch of a step.

A batch is a function of seed and step number alone, so nothing about sampling has to be saved for a resume.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentsym.learning.protocols import Row


class EpochSampler:
    """Goes through a seeded permutation of the rows, a new one each epoch; a batch may span two epochs.

    Args:
        size: rows a batch; a smaller data set gives smaller batches.
        seed: seeds the permutations.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seed = seed

    def batch(self, rows: Sequence[Row], step: int) -> tuple[Row, ...]:
        if self.size >= len(rows):
            return tuple(rows)
        places = [divmod(step * self.size + offset, len(rows)) for offset in range(self.size)]
        orders = {epoch: self._order(len(rows), epoch) for epoch in {epoch for epoch, _ in places}}
        return tuple(rows[orders[epoch][place]] for epoch, place in places)

    def _order(self, count: int, epoch: int) -> list[int]:
        order = list(range(count))
        random.Random(f"{self.seed}/{epoch}").shuffle(order)
        return order


class ReplacementSampler:
    """Draws every row of a batch anew from all rows."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seed = seed

    def batch(self, rows: Sequence[Row], step: int) -> tuple[Row, ...]:
        draw = random.Random(f"{self.seed}/{step}")
        return tuple(draw.choice(rows) for _ in range(self.size))
