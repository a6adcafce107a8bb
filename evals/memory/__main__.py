"""What the lessons of earlier runs are worth: related tasks learned one after the other, with the memory and without.

Calls and tokens until validation reaches 0.9, by the books of a server on this machine. Student and teacher are
programs. Where a request tells what helped elsewhere and what did not, the teacher's program goes by it 7 times in 10:
it reads those sentences as the student reads its rules, takes the first that speaks of a case which the failing run
has, words it anew, and leaves out ideas that are said to have failed. It is assumed that a language model would do
the like; how often one does is not measured here. `unrelated` has lessons of another agent's runs only, `contrary`
those of tasks that look the same, where other things are right: the cost of these is what may be lost by a memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from agentsym.learning.statistics import paired_bootstrap
from evals.memory.experiment import WAYS, figures, measure
from evals.peers.__main__ import numbers

BASE = "without"
_PAIRED = ("calls", "tokens")
_SHOWN = ("calls", "teacher_calls", "tokens", "teacher_tokens")


def main() -> None:
    """Measure each way with each seed and print the table, or with --json all rows."""
    options = _parser().parse_args()
    rows: list[dict[str, Any]] = []
    try:
        for seed in options.seeds:
            for way in options.ways:
                rows += asyncio.run(measure(seed, way, options.runs, options.before))
                print(f"seed {seed}, {way}: done", file=sys.stderr)
    except RuntimeError as error:
        sys.exit(f"error: {error}; these figures would not be valid")
    print(json.dumps(rows, indent=1) if options.json else table(rows))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the means of each way over all runs, and of each place in the order."""
    ways = list(dict.fromkeys(row["way"] for row in rows))
    lines = [f"{'':<12}" + "".join(f"{name:>16}" for name in _SHOWN) + f"{'reached':>10}"]
    for way in ways:
        reached = [row["reached"] for row in rows if row["way"] == way]
        cells = "".join(f"{fmean(figures(rows, name, way)):>16,.0f}" for name in _SHOWN)
        lines.append(f"{way:<12}{cells}{f'{sum(reached)}/{len(reached)}':>10}")
    for way in (way for way in ways if way != BASE and BASE in ways):
        gains = [paired_bootstrap(*(figures(rows, name, of) for of in (BASE, way))) for name in _PAIRED]
        said = (f"{g.mean:+,.0f} {n} ({g.low:+,.0f} to {g.high:+,.0f})" for g, n in zip(gains, _PAIRED, strict=True))
        lines.append(f"{way} beside {BASE}, run by run, 95 % interval: {', '.join(said)}")
    lines.append("calls by the place of the run in the order")
    for at in sorted({row["run"] for row in rows}):
        own = [row for row in rows if row["run"] == at]
        lines.append(f"{at + 1:<12}" + "".join(f"{way:>12} {fmean(figures(own, 'calls', way)):>6,.0f}" for way in ways))
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.memory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2), help="of the tasks and their order (0,1,2)")
    parser.add_argument("--runs", type=int, default=10, help="tasks in a row (default 10)")
    parser.add_argument("--before", type=int, default=5, help="runs that fill the store first (default 5)")
    parser.add_argument("--ways", type=_ways, default=WAYS, help=f"some of {','.join(WAYS)} (all)")
    parser.add_argument("--json", action="store_true", help="flat rows as JSON instead of a table")
    return parser


def _ways(text: str) -> tuple[str, ...]:
    ways = tuple(text.split(","))
    if unknown := [way for way in ways if way not in WAYS]:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]}; there are {', '.join(WAYS)}")
    return ways


if __name__ == "__main__":
    main()
