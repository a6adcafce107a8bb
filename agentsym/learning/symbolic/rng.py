"""Randomness without a state: every draw is a function of seed, step and purpose.

Nothing of it has to be saved, a resumed run draws as the first did, and a new use of chance shifts no other.
"""

from __future__ import annotations

import random


def draw(seed: int, step: int, purpose: str) -> random.Random:
    """Return the generator for one purpose in one step, the same in every process.

    Args:
        seed: of the run.
        step: number of the step.
        purpose: what is drawn; two purposes of a step are independent.
    """
    return random.Random(f"{seed}/{step}/{purpose}")  # a text is hashed (SHA-512), whatever PYTHONHASHSEED says
