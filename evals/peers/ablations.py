"""What parts of the combined algorithm are worth on the toy task: each is taken out, and a line says what must follow.

An ablation that changes nothing would mean that the part is not wired in. The library's own seed decides little here,
as the doubles answer by what a request says and no request says a seed; so each seed has train, val and forward sets of
its own (`--data-seeds` plus ten times the seed).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from agentsym.store.store import Store
from evals.peers.__main__ import numbers
from evals.peers.assignment import TARGET, Assignment
from evals.peers.history import accepted
from evals.peers.ours import findings, score
from evals.peers.processes import server
from evals.peers.task import Task

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """What must hold of a variant's rows, beside those of the default recipe in its mode.

    Attributes:
        text: the line in words.
        holds: told the variant's rows and the default's.
    """

    text: str
    holds: Callable[[Rows, Rows], bool]


@dataclass(frozen=True)
class Variant:
    """One way to learn.

    Attributes:
        name: what is different in it.
        mode: the task's.
        options: the runner's.
        line: what must hold; None for a variant that is only shown.
        beside: the mode whose default it is compared with, if not its own.
    """

    name: str
    mode: str
    options: Mapping[str, Any] = field(default_factory=dict)
    line: Line | None = None
    beside: str = ""


def at_most(calls: int) -> Line:
    """All runs reach the target, with a median of so many calls at most."""
    return Line(f"all reach {TARGET:g}, ≤ {calls} calls", lambda own, _: reach(own) and calls_of(own) <= calls)


def at_most_times(factor: float) -> Line:
    """All runs reach the target, with so many times the default's calls at most."""
    return Line(
        f"all reach {TARGET:g}, ≤ {factor:g} × plain",
        lambda own, default: reach(own) and calls_of(own) <= factor * calls_of(default),
    )


def costs(factor: float) -> Line:
    """It costs so many times the default's calls, or not all runs reach the target."""
    return Line(
        f"≥ {factor:g} × the calls, or {TARGET:g} missed",
        lambda own, default: not reach(own) or calls_of(own) >= factor * calls_of(default),
    )


def lets_harm_in(score: float) -> Line:
    """The first version that the gates accept has a true score of so much at most (median); the default's has more."""
    return Line(
        f"true score of the first version accepted ≤ {score:g} < default's",
        lambda own, default: first_of(own) <= score < first_of(default),
    )


def reach(rows: Rows) -> bool:
    """Whether all runs reach the target, by scores past every cache and without flips."""
    return all(row["val_fresh"] >= TARGET for row in rows)


def calls_of(rows: Rows) -> float:
    """Return the median of the calls."""
    return median(float(row["calls"]) for row in rows)


def first_of(rows: Rows) -> float:
    """Return the median true score of the first versions that the gates accepted; 0 where most runs accepted none."""
    return median(float(row["first"] or 0.0) for row in rows)


VARIANTS = (
    Variant("default", "plain", line=at_most(230)),
    Variant("default", "coupled", line=at_most(300)),
    Variant("default", "trojan", line=at_most(260)),
    Variant("default", "noisy", line=at_most_times(3), beside="plain"),
    Variant("no regression gate", "trojan", {"recipe": {"regression": 0}}),
    Variant(
        "no regression gate, no pruning", "trojan", {"recipe": {"regression": 0, "prune": False}}, lets_harm_in(0.8)
    ),
    Variant("no joint gate", "coupled", {"recipe": {"joint": False}}, costs(2)),
    Variant("no cache, no single flight", "plain", {"shared": False}, costs(1.3)),
    Variant("blame shuffled", "plain", {"recipe": {"blame": "shuffled"}}, costs(1.5)),
    Variant("blame: last node", "plain", {"recipe": {"blame": "last"}}),
    Variant("blame: node by node", "plain", {"recipe": {"blame": "nodes"}}),
    Variant("recipe textgrad", "plain", {"optimizer": "textgrad"}),
    Variant("recipe gepa", "plain", {"optimizer": "gepa"}),
    Variant("optimizer paper", "plain", {"optimizer": "paper"}),
)


def measure(url: str, variant: Variant, seeds: Sequence[int], data_seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Run a variant with each seed, one after the other, and return its rows."""
    rows = []
    for seed in seeds:
        train, val, forward = (base + 10 * seed for base in data_seeds)
        task = Task(mode=variant.mode, data_seeds=(train, val, forward))
        with tempfile.TemporaryDirectory() as folder:
            row, run = findings(Assignment(url, task, seed, 0.0, variant.options), Path(folder))
            with Store.open(Path(folder) / "store.db") as store:
                passed = next(accepted(store, run.id, run.first), None)
        first = None if passed is None else asyncio.run(score(url, task, passed.candidate))
        rows.append({"variant": variant.name, "first": first, **row})
    return rows


def main() -> None:
    """Print the table, or with --json the rows; exit code 1 where a line does not hold or the server had errors."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.ablations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument("--data-seeds", type=numbers, default=(1, 2, 3), help="of seed 0 (default 1,2,3)")
    parser.add_argument("--only", help="only the modes and variants whose names have this in them")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = parser.parse_args()
    if len(options.data_seeds) != 3:
        parser.error("--data-seeds takes three numbers: of train, val and the forward set")
    shown = [v for v in VARIANTS if not options.only or options.only in f"{v.mode} {v.name}"]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}

    with server() as url:

        def rows(variant: Variant) -> list[dict[str, Any]]:
            if (key := (variant.mode, variant.name)) not in found:
                found[key] = measure(url, variant, options.seeds, options.data_seeds)
            return found[key]

        if not options.json:
            print(_HEAD)
        failed = []
        for variant in shown:
            own, default = rows(variant), rows(Variant("default", variant.beside or variant.mode))
            holds = variant.line is None or variant.line.holds(own, default)
            if not holds:
                failed.append(f"{variant.mode}, {variant.name}")
            if not options.json:
                print(_row(variant, own, default, holds=holds), flush=True)
    if options.json:
        print(json.dumps([row for own in found.values() for row in own], indent=1))
    if any(row["errors"] for own in found.values() for row in own):
        sys.exit("error: the server could not answer every request, so these figures are not valid")
    if failed:
        sys.exit(f"error: a line does not hold: {'; '.join(failed)}")


_HEAD = (
    f"{'mode':9}{'variant':28}{'reached':>8}{'calls: median (least–most)':>28}{'×':>6}"
    f"{'tokens':>9}{'first':>7}{'val':>6}{'true':>6}  must hold"
)


def _row(variant: Variant, own: Rows, default: Rows, *, holds: bool) -> str:
    calls = [row["calls"] for row in own]
    tokens, val, fresh = (median(row[name] for row in own) for name in ("tokens", "val", "val_fresh"))
    reached = f"{sum(row['val_fresh'] >= TARGET for row in own)}/{len(own)}"
    spread = f"{median(calls):,.0f} ({min(calls):,}–{max(calls):,})"
    line = "" if variant.line is None else f"  {'holds' if holds else 'FAILS'}: {variant.line.text}"
    return (
        f"{variant.mode:9}{variant.name:28}{reached:>8}{spread:>28}{calls_of(own) / calls_of(default):>6.2f}"
        f"{tokens:>9,.0f}{first_of(own):>7.2f}{val:>6.2f}{fresh:>6.2f}{line}"
    )


if __name__ == "__main__":
    main()
