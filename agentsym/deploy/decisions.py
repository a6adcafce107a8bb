"""What people decide about the versions of a deployment, on the command line and in the dashboard alike.

Whoever decides says what was live when they looked, so that nobody decides about something that they have not seen.
"""

from __future__ import annotations

from agentsym.errors import ConflictError, UsageError
from agentsym.store.live.lifecycle import LEGAL, OPEN, Release
from agentsym.store.store import Store


class Decisions:
    """Decisions that take effect at once. All raise ConflictError where things are not as they were seen.

    Args:
        store: where the deployment is.
        deployment: its name.
        actor: who decides.
    """

    def __init__(self, store: Store, deployment: str, actor: str) -> None:
        self._store = store
        self._name = deployment
        self._actor = actor

    def promote(self, version: str, *, expected: str, reason: str, share: float | None = None) -> None:
        """Let a candidate go live that waits for a person, was compared or is a canary.

        Args:
            version: the candidate.
            expected: the version that is live; the candidate must have been learned from it.
            reason: why.
            share: only for this share of the threads, as a canary.

        """
        release = self._release(version)
        if "live" not in LEGAL[release.state] or release.state not in OPEN:
            raise ConflictError(f"{self._name}: {version[:12]} cannot go live, it is {release.state}")
        if release.parent is not None and release.parent != expected:
            raise ConflictError(
                f"{self._name}: {version[:12]} was learned from {release.parent[:12]}, which is not live any more"
            )
        if share is None:
            self._store.releases.promote(release, expected=expected, actor=self._actor, reason=reason)
        else:
            self._store.releases.move(release, "canary", actor=self._actor, reason=reason, share=share)

    def reject(self, version: str, *, reason: str) -> None:
        """Refuse an open candidate for good."""
        release = self._release(version)
        if release.state not in OPEN:
            raise ConflictError(f"{self._name}: {version[:12]} is no open candidate, it is {release.state}")
        self._store.releases.move(release, "rejected", actor=self._actor, reason=reason)
        withdraw(self._store, release, reason)

    def roll_back(self, to: str | None, *, expected: str, reason: str) -> None:
        """Go back from `expected` to a version that was live before; None: to the one whose place it took.

        Raises:
            UsageError: `expected` is the first version, and nothing says where to go back to.
        """
        live = self._release(expected)
        target = to or live.details.get("from") or live.parent
        if target is None:
            raise UsageError(f"{live.version[:12]} is the first version; --to says where to go back to")
        release = self._release(target)
        if release.state != "superseded":
            raise ConflictError(f"{self._name}: one cannot go back to {target[:12]}, it is {release.state}")
        self._store.releases.roll_back(
            self._name, expected=live.version, to=release.version, actor=self._actor, reason=reason
        )
        withdraw(self._store, live, reason)

    def freeze(self, frozen: bool, *, reason: str) -> None:
        """Stop learning, or let it go on."""
        self._store.releases.freeze(self._name, frozen, actor=self._actor, reason=reason)

    def _release(self, version: str) -> Release:
        return self._store.releases.release(self._name, version)


def withdraw(store: Store, release: Release, reason: str) -> None:
    """Tell later runs that what the run of a version has learned did not hold."""
    run = release.details.get("run")
    if isinstance(run, str) and store.last_event(run, kind="withdrawn") is None:
        store.append(run, "withdrawn", {"version": release.version, "reason": reason})
