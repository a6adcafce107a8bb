"""What the server's programs know and no library is told: which node needs a rule for which kind, and the marker words.

It comes with `POST /config`, so one server serves every form of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

MODES = ("plain", "coupled", "trojan", "noisy")


class Markers(NamedTuple):
    """The words that the programs look for: of a rule, of a harmful rule, and of a ticket's kind."""

    rule: str = "RULE-"
    bad: str = "RULE-BAD"
    cue: str = "cue="


@dataclass(frozen=True)
class World:
    """One configuration of the server.

    Attributes:
        nodes: the chain, first to last.
        needs: kind → the nodes that need its rule; none for a free kind.
        markers: the marker words.
        trojan: a harmful edit comes in addition to the right one, not in its place.
        bad_pct: of 100 edits, how many are harmful.
        flip_pct: of 100 answers of the last node, how many are flipped.
        edits: the most rules in one reply of the optimizer; 0 for all that it can write.
        latency_ms: slept in every request.
    """

    nodes: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    markers: Markers = field(default_factory=Markers)
    trojan: bool = False
    bad_pct: int = 20
    flip_pct: int = 0
    edits: int = 1
    latency_ms: float = 0.0

    def is_free(self, kind: int) -> bool:
        """Say whether a kind needs no rule, and fails where a harmful one stands."""
        return not self.needs[str(kind)]

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as a JSON value."""
        return {**asdict(self), "markers": self.markers._asdict()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> World:
        """Read what `to_json` gave.

        Raises:
            TypeError: a field is unknown or missing.
        """
        needs = {kind: tuple(nodes) for kind, nodes in data["needs"].items()}
        found = {**data, "nodes": tuple(data["nodes"]), "needs": needs, "markers": Markers(**data["markers"])}
        return cls(**found)
