"""What a deployment and its releases are, and the states that a release goes through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agentsym.network.canonical import Frozen

State = Literal["draft", "validated", "shadow", "held", "canary", "live", "superseded", "rolled_back", "rejected"]
OPEN: tuple[State, ...] = ("draft", "validated", "shadow", "held", "canary")
"""The states of a candidate that may still go live."""
BLOCKED: tuple[State, ...] = ("rolled_back", "rejected")
"""The states of a version that cannot come again."""
LEGAL: Mapping[State, frozenset[State]] = {
    "draft": frozenset({"validated", "rejected"}),
    "validated": frozenset({"shadow", "rejected"}),
    "shadow": frozenset({"held", "canary", "live", "rejected"}),
    "held": frozenset({"canary", "live", "rejected"}),
    "canary": frozenset({"live", "rejected"}),
    "live": frozenset({"superseded", "rolled_back"}),
    "superseded": frozenset({"live"}),
    "rolled_back": frozenset(),
    "rejected": frozenset(),
}
"""State → the states that may follow; a superseded version may be gone back to, a rolled back one never."""


class Deployment(Frozen):
    """A deployed agent as it stands.

    Attributes:
        name: the deployment's name, the agent's by default.
        live: the version that answers.
        source: the version of the agent's own files that it began with, or took over last.
        canary: a version that answers a share of the threads.
        share: that share, in [0, 1].
        frozen: nothing is learned; serving goes on.
        generation: counts its changes, so that a server sees at a glance whether anything is new.
    """

    name: str
    live: str
    source: str
    canary: str | None
    share: float
    frozen: bool
    generation: int
    changed: str


class Release(Frozen):
    """One version of a deployment.

    Attributes:
        version: its hash.
        parent: the version that it was learned from; None for the first one and for those that people wrote.
        state: where it stands.
        reason: why it came to stand there.
        details: what led to it, as plain JSON: `run` (the run that learned it), `shadow` (the evaluation) …
    """

    deployment: str
    version: str
    parent: str | None
    state: State
    reason: str
    created: str
    changed: str
    details: dict[str, Any]
