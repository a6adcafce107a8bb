"""Draws depend on seed, step and purpose, and on nothing else."""

import os
import subprocess
import sys

from agentsym.learning.symbolic.rng import draw


def test_equal_coordinates_draw_equal_numbers_in_any_order() -> None:
    first = [draw(3, step, "parent").random() for step in range(5)]
    assert [draw(3, step, "parent").random() for step in reversed(range(5))] == first[::-1]


def test_seed_step_and_purpose_each_make_a_difference() -> None:
    numbers = {
        draw(seed, step, purpose).random()
        for seed in (-1, 0, 1, 11)
        for step in (0, 1, 11)
        for purpose in ("", "parent", "regression")
    }
    assert len(numbers) == 4 * 3 * 3


def test_another_process_with_another_hash_seed_draws_the_same() -> None:
    program = "from agentsym.learning.symbolic.rng import draw; print(draw(7, 2, 'parent').getrandbits(64))"
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert int(answer.stdout) == draw(7, 2, "parent").getrandbits(64)
