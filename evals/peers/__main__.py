"""Compare optimizers of several libraries on the toy task: calls, tokens and time to a validation score of 0.9.

Every run is a process of its own against a server of its own process, with cold caches. The server's programs reward
small additive edits that answer a visible failure; the figures say nothing about language, and libraries that never
show failures to their optimizer cannot do well here by design.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import Any

from evals.peers.assignment import TARGET, Assignment
from evals.peers.task import Task
from evals.peers.world import MODES

RUNNERS = {"agentsym": "evals.peers.ours"}
"""Library → the module that runs it."""
PEERS = ("textgrad", "dspy", "gepa", "adalflow", "trace")
"""The libraries that it is compared with, as soon as they have a runner."""
_COLUMNS = ("calls", "tokens", "student_calls", "backward_calls", "optimizer_calls", "repeats", "max_in_flight")
_MEASURED = ("wall_s", "cpu_s", "rss_mib")


@contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own, and yield its base URL."""
    with subprocess.Popen([sys.executable, "-m", "evals.peers.server"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def run(name: str, assignment: Assignment) -> dict[str, Any]:
    """Run one library in a process of its own, and return its row.

    Raises:
        SystemExit: the runner failed; what it said went to stderr.
    """
    command = [sys.executable, "-m", RUNNERS[name], assignment.to_json()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"error: the runner of {name} failed with seed {assignment.seed}; what it said stands above")
    return {"peer": name, **json.loads(done.stdout.splitlines()[-1]), **assignment.options}


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers with commas between them."""
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    """Run the comparison and print a table, or with --json the rows; exit code 1 where the server had errors."""
    parser = _parser()
    options = parser.parse_args()
    names = [options.only] if options.only else ["agentsym", *PEERS]
    for name in names:
        if name not in RUNNERS:
            print(f"{name}: there is no runner for it yet; skipped", file=sys.stderr)
    form = {"data_seeds": options.data_seeds, "bad_pct": options.bad_pct, "edits": options.edits}
    try:
        task = Task(options.kinds, options.chain, options.mode, **form)
    except ValueError as error:
        parser.error(str(error))
    own = {"optimizer": options.optimizer, "learns": options.learns}
    with server() if options.server is None else nullcontext(options.server.rstrip("/")) as url:
        rows = [
            run(name, Assignment(url, task, seed, options.latency_ms, own if name == "agentsym" else {}))
            for name in names
            if name in RUNNERS
            for seed in options.seeds
        ]
    print(json.dumps(rows, indent=1) if options.json else _table(rows))
    if any(row["errors"] for row in rows):
        sys.exit("error: the server could not answer every request, so these figures are not valid")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1), help="seeds of the libraries (default 0,1)")
    parser.add_argument("--data-seeds", type=numbers, default=(1, 2, 3), help="train,val,forward (default 1,2,3)")
    parser.add_argument("--bad-pct", type=int, default=20, help="of 100 edits, how many are harmful (default 20)")
    parser.add_argument("--kinds", type=int, default=10, help="kinds of ticket (default 10)")
    parser.add_argument("--chain", type=int, default=2, help="nodes of the agent (default 2)")
    parser.add_argument("--mode", choices=MODES, default="plain", help="form of the task (default plain)")
    parser.add_argument(
        "--edits", type=int, default=1, help="most rules in one reply of the optimizer, 0: all (default 1)"
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="the server sleeps so long (default 0)")
    parser.add_argument("--server", help="base URL of a running server, with /v1; by default one is started")
    parser.add_argument("--only", choices=["agentsym", *PEERS], help="only this library")
    parser.add_argument("--optimizer", default="symbolic", help="of agentsym (default symbolic)")
    parser.add_argument("--learns", choices=["rules", "text"], default="rules", help="what of agentsym's nodes learns")
    parser.add_argument("--json", action="store_true", help="flat rows as JSON instead of a table")
    return parser


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'peer':12}{'seed':>6}{'val':>6}{'fresh':>7}" + "".join(_head(name) for name in (*_COLUMNS, *_MEASURED))]
    lines += [
        f"{row['peer']:12}{row['seed']:>6}{row['val']:>6.2f}{row['val_fresh']:>7.2f}"
        + "".join(f"{row[name]:>{len(_head(name))},}" for name in (*_COLUMNS, *_MEASURED))
        for row in rows
    ]
    for peer in dict.fromkeys(row["peer"] for row in rows):
        own = [row for row in rows if row["peer"] == peer]
        reached = sum(row["val_fresh"] >= TARGET for row in own)
        calls, tokens = (median(row[name] for row in own) for name in ("calls", "tokens"))
        lines.append(
            f"{peer}: {reached} of {len(own)} reach {TARGET:g}; median {calls:,.0f} calls, {tokens:,.0f} tokens"
        )
    return "\n".join(lines)


def _head(name: str) -> str:
    return f"{name.removesuffix('_calls'):>{max(10, len(name.removesuffix('_calls')) + 2)}}"


if __name__ == "__main__":
    main()
