"""Whether the price of a fault grows with the agent: twelve nodes with faults in three, beside two nodes with as many.

Both agents meet the same tickets of ten kinds, eight of which need a rule. A longer chain makes an example run dearer
by definition, so calls of the student are shown but not judged; calls of the teacher and example runs a fault are.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentsym import Agent
from agentsym.learning.run import Run
from agentsym.network.parameters import Rules
from agentsym.store.store import Store
from evals.peers.__main__ import numbers
from evals.peers.agents import agent
from evals.peers.assignment import TARGET, Assignment
from evals.peers.history import blamed, versions
from evals.peers.ours import findings
from evals.peers.processes import server
from evals.peers.task import Task

CHAINS = (2, 12)
MOST = 1.3  # times the short chain's figure
RIGHT = 0.9  # share of the blames
_SUMMED = ("faults", "teacher_calls", "example_runs", "student_calls", "blames", "right")


@dataclass(frozen=True)
class Scattered(Task):
    """The task with all its faults in three nodes at most: first, middle and last of the chain."""

    @property
    def faulty(self) -> tuple[str, ...]:
        """The nodes that need rules."""
        nodes = self.nodes
        return tuple(dict.fromkeys((nodes[0], nodes[len(nodes) // 2], nodes[-1])))

    def needs(self, kind: int) -> tuple[str, ...]:
        """Return the node that answers a kind only with its rule; the first and the last kind are free."""
        if kind in (0, self.kinds - 1):
            return ()
        return (self.faulty[(kind - 1) % len(self.faulty)],)


def measure(url: str, chain: int, seeds: Sequence[int], data_seeds: Sequence[int]) -> dict[str, Any]:
    """Let a chain of so many nodes learn once with each seed, and return the sums."""
    found: dict[str, Any] = {"chain": chain, "runs": 0, "reached": 0, "errors": 0, **dict.fromkeys(_SUMMED, 0)}
    for seed in seeds:
        train, val, forward = (base + 10 * seed for base in data_seeds)
        task = Scattered(chain=chain, data_seeds=(train, val, forward))
        with tempfile.TemporaryDirectory() as folder:
            row, run = findings(Assignment(url, task, seed, 0.0, {}), Path(folder))
            with Store.open(Path(folder) / "store.db") as store:
                right = [is_right(task, *each) for each in told(store, run, task)]
        found["runs"] += 1
        found["reached"] += row["val_fresh"] >= TARGET
        found["errors"] += row["errors"]
        found["faults"] += sum(bool(task.needs(kind)) for kind in range(task.kinds))
        found["teacher_calls"] += row["backward_calls"] + row["optimizer_calls"]
        found["example_runs"] += example_runs(run, task)
        found["student_calls"] += row["student_calls"]
        found["blames"] += len(right)
        found["right"] += sum(right)
    return found


def told(store: Store, run: Run[Agent], task: Task) -> list[tuple[int, str, Agent]]:
    """Return for each blame of a run the kind of the ticket, the node that is blamed most, and the version."""
    known = versions(store, run.id, agent(task))
    kinds = {f"t-{ticket.number}": ticket.kind for ticket in task.tickets("train")}
    return [
        (kinds[blame.example_id], max(blame.shares, key=lambda node: blame.shares[node], default=""), known[version])
        for version, blame in blamed(store, run.id)
    ]


def is_right(task: Task, kind: int, node: str, version: Agent) -> bool:
    """Say whether a node is at fault when a version fails on a kind: it has no rule for it, or a harmful one."""
    rules = rules_of(version)
    missing = [needed for needed in task.needs(kind) if f"{task.markers.rule}k{kind}:" not in rules[needed]]
    return node in missing if task.needs(kind) else task.markers.bad in rules.get(node, "")


def rules_of(version: Agent) -> dict[str, str]:
    """Return node → all its rules as one text."""
    lists = {path.partition("/")[0]: item for path, item in version.parameters().items() if isinstance(item, Rules)}
    return {node: "\n".join(rule.text for rule in item.value) for node, item in lists.items()}


def example_runs(run: Run[Agent], task: Task) -> int:
    """Return how many runs of one ticket a run needed: each ends in one answer of the last node, cached or not."""
    uses = [usage for (_, node), usage in run.ledger.entries().items() if node == task.nodes[-1]]
    return sum(usage.calls + usage.cached for usage in uses)


def main() -> None:
    """Print the table, or with --json the rows; exit code 1 where a line does not hold or the server had errors."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.peers.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4), help="default 0,1,2,3,4")
    parser.add_argument("--data-seeds", type=numbers, default=(1, 2, 3), help="of seed 0 (default 1,2,3)")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = parser.parse_args()
    if len(options.data_seeds) != 3:
        parser.error("--data-seeds takes three numbers: of train, val and the forward set")
    with server() as url:
        found = [measure(url, chain, options.seeds, options.data_seeds) for chain in CHAINS]
    print(json.dumps(found, indent=1) if options.json else _table(found))
    if any(row["errors"] for row in found):
        sys.exit("error: the server could not answer every request, so these figures are not valid")
    if failed := broken_lines(*found):
        sys.exit(f"error: a line does not hold: {'; '.join(failed)}")


def broken_lines(short: Mapping[str, Any], long: Mapping[str, Any]) -> list[str]:
    """Return the lines that do not hold of the long chain."""
    failed = [] if long["right"] >= RIGHT * long["blames"] else [f"blame is right in {RIGHT:g} of all cases"]
    for name in ("teacher_calls", "example_runs"):
        if long[name] / long["faults"] > MOST * short[name] / short["faults"]:
            failed.append(f"{name.replace('_', ' ')} a fault are ≤ {MOST:g} × those of {short['chain']} nodes")
    return failed


def _table(found: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"{'nodes':>6}{'runs':>6}{'reached':>9}{'faults':>8}{'blames':>8}{'right':>7}"
        f"{'teacher/fault':>15}{'runs/fault':>12}{'student/fault':>15}"
    ]
    lines += [
        f"{row['chain']:>6}{row['runs']:>6}{row['reached']:>9}{row['faults']:>8}{row['blames']:>8}"
        f"{row['right'] / row['blames']:>7.2f}{row['teacher_calls'] / row['faults']:>15.2f}"
        f"{row['example_runs'] / row['faults']:>12.1f}{row['student_calls'] / row['faults']:>15.1f}"
        for row in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
