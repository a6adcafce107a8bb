"""Measure whether learning changes the pipeline where nothing else helps: held-out score before and after, by seed.

In variant `node` a sum is slipped on until a node is added that checks it; in variant `edge` quotations must go round a
node that is right for all other rows. The teacher's double knows more than 20 moves, of which a quarter at most helps.
With --gate always every edit is taken; with --blame last only the node that ran last is thought about.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from functools import partial
from typing import Any

from evals.repair.__main__ import add_way, table
from evals.repair.lesson import metric
from evals.repair.run import Study, Way, learn, reported
from evals.structure.student import answer as student
from evals.structure.teacher import answer as teacher
from evals.structure.variants import VARIANTS, Variant


def study(variant: Variant, seed: int) -> Study:
    """Return a variant as something to learn."""
    return Study(variant.agent(), partial(_rows, variant, seed), metric, student, teacher)


def _rows(variant: Variant, seed: int, name: str, count: int) -> list[dict[str, Any]]:
    return variant.rows(name, seed, count)


def main() -> None:
    """Run every variant with every seed and print a table, or with --json the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.structure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), help="only these (default all)")
    add_way(parser)
    options = parser.parse_args()
    way = Way(options.optimizer, options.gate, options.blame, options.steps)
    rows = []
    for name in options.variants or VARIANTS:
        for seed in options.seeds:
            run, requests = asyncio.run(learn(study(VARIANTS[name], seed), seed, way))
            rows.append({"variant": name, "seed": seed, **reported(run, requests)})
    print(json.dumps(rows, indent=1) if options.json else table(rows, "variant"))


if __name__ == "__main__":
    main()
