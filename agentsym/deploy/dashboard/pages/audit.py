"""The audit log: who changed what, and whether nobody has changed the log."""

from __future__ import annotations

from agentsym.deploy.dashboard.visits import Page, Visit
from agentsym.store.live.audit import Broken

MOST = 50


def show(visit: Visit) -> Page:
    """Show entries, the newest first; on demand the whole chain is checked."""
    audit = visit.desk.store.audit
    only = visit.desk.deployment if visit.query.get("only") else None
    found = audit.entries(before=visit.number("before"), most=MOST + 1, deployment=only)
    head = audit.entries(most=1)
    verified = audit.verify() if visit.query.get("verify") else None
    values = {
        "entries": found[:MOST],
        "older": found[MOST - 1].seq if len(found) > MOST else None,
        "only": only,
        "paged": visit.number("before") is not None,
        "head": head[0] if head else None,
        "verified": bool(visit.query.get("verify")),
        "broken": verified if isinstance(verified, Broken) else None,
        "last": verified,
    }
    return Page("audit.html", values)
