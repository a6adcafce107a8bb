"""Ask a served agent as 32 clients do at once, and see what serving costs beside calling the agent itself.

All are processes of their own on this machine: `agentsym serve` with tokens on, the clients, the agent called directly,
and `agentsym evolve once`, which learns a candidate and compares it while the server is asked.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping
from typing import Any

from evals.deployed.ratios import GOAL_ALONE, GOAL_CPU_MS, GOAL_LEARNING, GOAL_TAIL, Settings, measured

STUDENTS = ("embedded", "provider")


def _ratios(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    settings = Settings(args.rounds, args.seconds, args.learning, args.concurrency, args.latency_ms / 1000)
    found = {
        "python": platform.python_version(),
        "concurrency": settings.concurrency,
        "latency_ms": args.latency_ms,
        "students": [measured(student, settings) for student in args.student or STUDENTS],
    }
    return found, _ratios_table(found)


def _ratios_table(found: Mapping[str, Any]) -> str:
    columns = ("direct/s", "server/s", "ratio", "CPU ms", "over direct", "p50 ms", "p99 ms", "learning/s", "ratio")
    lines = [f"{'student':10}" + "".join(f"{name:>12}" for name in columns)]
    for row in found["students"]:
        rates = (row["direct_rate"], row["server_rate"], row["ratio"], row["server_cpu_ms"], row["cpu_ms_over_direct"])
        rest = (row["p50_ms"], row["p99_ms"], row["learning_rate"], row["learning_ratio"])
        lines.append(f"{row['student']:10}" + "".join(f"{value:>12.2f}" for value in (*rates, *rest)))
        lines.append(f"{'':10}  load average {row['load']}; learning: {row['turns']} in {row['learning_s']:.1f} s each")
        lines += [f"{'':10}  not answered: {wrong}" for wrong in row["wrong"]]
    goal = (
        f"goals: ratio at least {GOAL_ALONE} alone and {GOAL_LEARNING} while learning, at most {GOAL_CPU_MS:g} ms over "
        f"direct, p99 at most {GOAL_TAIL:g} times p50"
    )
    return "\n".join([*lines, goal])


def main() -> None:
    """Measure and print a table, or with --json one document."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.deployed.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", choices=STUDENTS, action="append", help="only with this student (default both)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of direct and server, in turns (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each (default 5)")
    parser.add_argument("--learning", type=int, default=2, help="rounds with learning beside (default 2)")
    parser.add_argument("--concurrency", type=int, default=32, help="clients (default 32)")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of the provider's double (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    found, shown = _ratios(args)
    print(json.dumps(found, indent=1) if args.json else shown)


if __name__ == "__main__":
    main()
