"""Run the whole comparison on this machine and write it into docs/benchmarks.md: `python -m evals.peers.table`.

All libraries whose environments are built take part, in turns, so that a busy machine harms all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.peers import environments
from evals.peers.__main__ import built, numbers
from evals.peers.catalog import ENVIRONMENTS
from evals.peers.measures import LATENCY_MS, LOADS, contestants, measured
from evals.peers.processes import RunFailed, fault, server
from evals.peers.rendering import put, rendered
from evals.peers.results import Results, Row
from evals.peers.task import Task

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
MODES = ("plain", "coupled", "trojan")
_ROUNDS = 3  # of the forward pass, whose wall time is shown


def compared(seeds: tuple[int, ...], latency_ms: float) -> Iterator[Row]:
    """Yield all rows of the comparison, first those about the machine and the environments."""
    yield {"measure": "machine", "seeds": len(seeds), "latency_ms": latency_ms, **_machine()}
    for name, environment in ENVIRONMENTS.items():
        if known := environments.built(environment):
            figures = {"mib": known["mib"], "packages": len(known["versions"])}
            yield {"measure": "environment", "peer": name, "version": environment.version, **figures}
    with server() as url:
        for measure, peer, task, seed in _runs(seeds):
            try:
                shows_wall = measure == "learn" and task.mode == "plain"  # elsewhere nothing but calls and tokens
                yield from measured(measure, peer, url, task, (seed,), latency_ms if shows_wall else 0.0)
            except RunFailed as error:
                yield {"measure": measure, "peer": peer.name, "failed": str(error)}


def _runs(seeds: tuple[int, ...]) -> Iterator[tuple[str, Any, Task, int]]:
    """Yield measure, contestant, task and seed of every run, in order."""
    peers = built(contestants("learn"))
    for mode in MODES:
        for number, seed in enumerate(seeds):
            for peer in peers:
                if mode in peer.modes and (peer.seeds is None or number < peer.seeds):
                    yield "learn", peer, Task(mode=mode), seed
    for measure in (*LOADS, "repeat", "import"):
        own = [peer for peer in contestants(measure) if peer in peers or not peer.environment]
        for _ in range(_ROUNDS if measure == "forward" else 1):
            for peer in own:
                yield measure, peer, Task(), seeds[0]


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
    """Run and write, or with --json print the rows; exit code 1 where a run failed or is not valid."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument(
        "--latency-ms", type=float, default=LATENCY_MS, help="while learning the plain task (default 50)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that is written (default docs/benchmarks.md)")
    parser.add_argument("--json", action="store_true", help="print the rows and write nothing")
    parser.add_argument("--rows", type=Path, help="rows that --json printed: write them again instead of running")
    args = parser.parse_args()
    page = args.page.read_text()
    put(page, "")  # raises now, not in twenty minutes
    rows: list[Row] = []
    started = time.monotonic()
    for row in json.loads(args.rows.read_text()) if args.rows else compared(args.seeds, args.latency_ms):
        rows.append(row)
        if not args.rows:
            print(f"{time.monotonic() - started:6.0f} s  {_told(row)}", file=sys.stderr, flush=True)
    results = Results(rows)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        args.page.write_text(put(page, rendered(results)))
    failures = results.failures() + [f"{row['peer']}: {why}" for row in rows if "calls" in row and (why := fault(row))]
    if failures:
        sys.exit("\n".join(f"error: {failure}" for failure in failures))


def _told(row: Row) -> str:
    """Return a row in a few words, for those who wait."""
    words = [row["measure"], row.get("peer", ""), row.get("mode", "")]
    figures = [f"{name} {row[name]}" for name in ("seed", "val", "calls", "tokens", "wall_s", "failed") if name in row]
    return " ".join(filter(None, words)) + ("  " + ", ".join(figures) if figures else "")


if __name__ == "__main__":
    main()
