"""Compare optimizers of several libraries on the toy task: calls, tokens and time to a validation score of 0.9.

Every run is a process of its own against a server of its own process, with cold caches; a library whose environment is
not built (`python -m evals.peers.build`) is skipped, unless --only names it. The server's programs reward small
additive edits that answer a visible failure; the figures say nothing about language, and libraries that never show
failures to their optimizer cannot do well here by design. `python -m evals.peers.table` writes the comparison of all
into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from statistics import median
from typing import Any

from evals.peers.assignment import TARGET
from evals.peers.catalog import ENVIRONMENTS, PEERS, Peer
from evals.peers.environments import how_to_build
from evals.peers.measures import MEASURES, REPEATS, contestants, measured
from evals.peers.processes import RunFailed, fault, is_built, server
from evals.peers.task import Task
from evals.peers.world import MODES


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers with commas between them."""
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    """Run the comparison and print a table, or with --json the rows; exit code 1 where a row lacks or is not valid."""
    parser = _parser()
    options = parser.parse_args()
    form = {"data_seeds": options.data_seeds, "bad_pct": options.bad_pct, "edits": options.edits}
    try:
        task = Task(options.kinds, options.chain, options.mode, **form)
    except ValueError as error:
        parser.error(str(error))
    asked = contestants(options.measure, options.only)
    peers, rows, failures = built(asked), list[dict[str, Any]](), list[str]()
    if options.only and peers != asked:
        parser.error("what --only names has to be built first; the command stands above")
    with server() if options.server is None else nullcontext(options.server.rstrip("/")) as url:
        for peer in peers:
            if peer.name == "agentsym":
                peer = replace(peer, options={"optimizer": options.optimizer, "learns": options.learns})
            try:
                rows += measured(options.measure, peer, url, task, options.seeds, options.latency_ms)
            except RunFailed as error:
                failures.append(str(error))
    print(json.dumps(rows, indent=1) if options.json else _text(options.measure, rows))
    failures += [f"{row['peer']}: {why}, so its figures are not valid" for row in rows if (why := fault(row))]
    if failures:
        sys.exit("\n".join(f"error: {failure}" for failure in failures))


def built(peers: Sequence[Peer]) -> list[Peer]:
    """Return the contestants that can be run here, and say of the others how they can be."""
    for peer in peers:
        if not is_built(peer):
            command = how_to_build(ENVIRONMENTS[peer.environment])
            print(f"{peer.name}: its environment is not built ({command})", file=sys.stderr)
    return [peer for peer in peers if is_built(peer)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--measure",
        choices=MEASURES,
        default="learn",
        help="learn (default): optimize; forward: 500 examples of two calls, 50 ms, 32 at once; overhead: 300, 0 ms, "
        f"one at a time; identical: 32 equal requests at once; repeat: {REPEATS} runs of the first seed; import: CPU "
        "seconds of the import",
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
    parser.add_argument(
        "--only", choices=PEERS, action="append", default=[], metavar="NAME", help=f"only these, of {', '.join(PEERS)}"
    )
    parser.add_argument("--optimizer", default="symbolic", help="of agentsym (default symbolic)")
    parser.add_argument("--learns", choices=["rules", "text"], default="rules", help="what of agentsym's nodes learns")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    return parser


_COLUMNS = ("calls", "tokens", "student_calls", "backward_calls", "optimizer_calls", "repeats", "max_in_flight")
_MEASURED = ("wall_s", "cpu_s", "rss_mib")
_FORWARD = ("asked", "calls", "tokens", "wall_s", "cpu_ms_a_call", "rss_mib", "max_in_flight")
_IMPORT = ("cpu_s",)


def _text(measure: str, rows: Sequence[dict[str, Any]]) -> str:
    if measure in ("learn", "repeat"):
        return _table(rows)
    columns = _IMPORT if measure == "import" else _FORWARD
    head = f"{'peer':15}" + "".join(f"{name:>15}" for name in columns)
    return "\n".join([head, *(f"{row['peer']:15}" + "".join(f"{row[n]:>15,}" for n in columns) for row in rows)])


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'peer':15}{'seed':>6}{'val':>6}{'fresh':>7}" + "".join(_head(name) for name in (*_COLUMNS, *_MEASURED))]
    lines += [
        f"{row['peer']:15}{row['seed']:>6}{row['val']:>6.2f}{row['val_fresh']:>7.2f}"
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
