"""The problems of a task: read from the folder that the user names, and parted so that no problem stands in two sets.

The project holds none of them; what is missing is named together with where it can be had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.errors import DataError, UsageError
from evals.symbolic_learning.task import Problem

VARIABLE = "AGENTSYM_PAPER_DATA"
TRAIN, VAL = 0.4, 0.2  # the rest is for the test
_SOURCES = (
    "the project holds none of the data. HotPotQA's questions as the paper has them (CC BY-SA 4.0) lie in "
    "github.com/aiwaves-cn/agents under src/agents/datasets/data/hotpotqa, HumanEval (MIT) in "
    "github.com/openai/human-eval; write one JSON object a line: question and answer into hotpotqa_easy.jsonl, "
    "hotpotqa_medium.jsonl and hotpotqa_hard.jsonl, and task_id, prompt, entry_point, canonical_solution and test, as "
    "HumanEval has them, into humaneval.jsonl"
)


class Parts(NamedTuple):
    """The problems by what they are for."""

    train: tuple[Problem, ...]
    val: tuple[Problem, ...]
    test: tuple[Problem, ...]


def read(folder: Path | None, name: str, needs: Sequence[str]) -> tuple[Problem, ...]:
    """Read a file of problems.

    Args:
        folder: where it lies; None where nobody has said it.
        name: of the file.
        needs: the keys that every problem must have.

    Raises:
        UsageError: there is no folder, or no such file in it; says where the data can be had.
        DataError: a line is no such problem, or there is none.
    """
    if folder is None:
        raise UsageError(f"name the folder of the data with --data DIR, or in {VARIABLE}; {_SOURCES}")
    file = folder.expanduser() / name
    if not file.is_file():
        what = f"{folder} is no folder" if not folder.expanduser().is_dir() else f"{folder} has no {name}"
        raise UsageError(f"{what}; {_SOURCES}")
    lines = file.read_text("utf-8").splitlines()
    found = tuple(_problem(line, needs, f"{file}:{at}") for at, line in enumerate(lines, start=1) if line.strip())
    if not found:
        raise DataError(f"{file} has no problems; it needs one JSON object a line")
    return found


def part(problems: Sequence[Problem], key: Callable[[Problem], str], seed: int) -> Parts:
    """Part problems by a seeded hash of what tells them apart: the same seed, the same sets, whatever their order.

    Raises:
        DataError: there are too few for three sets.
    """
    known = {" ".join(key(problem).casefold().split()): problem for problem in reversed(problems)}
    order = sorted(known, key=lambda text: hashlib.sha256(f"{seed}:{text}".encode()).hexdigest())
    train, val = round(TRAIN * len(order)), round(VAL * len(order))
    sets = Parts(*(tuple(known[text] for text in texts) for texts in _cut(order, train, train + val)))
    if not all(sets):
        raise DataError(f"{len(order)} problems are too few for train, validation and test; five are the fewest")
    return sets


def _cut(texts: Sequence[str], first: int, second: int) -> tuple[Sequence[str], ...]:
    return texts[:first], texts[first:second], texts[second:]


def _problem(line: str, needs: Sequence[str], place: str) -> dict[str, Any]:
    try:
        problem = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: this line is no JSON ({error}); it needs one object a line") from error
    missing = [name for name in needs if not isinstance(problem, dict) or name not in problem]
    if missing:
        raise DataError(f"{place}: this problem lacks {', '.join(missing)}; it needs {', '.join(needs)}")
    return dict(problem)
