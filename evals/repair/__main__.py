"""Measure whether learning mends a tool's code: held-out score of three agents before and after, by seed.

Each tool is wrong for 30 of 100 rows, and the node before it for another 15. The teacher's double knows 24 rewrites of
each tool; a quarter of them help, others break what works, do not compile, do not end, or take other arguments. With
--gate always every edit is taken; with --blame last only the node that ran last is mended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from functools import partial
from typing import Any

from evals.peers.__main__ import numbers
from evals.repair.lesson import Lesson, metric
from evals.repair.lessons import LESSONS
from evals.repair.run import Study, Way, learn, reported
from evals.repair.student import answer as student
from evals.repair.teacher import answer as teacher


def study(lesson: Lesson, seed: int) -> Study:
    """Return a lesson as something to learn."""
    rows = partial(_rows, lesson, seed)
    return Study(lesson.agent(), rows, metric, student, teacher)


def _rows(lesson: Lesson, seed: int, name: str, count: int) -> list[dict[str, Any]]:
    return lesson.rows(name, seed, count)


def main() -> None:
    """Run every lesson with every seed and print a table, or with --json the rows."""
    options = _parser().parse_args()
    way = Way(options.optimizer, options.gate, options.blame, options.steps)
    rows = []
    for name in options.tasks or LESSONS:
        for seed in options.seeds:
            run, requests = asyncio.run(learn(study(LESSONS[name], seed), seed, way))
            rows.append({"task": name, "seed": seed, **reported(run, requests)})
    print(json.dumps(rows, indent=1) if options.json else table(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.repair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=list(LESSONS), help="only these tools (default all)")
    add_way(parser)
    return parser


def add_way(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how it is learned."""
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument("--optimizer", default=Way.optimizer, help=f"of the trainer (default {Way.optimizer})")
    parser.add_argument("--gate", help="of the trainer (default the trainer's own)")
    parser.add_argument("--blame", help="of the recipe (default the recipe's own)")
    parser.add_argument("--steps", type=int, default=Way.steps, help=f"at most (default {Way.steps})")
    parser.add_argument("--json", action="store_true", help="flat rows as JSON instead of a table")


def table(rows: list[dict[str, Any]], what: str = "task") -> str:
    """Return rows as a table, with the means by `what` under it."""
    lines = [f"{what:14}{'seed':>5}{'calls':>8}{'tokens':>10}{'before':>8}{'val':>6}{'test':>6}  stopped"]
    for row in rows:
        val = "" if row["val"] is None else f"{row['val']:.2f}"
        figures = f"{row['calls']:>8,}{row['tokens']:>10,}{row['before']:>8.2f}{val:>6}{row['test']:>6.2f}"
        lines.append(f"{row[what]:14}{row['seed']:>5}{figures}  {row['stopped']}")
    for name in dict.fromkeys(row[what] for row in rows):
        tests = [row["test"] for row in rows if row[what] == name]
        lines.append(f"{name}: mean test {sum(tests) / len(tests):.3f}, least {min(tests):.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
