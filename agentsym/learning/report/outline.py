"""The first figures of a run as plain JSON: what every document that tells of one begins with."""

from __future__ import annotations

from typing import Any

from agentsym.learning.run import Run


def outline(run: Run[Any]) -> dict[str, Any]:
    """Return which run it is, how it ended, and from which version to which it came."""
    return {
        "run": run.id,
        "agent": run.first.name,
        "status": run.status,
        "reason": run.reason,
        "first": run.first.version,
        "best": run.best.version,
        "steps": len(run.steps),
        "accepted": run.accepted,
        "val": None if run.val is None else {"before": run.val[0], "after": run.val[1]},
    }
