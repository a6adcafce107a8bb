"""How often a student whose answers flip makes the gates accept what does harm, with and without repeated comparisons.

A change does harm when the version that was accepted has a lower true score with it than without it: on 100 tickets
that no run has seen, with no answer flipped. Each seed has train and validation sets of its own, and runs are added
until enough changes were accepted. The regression gate alone keeps harm out here, so the repeats are judged without it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from agentsym import Agent
from agentsym.learning.run import Run
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.store.store import Store
from evals.peers.__main__ import numbers
from evals.peers.agents import agent
from evals.peers.assignment import TARGET, Assignment, call
from evals.peers.history import accepted
from evals.peers.ours import REPEATS, findings, score
from evals.peers.processes import server
from evals.peers.task import Task

MOST = 0.1  # share of the accepted changes that do harm, with repeats
TIMES = 2.0  # so much more of them, at least, without
REGRESSION = (Recipe().regression, 0)  # rows that must still pass
UNSEEN = 100  # tickets of the forward set
_EVEN = 1e-9


class Judged(NamedTuple):
    """What accepted changes did to the true score.

    Attributes:
        versions: gain of each accepted version over the one that it was made from.
        changes: gain by each accepted change, beside the others of its step.
    """

    versions: tuple[float, ...] = ()
    changes: tuple[float, ...] = ()

    def __add__(self, other: Judged) -> Judged:  # type: ignore[override]
        return Judged(self.versions + other.versions, self.changes + other.changes)


class Truth:
    """The true scores of versions, each found out once.

    Args:
        url: the server.
        task: the task; its forward set has the tickets.
    """

    def __init__(self, url: str, task: Task) -> None:
        self._url, self._task = url, task
        self._tickets = task.tickets("forward")[:UNSEEN]
        self._scores: dict[str, float] = {}

    def of(self, version: Agent) -> float:
        """Return a version's true score."""
        if version.version not in self._scores:
            self._scores[version.version] = asyncio.run(score(self._url, self._task, version, self._tickets))
        return self._scores[version.version]

    def judge(self, folder: Path, run: Run[Agent]) -> Judged:
        """Judge what a run accepted; the server is left without flips."""
        call(self._url, "/config", replace(self._task.world(), flip_pct=0).to_json())
        with Store.open(folder / "store.db") as store:
            steps = list(accepted(store, run.id, agent(self._task)))
        return Judged(
            tuple(self.of(step.candidate) - self.of(step.base) for step in steps),
            tuple(self.of(step.candidate) - self.of(version) for step in steps for version in step.without),
        )


def measure(
    url: str, repeats: int, bad_pct: int, data_seeds: tuple[int, int, int], enough: int, *, regression: int
) -> dict[str, Any]:
    """Let the agent learn with one seed after the other until so many changes were accepted, and count them.

    Args:
        url: the server.
        repeats: of a comparison, at most.
        bad_pct: of 100 edits, how many are harmful.
        data_seeds: of seed 0.
        enough: accepted changes.
        regression: rows that must still pass with a change.
    """
    train, val, forward = data_seeds
    judged, options = Judged(), {"repeats": repeats, "recipe": {"regression": regression}}
    rows: list[dict[str, Any]] = []
    truth = Truth(url, Task(mode="noisy", bad_pct=bad_pct, data_seeds=data_seeds))
    for seed in itertools.count():
        task = Task(mode="noisy", bad_pct=bad_pct, data_seeds=(train + 10 * seed, val + 10 * seed, forward))
        with tempfile.TemporaryDirectory() as folder:
            row, run = findings(Assignment(url, task, seed, 0.0, options), Path(folder))
            judged += truth.judge(Path(folder), run)
        rows.append(row)
        if len(judged.changes) >= enough:
            break
    return {
        "bad_pct": bad_pct,
        "repeats": repeats,
        "regression": regression,
        "runs": len(rows),
        "reached": sum(row["val_fresh"] >= TARGET for row in rows),
        "versions": len(judged.versions),
        "versions_worse": sum(gain < -_EVEN for gain in judged.versions),
        "changes": len(judged.changes),
        "changes_worse": sum(gain < -_EVEN for gain in judged.changes),
        "changes_useless": sum(abs(gain) <= _EVEN for gain in judged.changes),
        "calls": median(row["calls"] for row in rows),
        "errors": sum(row["errors"] for row in rows),
    }


def main() -> None:
    """Print the table, or with --json the rows; exit code 1 where a line does not hold or the server had errors."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.noise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bad-pct", type=numbers, default=(20, 40, 60), help="of 100 edits, how many do harm")
    parser.add_argument("--enough", type=int, default=60, help="accepted changes a row (default 60)")
    parser.add_argument("--data-seeds", type=numbers, default=(1, 2, 3), help="of seed 0 (default 1,2,3)")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = parser.parse_args()
    if len(options.data_seeds) != 3:
        parser.error("--data-seeds takes three numbers: of train, val and the forward set")
    if not options.json:
        print(_HEAD)
    found = []
    with server() as url:
        for regression, repeats, bad in itertools.product(REGRESSION, (REPEATS, 1), options.bad_pct):
            row = measure(url, repeats, bad, options.data_seeds, options.enough, regression=regression)
            found.append(row)
            if not options.json:
                print(_row(row), flush=True)
    if options.json:
        print(json.dumps(found, indent=1))
    if any(row["errors"] for row in found):
        sys.exit("error: the server could not answer every request, so these figures are not valid")
    if failed := broken_lines(found):
        sys.exit(f"error: a line does not hold: {'; '.join(failed)}")


def broken_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines that do not hold, of the changes of all rows together."""
    failed = []
    for regression in REGRESSION:
        own = [row for row in rows if row["regression"] == regression]
        if (share := harm(row for row in own if row["repeats"] > 1)) > MOST:
            failed.append(f"harm ≤ {MOST:g} with repeats (regression rows: {regression}): it is {share:.3f}")
    alone = [row for row in rows if row["regression"] == 0]
    with_repeats, without = (harm(row for row in alone if (row["repeats"] > 1) is many) for many in (True, False))
    if without == 0 or without < TIMES * with_repeats:
        failed.append(f"without repeats harm is ≥ {TIMES:g} × {with_repeats:.3f}: it is {without:.3f}")
    return failed


def harm(rows: Iterable[Mapping[str, Any]]) -> float:
    """Return the share of accepted changes that do harm."""
    counts: list[tuple[int, int]] = [(row["changes_worse"], row["changes"]) for row in rows]
    return sum(worse for worse, _ in counts) / max(1, sum(count for _, count in counts))


_HEAD = (
    f"{'bad %':>6}{'regression':>12}{'repeats':>9}{'runs':>6}{'reached':>9}{'versions':>10}{'worse':>7}"
    f"{'changes':>9}{'harmful':>9}{'useless':>9}{'share':>8}{'calls':>8}"
)


def _row(row: Mapping[str, Any]) -> str:
    return (
        f"{row['bad_pct']:>6}{row['regression']:>12}{row['repeats']:>9}{row['runs']:>6}{row['reached']:>9}"
        f"{row['versions']:>10}{row['versions_worse']:>7}{row['changes']:>9}{row['changes_worse']:>9}"
        f"{row['changes_useless']:>9}{harm([row]):>8.3f}{row['calls']:>8,.0f}"
    )


if __name__ == "__main__":
    main()
