"""Stop runs by caps on calls, tokens and dollars, and compare each cap with what the provider's double has billed.

Every cap lies between what the first two steps cost and what the whole run needs, and is at least ten of the largest
reservations (bytes of a request and its longest answer). The bill must not exceed the cap, must reach 80 % of it, and
the best version so far must have been saved. Beside it stands the same run without reservations, whose caps look only
at what is used already.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from evals.caps.experiment import CONCURRENCY, capped, draw, holds, needs


def measure(count: int, *, ablation: bool) -> list[dict[str, Any]]:
    """Run `count` caps, with the ablation each of them twice."""
    found = []
    for cap in draw(count, needs()):
        figures = capped(cap)
        without = capped(cap, reserve=False) if ablation else None
        found.append({**figures, "holds": holds(figures), "share without reservations": without and without["share"]})
    return found


def main() -> None:
    """Run the caps and print a table, or with --json one document; exit code 1 where one does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.caps", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many caps (default 20)")
    parser.add_argument("--no-ablation", action="store_true", help="leave out the runs without reservations")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    options = parser.parse_args()
    started = time.monotonic()
    found = measure(options.seeds, ablation=not options.no_ablation)
    seconds = round(time.monotonic() - started, 1)
    shares = [figures["share"] for figures in found]
    without = [share for figures in found if (share := figures["share without reservations"]) is not None]
    total = {
        "caps": len(found),
        "hold": sum(figures["holds"] for figures in found),
        "spent": [min(shares), max(shares)],
        "overshot without reservations": sum(share > 1.0 for share in without),
        "concurrency": CONCURRENCY,
        "seconds": seconds,
    }
    if options.json:
        print(json.dumps({**total, "runs": found}, indent=1))
    else:
        print(_table(found))
        print(
            f"{total['hold']} of {total['caps']} caps hold; {min(shares):.1%} to {max(shares):.1%} of them is spent; "
            f"without reservations {total['overshot without reservations']} of {len(without)} are overshot, "
            f"up to {max(without, default=0.0):.1%} (concurrency {CONCURRENCY}, {seconds:.0f} s)"
        )
    if total["hold"] < total["caps"]:
        sys.exit("error: a cap does not hold")


def _table(found: list[dict[str, Any]]) -> str:
    lines = [f"{'cap on':8}{'cap':>12}{'billed':>12}{'share':>8}{'without':>9}{'steps':>7}  validation"]
    for figures in found:
        before, after = figures["validation"]
        without = figures["share without reservations"]
        lines.append(
            f"{figures['kind']:8}{figures['cap']:>12,.6g}{figures['billed']:>12,.6g}{figures['share']:>8.1%}"
            f"{'' if without is None else f'{without:.1%}':>9}{figures['steps']:>7}  {before:.3f} -> {after:.3f}"
            f"{'' if figures['holds'] else '  does not hold'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
