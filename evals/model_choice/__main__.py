"""Measure whether learning gives each node the model that it needs, and what that saves, by seed.

Two models of different price answer behind a real server. Of three nodes one needs a rule that has to be learned, and
one needs the dear model, since the cheap one forgets to carry whatever its prompt says. Part `cheapest` begins with the
dear model everywhere and takes the cheapest version within 0.01 of the best score; `from small` begins with the cheap
one and wants the best score; `must pass` is `cheapest` with must-pass rows that the cheap model breaks at one node
more. Exit code 1 where a node has not got the model that it needs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from evals.model_choice.experiment import PARTS, measure
from evals.peers.__main__ import numbers


def main() -> None:
    """Run every part with every seed and print a table, or with --json the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.model_choice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="only these (default all)")
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = parser.parse_args()
    rows = [measure(part, seed) for part in options.parts for seed in options.seeds]
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    if wrong := [row for row in rows if not row["as needed"]]:
        sys.exit(f"error: {len(wrong)} of {len(rows)} runs gave a node another model than it needs")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a table; scores are of test rows, costs of 1,000 runs by the server's bill."""
    costs = "".join(f"{name:>19}" for name in _VERSIONS)
    lines = [f"{'part':11}{'seed':>4}{'calls':>7}{'tokens':>10}{'$':>7}{costs}{'saved':>7}  models after learning"]
    for row in rows:
        used = row["learning"]
        found = "".join(f"{row[name]['score']:>9.2f}  ${row[name]['usd']:>7.4f}" for name in _VERSIONS)
        saved = 100 * (1 - row["after"]["usd"] / row["all large"]["usd"])
        asked = ", ".join(f"{node} {model.partition('/')[2]}" for node, model in row["models"].items())
        learned = f"{used['calls']:>7,}{used['tokens']:>10,}{used['usd']:>7.3f}"
        lines.append(f"{row['part']:11}{row['seed']:>4}{learned}{found}{saved:>5.0f} %  {asked}")
    return "\n".join([*lines, _LEGEND])


_VERSIONS = ("before", "after", "all large", "all small")
_LEGEND = """before, after, all large, all small: score on test rows, and cost of 1,000 runs by the server's bill
all large and all small: the learned texts, with one model everywhere; saved: after, beside all large"""


if __name__ == "__main__":
    main()
