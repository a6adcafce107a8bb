"""The rows of one comparison, asked by measure, contestant and mode."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from evals.peers.assignment import TARGET
from evals.peers.catalog import PEERS, Peer
from evals.peers.processes import fault

Row = dict[str, Any]
OURS = "agentsym"


class Results:
    """Rows, as they were printed by `evals.peers.table --json`.

    Args:
        rows: of any measures.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def of(self, measure: str, peer: str | None = None, mode: str | None = None) -> list[Row]:
        """Return the valid rows of a measure, in order."""
        return [
            row
            for row in self._rows
            if row["measure"] == measure
            and peer in (None, row.get("peer"))
            and mode in (None, row.get("mode"))
            and "failed" not in row
            and not fault(row)
        ]

    def failures(self) -> list[str]:
        """Return what went wrong where a run came to no row."""
        return [row["failed"] for row in self._rows if "failed" in row]

    def faults(self) -> list[str]:
        """Return what is wrong with rows that are not valid, and so not taken for figures."""
        return [f"{row['peer']}: {why}" for row in self._rows if (why := fault(row))]

    def learners(self, mode: str) -> list[Peer]:
        """Return who learned in a mode, in the order of the table."""
        return [peer for name, peer in PEERS.items() if self.of("learn", name, mode)]

    def median(self, measure: str, column: str, peer: str, mode: str | None = None) -> float:
        """Return the median of a column.

        Raises:
            StatisticsError: there are no such rows.
        """
        return median(float(row[column]) for row in self.of(measure, peer, mode))

    def beside(self, column: str, peer: str, other: str) -> float | None:
        """Return a forward pass' figure as a multiple of another one's, the median of the rounds; None without both."""
        pairs = zip(self.of("forward", peer), self.of("forward", other), strict=False)
        ratios = [own[column] / others[column] for own, others in pairs]
        return median(ratios) if ratios else None

    def best_other(self, column: str, mode: str) -> float | None:
        """Return the least median of the others whose every run reached the target; None without any."""
        others = [
            self.median("learn", column, peer.name, mode)
            for peer in self.learners(mode)
            if peer.name != OURS and reached(self.of("learn", peer.name, mode)) == 1.0
        ]
        return min(others, default=None)


def reached(rows: Sequence[Row]) -> float:
    """Return the share of runs that reached the target, by the score past every cache."""
    return sum(row["val_fresh"] >= TARGET for row in rows) / len(rows)
