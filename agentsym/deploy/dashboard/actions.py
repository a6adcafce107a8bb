"""What a person may decide in the dashboard, and how that is done on the store's releases alone.

Every decision names what was live when it was made, so that nobody decides about something that they have not seen.
"""

from __future__ import annotations

from typing import Protocol

from agentsym.errors import ConflictError
from agentsym.store.live.releases import OPEN
from agentsym.store.store import Store


class Actions(Protocol):
    """Decisions about a deployment. All raise ConflictError where things are not as they were seen."""

    def approve(self, version: str, *, expected: str, actor: str, reason: str) -> None:
        """Let a candidate that waits for a person go live, where `expected` is live."""
        ...

    def reject(self, version: str, *, actor: str, reason: str) -> None:
        """Refuse an open candidate for good."""
        ...

    def roll_back(self, to: str, *, expected: str, actor: str, reason: str) -> None:
        """Go back from `expected` to a version that was live before."""
        ...

    def freeze(self, frozen: bool, *, actor: str, reason: str) -> None:
        """Stop learning, or let it go on."""
        ...


class StoreActions:
    """Decisions that take effect at once, in the store.

    Args:
        store: where the deployment is.
        deployment: its name.
    """

    def __init__(self, store: Store, deployment: str) -> None:
        self._releases = store.releases
        self._name = deployment

    def approve(self, version: str, *, expected: str, actor: str, reason: str) -> None:
        release = self._releases.release(self._name, version)
        if release.state != "held":
            raise ConflictError(f"{self._name}: {version[:12]} does not wait for approval, it is {release.state}")
        if release.parent != expected:
            raise ConflictError(
                f"{self._name}: {version[:12]} was learned from {str(release.parent)[:12]}, which is not live any more"
            )
        self._releases.promote(release, expected=expected, actor=actor, reason=reason)

    def reject(self, version: str, *, actor: str, reason: str) -> None:
        release = self._releases.release(self._name, version)
        if release.state not in OPEN:
            raise ConflictError(f"{self._name}: {version[:12]} is no open candidate, it is {release.state}")
        self._releases.move(release, "rejected", actor=actor, reason=reason)

    def roll_back(self, to: str, *, expected: str, actor: str, reason: str) -> None:
        release = self._releases.release(self._name, to)
        if release.state != "superseded":
            raise ConflictError(f"{self._name}: one cannot go back to {to[:12]}, it is {release.state}")
        self._releases.roll_back(self._name, expected=expected, to=release.version, actor=actor, reason=reason)

    def freeze(self, frozen: bool, *, actor: str, reason: str) -> None:
        self._releases.freeze(self._name, frozen, actor=actor, reason=reason)
