"""What was answered in the place of what: counts of a choice's labels over scored rows, for the final comparison."""

from __future__ import annotations

from collections import Counter

from agentsym.learning.protocols import Evidence
from agentsym.network.network import Network

Confusion = dict[str, dict[str, dict[str, int]]]
"""Field → label that was wanted → answer → rows; a run without an answer counts under ""."""


class Confusions:
    """Counts the answers of the choice fields in an agent's output.

    Args:
        network: the agent.
    """

    def __init__(self, network: Network) -> None:
        self._counts: dict[str, dict[str, Counter[str]]] = {
            field.name: {} for field in network.output_fields() if field.type == "choice"
        }

    def add(self, item: Evidence) -> None:
        """Count one run; fields without a label are passed over."""
        for name, counts in self._counts.items():
            wanted, given = item.row.expected.get(name), item.trajectory.output.get(name)
            if wanted is not None:
                counts.setdefault(str(wanted), Counter())["" if given is None else str(given)] += 1

    def counts(self) -> Confusion:
        """Return the counts as plain values, in the order of the labels' names."""
        return {
            name: {wanted: dict(sorted(found.items())) for wanted, found in sorted(counts.items())}
            for name, counts in self._counts.items()
            if counts
        }
