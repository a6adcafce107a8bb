"""What comparisons that decided nothing have seen, so that none is made again before there is something new to see.

It stands in the audit log, where every process that turns the wheel finds it.
"""

from __future__ import annotations

from agentsym.deploy.evolution.material import Material
from agentsym.store.live.lifecycle import Release
from agentsym.store.store import Store

EVENT = "compared"


class Compared:
    """The last comparison of a candidate that left it as it is.

    Args:
        store: where the audit log is.
        candidate: the candidate.
        policy: the hash of the policy; another policy may decide otherwise.
    """

    def __init__(self, store: Store, candidate: Release, policy: str) -> None:
        self._store, self._name, self._policy = store, candidate.deployment, policy
        self._object = f"{candidate.deployment}@{candidate.version}"

    def note(self, actor: str, reason: str, *, seen: int, wanted: int | None) -> None:
        """Note that a comparison decided nothing.

        Args:
            actor: who made it.
            reason: why.
            seen: the place of the newest feedback that it saw.
            wanted: how many new rows it takes to compare again; None: another policy.
        """
        about = {"reason": reason, "feedback": seen, "wanted": wanted, "policy": self._policy}
        self._store.audit.write(actor, EVENT, self._object, about)

    def still(self, material: Material) -> str:
        """Say why a comparison would find what the last one did; "" where there was none, or enough is new."""
        last = self._store.audit.last(EVENT, self._object)
        if last is None or (about := last.data())["policy"] != self._policy:
            return ""
        reason, wanted = str(about["reason"]), about["wanted"]
        if wanted is None:
            return reason
        new = sum(each.part == "replay" and each.judgement.seq > about["feedback"] for each in material.examples)
        return "" if new >= wanted else f"{reason}; it is compared again after {wanted - new} new rows"
