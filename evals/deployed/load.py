"""Ask a served agent as 32 clients do at once, and see what serving costs beside calling the agent itself.

All are processes of their own on this machine: `agentsym serve` with tokens on, the clients, the agent called directly,
and `agentsym evolve once`, which learns a candidate and compares it while the server is asked. With --story versions go
live, one is rolled back and the server is started again under load; with --kill the server and promotions are killed
with SIGKILL; with --memory 100,000 requests are asked of one server.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from evals.deployed.kills import kills
from evals.deployed.memory import GOAL_MIB, memory
from evals.deployed.ratios import GOAL_ALONE, GOAL_CPU_MS, GOAL_LEARNING, GOAL_TAIL, Settings, measured
from evals.deployed.story import GOAL_GAP_S, story

STUDENTS = ("embedded", "provider")


class _Shown(NamedTuple):
    """What was found, as a table, and what does not hold; "" if all does."""

    found: Mapping[str, Any]
    table: str
    broken: str = ""


def _ratios(args: argparse.Namespace) -> _Shown:
    settings = Settings(args.rounds, args.seconds, args.learning, args.concurrency, args.latency_ms / 1000, args.nice)
    rows = [measured(student, settings) for student in args.student or STUDENTS]
    found = {"concurrency": settings.concurrency, "latency_ms": args.latency_ms, "students": rows}
    columns = ("direct/s", "server/s", "ratio", "CPU ms", "over direct", "p50 ms", "p99 ms", "learning/s", "ratio")
    lines = [f"{'student':10}" + "".join(f"{name:>12}" for name in columns)]
    for row in rows:
        rates = (row["direct_rate"], row["server_rate"], row["ratio"], row["server_cpu_ms"], row["cpu_ms_over_direct"])
        rest = (row["p50_ms"], row["p99_ms"], row["learning_rate"], row["learning_ratio"])
        lines.append(f"{row['student']:10}" + "".join(f"{value:>12.2f}" for value in (*rates, *rest)))
        lines.append(f"{'':10}  load average {row['load']}; learning: {row['turns']} in {row['learning_s']:.1f} s each")
        lines += [f"{'':10}  sent again or refused: {wrong}" for wrong in row["wrong"]]
    lines.append(
        f"goals: ratio at least {GOAL_ALONE} alone and {GOAL_LEARNING} while learning, at most {GOAL_CPU_MS:g} ms over "
        f"direct, p99 at most {GOAL_TAIL:g} times p50"
    )
    return _Shown(found, "\n".join(lines))


def _story(args: argparse.Namespace) -> _Shown:
    found = story(args.seconds, args.concurrency, args.latency_ms / 1000)
    start = f"{found['restart_s']:.1f} s, {found['restart_cpu_s']:.1f} CPU s, load average {found['load']}"
    table = (
        f"{found['answered']} requests answered in {found['seconds']:.0f} s by {found['versions']} versions; "
        f"{found['under way at a change']} were under way when a version changed\n"
        f"sent again: {found['sent again']}\n"
        f"longest gap between two answers {found['longest_gap_s']:.1f} s (goal: at most {GOAL_GAP_S:g}); start: {start}"
    )
    return _Shown(found, table, _named(found["wrong"]))


def _kills(args: argparse.Namespace) -> _Shown:
    found = kills(args.kill, args.seed, args.concurrency)
    table = (
        f"{found['kills']} kills: {found['traces']} answers and {found['feedback']} feedback that clients were told of "
        f"are there; promotions: {found['promotions']}"
    )
    return _Shown(found, table, _named(found["wrong"]))


def _memory(args: argparse.Namespace) -> _Shown:
    found = memory(args.requests, args.concurrency)
    lines = [f"{'requests':>10}{'MiB':>10}{'a second':>10}"]
    lines += [f"{row['requests']:>10}{row['mib']:>10.1f}{row.get('rate', 0):>10.0f}" for row in found["marks"]]
    lines.append(f"the last three differ by {found['growth_mib']:.1f} MiB (goal: at most {GOAL_MIB:g})")
    return _Shown(found, "\n".join(lines))


def _named(wrong: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {number}" for what, number in wrong.items())


def main() -> None:
    """Measure and print a table, or with --json one document; exit code 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.deployed.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--story", action="store_true", help="promotions, a rollback and a restart under load")
    what.add_argument("--kill", type=int, nargs="?", const=20, metavar="N", help="kill -9, so often (default 20)")
    what.add_argument("--memory", action="store_true", help="read the server's memory over very many requests")
    parser.add_argument("--student", choices=STUDENTS, action="append", help="only with this student (default both)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of direct and server, in turns (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each, or between events (default 5)")
    parser.add_argument("--learning", type=int, default=2, help="rounds with learning beside (default 2)")
    parser.add_argument("--nice", type=int, default=0, help="how far learning stands back: `nice -n` (default 0)")
    parser.add_argument("--requests", type=int, default=100_000, help="of --memory (default 100000)")
    parser.add_argument("--concurrency", type=int, default=32, help="clients (default 32)")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of the provider's double (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of --kill (default 0)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    chosen = _story if args.story else _kills if args.kill else _memory if args.memory else _ratios
    shown = chosen(args)
    document = {"python": platform.python_version(), **shown.found}
    print(json.dumps(document, indent=1) if args.json else shown.table)
    if shown.broken:
        sys.exit(f"error: what must not be: {shown.broken}")


if __name__ == "__main__":
    main()
