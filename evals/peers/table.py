"""Run the whole comparison on this machine and write it into docs/benchmarks.md: `python -m evals.peers.table`.

All libraries whose environments are built take part, in turns, so that a busy machine harms all alike. With --rows a
comparison that was stopped goes on where it was, and a whole one is only written again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from evals.peers import environments
from evals.peers.__main__ import built, numbers
from evals.peers.catalog import ENVIRONMENTS
from evals.peers.kept import Planned, fit, missing, read, write
from evals.peers.measures import LATENCY_MS, LOADS, contestants, measured
from evals.peers.processes import RunFailed, server
from evals.peers.rendering import put, rendered
from evals.peers.results import Results, Row
from evals.peers.task import Task

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
MODES = ("plain", "coupled", "trojan")
_ROUNDS = 3  # of the forward pass, whose wall time is shown


def compared(seeds: tuple[int, ...], latency_ms: float, kept: Sequence[Row] = ()) -> Iterator[list[Row]]:
    """Yield the rows of the comparison that are missing: first those about machine and environments, then run by run.

    Args:
        seeds: of the libraries.
        latency_ms: of the server while the plain task is learned.
        kept: the rows that there are already.
    """
    if not any(row["measure"] == "machine" for row in kept):
        yield [{"measure": "machine", "seeds": len(seeds), "latency_ms": latency_ms, **_machine()}]
    known = {row["peer"] for row in kept if row["measure"] == "environment"}
    for name, environment in ENVIRONMENTS.items():
        if name not in known and (found := environments.built(environment)):
            figures = {"mib": found["mib"], "packages": len(found["versions"])}
            yield [{"measure": "environment", "peer": name, "version": environment.version, **figures}]
    left = list(missing(_runs(seeds), kept))
    with server() if left else nullcontext("") as url:
        for measure, peer, task, seed in left:
            shows_wall = measure == "learn" and task.mode == "plain"  # elsewhere nothing but calls and tokens
            try:
                yield list(measured(measure, peer, url, task, (seed,), latency_ms if shows_wall else 0.0))
            except RunFailed as error:
                yield [{"measure": measure, "peer": peer.name, "failed": str(error)}]


def _runs(seeds: tuple[int, ...]) -> Iterator[Planned]:
    """Yield every run, in order."""
    peers = built(contestants("learn"))
    for mode in MODES:
        for number, seed in enumerate(seeds):
            for peer in peers:
                if mode in peer.modes and (peer.seeds is None or number < peer.seeds):
                    yield Planned("learn", peer, Task(mode=mode), seed)
    for measure in (*LOADS, "repeat", "import"):
        own = [peer for peer in contestants(measure) if peer in peers or not peer.environment]
        for _ in range(_ROUNDS if measure == "forward" else 1):
            for peer in own:
                yield Planned(measure, peer, Task(), seeds[0])


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def main() -> None:
    """Run and write, or with --json print the rows; exit code 1 where a run failed or is not valid, 130 on Ctrl-C."""
    parser = _parser()
    args = parser.parse_args()
    try:
        put(args.page.read_text(), "")  # raises now, not in twenty minutes
        rows = read(args.rows) if args.rows else []
        if args.rows:
            write(args.rows, rows)
    except (OSError, ValueError) as error:
        parser.error(f"--page or --rows: {error}")
    if not fit(rows, args.seeds, args.latency_ms):
        parser.error(f"{args.rows} is of other seeds, or of another latency; give those, or another file")
    if args.rows:
        print(f"{args.rows} keeps {len(rows)} rows", file=sys.stderr)
    started = time.monotonic()
    try:
        for found in compared(args.seeds, args.latency_ms, tuple(rows)):
            rows += found
            if args.rows:
                write(args.rows, rows)
            for row in found:
                print(f"{time.monotonic() - started:6.0f} s  {_told(row)}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        kept = f"{len(rows)} rows are in {args.rows}, and the same command goes on" if args.rows else "no row is kept"
        print(f"stopped: {kept}", file=sys.stderr)
        sys.exit(130)
    results = Results(rows)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        args.page.write_text(put(args.page.read_text(), rendered(results)))
    if failures := results.failures() + results.faults():
        sys.exit("\n".join(f"error: {failure}" for failure in failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument(
        "--latency-ms", type=float, default=LATENCY_MS, help="while learning the plain task (default 50)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that is written (default docs/benchmarks.md)")
    parser.add_argument("--json", action="store_true", help="print the rows and write no page")
    parser.add_argument(
        "--rows",
        type=Path,
        metavar="FILE",
        help="keep the rows there as they come; what it has already is not run again, what failed is",
    )
    return parser


def _told(row: Row) -> str:
    """Return a row in a few words, for those who wait."""
    words = [row["measure"], row.get("peer", ""), row.get("mode", "")]
    figures = [f"{name} {row[name]}" for name in ("seed", "val", "calls", "tokens", "wall_s", "failed") if name in row]
    return " ".join(filter(None, words)) + ("  " + ", ".join(figures) if figures else "")


if __name__ == "__main__":
    main()
