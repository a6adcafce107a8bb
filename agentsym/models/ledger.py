"""The account of model calls by phase and node.

The cost model of symbolic learning is exact (so many calls for the forward pass, so many for the
gradients), and this is where it can be read off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from agentsym.models.protocol import Phase
from agentsym.network.records import Usage

_PHASES: tuple[Phase, ...] = get_args(Phase)


class Ledger:
    """What has been used, by (phase, node). A node of "" is a call that belongs to no node."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Phase, str], Usage] = {}

    def add(self, phase: Phase, node: str, usage: Usage) -> None:
        """Count one call's usage."""
        entry = self._entries.get((phase, node))
        self._entries[phase, node] = usage if entry is None else entry + usage

    def entries(self) -> dict[tuple[Phase, str], Usage]:
        """Return (phase, node) → usage, in the order of the phases, then of the nodes' names."""
        order = sorted(self._entries, key=lambda entry: (_PHASES.index(entry[0]), entry[1]))
        return {entry: self._entries[entry] for entry in order}

    def total(self) -> Usage:
        """Return the sum of everything."""
        return sum(self.entries().values(), Usage())

    def by_phase(self) -> dict[Phase, Usage]:
        """Return phase → usage, in the order in which the phases follow each other."""
        found: dict[Phase, Usage] = {}
        for (phase, _), usage in self.entries().items():
            found[phase] = found.get(phase, Usage()) + usage
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """Return the entries as a JSON value: one object an entry."""
        entries = self.entries().items()
        return [{"phase": phase, "node": node, **usage.model_dump()} for (phase, node), usage in entries]

    @classmethod
    def from_json(cls, entries: Iterable[Mapping[str, Any]]) -> Ledger:
        """Make a ledger from what `to_json` returned."""
        ledger = cls()
        for entry in entries:
            usage = {name: value for name, value in entry.items() if name not in ("phase", "node")}
            ledger.add(entry["phase"], entry["node"], Usage.model_validate(usage))
        return ledger

    def __add__(self, other: Ledger) -> Ledger:
        both = Ledger()
        for ledger in (self, other):
            for (phase, node), usage in ledger._entries.items():
                both.add(phase, node, usage)
        return both

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ledger) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]  # it changes
