"""Run 500 tickets through an agent of two model calls, and through a bare langgraph loop that makes the same calls.

The provider is a double in another process that answers after 50 ms; 32 examples run at once. The rounds alternate, so
that a busy machine harms all alike, and the medians are compared: wall seconds as the median of the rounds' ratios, CPU
as what this process needs for a model call. `bare` keeps nothing and checks nothing; agentsym checks its inputs and
answers, and keeps trace, account and (with the cache on) every reply. With --memory, 100,000 examples stream through
instead and the memory in use is read on the way.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from evals.throughput.loops import NODES, Cost, bare, measured, with_cache, without_cache
from evals.throughput.memory import stream
from evals.throughput.provider import books, provider
from evals.throughput.task import desk, tickets

LOOPS = {"bare": bare, "agentsym": with_cache, "agentsym, no cache": without_cache}
GOAL_RATIO, GOAL_CPU_MS, GOAL_MIB = 1.15, 0.5, 5.0


def throughput(rows: int, rounds: int, concurrency: int, latency: float) -> dict[str, Any]:
    """Run every loop once for warmth and then `rounds` times in turns, and return the medians."""
    agent, costs = desk(), {name: list[Cost]() for name in LOOPS}
    with provider(latency) as base_url:
        for turn in range(rounds + 1):
            table = list(tickets(rows if turn else 2 * concurrency, first=10_000 * (turn + 1)))
            order = list(LOOPS.items())
            for name, loop in order[turn % len(order) :] + order[: turn % len(order)]:
                cost = measured(loop, base_url, agent, table, concurrency)
                if turn:
                    costs[name].append(cost)
            kept = books(base_url)
            if (kept["requests"], kept["repeats"]) != (len(LOOPS) * NODES * len(table), 2 * NODES * len(table)):
                raise ValueError("the loops did not send the same requests")
    return {
        "examples": rows,
        "rounds": rounds,
        "concurrency": concurrency,
        "latency_ms": 1000 * latency,
        "ideal_wall_s": round(-(-rows // concurrency) * NODES * latency, 3),
        "python": platform.python_version(),
        "loops": {name: _figures(found, costs["bare"]) for name, found in costs.items()},
    }


def _figures(found: Sequence[Cost], beside: Sequence[Cost]) -> dict[str, float]:
    ratios = [cost.wall_s / other.wall_s for cost, other in zip(found, beside, strict=True)]
    more = [cost.cpu_ms - other.cpu_ms for cost, other in zip(found, beside, strict=True)]
    return {
        "wall_s": round(statistics.median(cost.wall_s for cost in found), 3),
        "wall_ratio": round(statistics.median(ratios), 3),
        "cpu_ms_a_call": round(statistics.median(cost.cpu_ms for cost in found), 3),
        "cpu_ms_above_bare": round(statistics.median(more), 3),
    }


def _table(found: Mapping[str, Any]) -> str:
    lines = [
        f"{found['examples']} examples of {NODES} calls, {found['latency_ms']:g} ms, {found['concurrency']} at once, "
        f"medians of {found['rounds']} rounds; {found['ideal_wall_s']:g} s is ideal",
        f"{'':22}{'wall s':>8}{'ratio':>8}{'CPU ms a call':>15}{'above bare':>12}",
    ]
    for name, row in found["loops"].items():
        lines.append(
            f"{name:22}{row['wall_s']:>8.2f}{row['wall_ratio']:>8.2f}{row['cpu_ms_a_call']:>15.2f}"
            f"{row['cpu_ms_above_bare']:>12.2f}"
        )
    return "\n".join([*lines, f"goal: ratio at most {GOAL_RATIO}, at most {GOAL_CPU_MS} ms above bare"])


def main() -> None:
    """Measure and print a table, or with --json one document."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.throughput", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", action="store_true", help="read the memory in use while many examples stream")
    parser.add_argument("--rows", type=int, help="examples (default 500; with --memory 100000)")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds of each loop (default 7)")
    parser.add_argument("--concurrency", type=int, default=32, help="examples at once (default 32)")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of the provider (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    if args.memory:
        found = stream(args.rows or 100_000, args.concurrency)
        shown = (
            f"{found['examples']} examples through forward_many, answered by {found['student']}: "
            f"{found['early_mib']:.1f} MiB in use after a tenth, {found['late_mib']:.1f} at the end, "
            f"{found['growth_mib']:+.1f} (goal: less than {GOAL_MIB:g}); {found['cpu_s']:.0f} CPU s"
        )
    else:
        found = throughput(args.rows or 500, args.rounds, args.concurrency, args.latency_ms / 1000)
        shown = _table(found)
    print(json.dumps(found, indent=1) if args.json else shown)


if __name__ == "__main__":
    main()
