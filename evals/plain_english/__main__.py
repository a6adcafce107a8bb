"""Word problems whose agent learns rules in plain English: how far an optimizer comes, and what it asks for.

Student and teacher are programs behind a server on this machine. The student goes by what its prompt says in English;
of the teacher's ideas about one in five helps, and some do harm. The figures say nothing about language models.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any, get_args

from agentsym.errors import UsageError
from agentsym.learning.parts import OPTIMIZERS
from agentsym.learning.settings import Settings
from agentsym.learning.symbolic.recipe import RECIPES, Recipe
from evals.peers.__main__ import numbers
from evals.plain_english.ours import learn

GOAL = 0.9  # on problems, people and wordings that were never shown
_BLAMES = get_args(Recipe.model_fields["blame"].annotation)
_ORDERS = get_args(Settings.model_fields["order"].annotation)
_COMMENTS = get_args(Settings.model_fields["comments"].annotation)
_SCORES = ("val_before", "val", "test_before", "test")
_COUNTS = ("calls", "student_calls", "teacher_calls", "tokens", "rules")


def main() -> None:
    """Learn once for each seed and print a table, or with --json the rows."""
    parser = _parser()
    options = parser.parse_args()
    optimizer: str | Recipe = options.optimizer
    if options.blame:
        if optimizer not in RECIPES:
            parser.error(f"--blame is for {', '.join(RECIPES)}; {optimizer} has its own way")
        optimizer = RECIPES[options.optimizer].model_copy(update={"blame": options.blame})
    chosen = {name: getattr(options, name) for name in ("gate", "order", "comments", "batch")}
    settings = {"steps": options.steps, "patience": None, **{name: value for name, value in chosen.items() if value}}
    told = {name: value for name, value in {**chosen, "blame": options.blame}.items() if value}
    rows = []
    try:
        for seed in options.seeds:
            rows.append({**asyncio.run(learn(seed, optimizer, settings)), **told})
    except UsageError as error:
        parser.error(str(error))
    except RuntimeError as error:
        sys.exit(f"error: {error}; these figures would not be valid")
    print(json.dumps(rows, indent=1) if options.json else _table(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.plain_english",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="of data and trainer (0,1,2,3,4)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="symbolic", help="who learns (default symbolic)")
    parser.add_argument("--steps", type=int, default=40, help="most steps (default 40)")
    parser.add_argument("--batch", type=int, help="rows a step (default: the optimizer's own)")
    parser.add_argument("--gate", help="what decides on a version, by name; `always` takes every proposal")
    parser.add_argument("--blame", choices=_BLAMES, help="who is blamed for a failing run (not with paper)")
    parser.add_argument("--order", choices=_ORDERS, help="how back-propagation walks (paper)")
    parser.add_argument("--comments", choices=_COMMENTS, help="who comments on a failing run (default teacher)")
    parser.add_argument("--json", action="store_true", help="flat rows as JSON instead of a table")
    return parser


def _table(rows: Sequence[dict[str, Any]]) -> str:
    names = ("seed", *_SCORES, *_COUNTS)
    lines = ["".join(f"{name:>15}" for name in names) + "  stopped"]
    for row in rows:
        cells = [f"{row[name]:>15.2f}" if name in _SCORES else f"{row[name]:>15,}" for name in names]
        lines.append("".join(cells) + f"  {row['stopped']}")
    reached = sum(row["test"] >= GOAL for row in rows)
    calls, tokens = (median(row[name] for row in rows) for name in ("calls", "tokens"))
    lines.append(
        f"{rows[0]['optimizer']}: {reached} of {len(rows)} reach {GOAL:g} on the test; median {calls:,.0f} calls, "
        f"{tokens:,.0f} tokens"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
