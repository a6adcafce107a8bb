"""HumanEval as in the paper of agent symbolic learning: pass@1 and pass@k before and after learning, held out.

--check learns nothing: it runs the canonical solutions, bodies that return None, and the solutions between fences.
Without --student and --teacher a scripted model answers, which shows that everything works and nothing of quality.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from evals.humaneval.agent import agent
from evals.humaneval.checking import add_check, checked
from evals.humaneval.score import PassesTests, figures
from evals.humaneval.scripted import RULES, answer
from evals.symbolic_learning.command import command
from evals.symbolic_learning.task import Task

TASK = Task(
    name="humaneval",
    agent=agent,
    files={"all": "humaneval.jsonl"},
    needs=("task_id", "prompt", "entry_point", "canonical_solution", "test"),
    key=lambda problem: str(problem["prompt"]),
    row=lambda problem: {
        "id": problem["task_id"],
        "problem": problem["prompt"],
        "code": problem["canonical_solution"],
    },
    metric=PassesTests,
    figures=figures,
    paper={
        "one good prompt": ("59.2", "71.7"),
        "hand-built pipeline": ("59.5", "85.0"),
        "pipeline with prompts optimized node by node": ("63.5", "82.3"),
        "DSPy": ("66.7", "77.3"),
        "agent symbolic learning": ("64.5", "85.8"),
    },
    caveats=(
        "HumanEval has no training split, so two fifths of its problems are learned from, a fifth validates, and only "
        "the rest, held out by a seeded hash, is tested; the paper learns from and tests on the same 164 problems.",
        "The problems are public, so a student may have seen their solutions.",
    ),
    student=answer,
    rules=RULES,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or its check, and return the exit code."""
    return command(TASK, argv, __doc__ or "", add=add_check, instead=checked)


if __name__ == "__main__":
    sys.exit(main())
