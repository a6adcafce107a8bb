"""The first page: which version is live and since when, what waits, how well it does and what it costs."""

from __future__ import annotations

from typing import Any

from agentsym.deploy.dashboard.chart import chart, figures, marks
from agentsym.deploy.dashboard.visits import Desk, Page, Redirect, Visit
from agentsym.errors import UsageError
from agentsym.store.live.lifecycle import OPEN, Deployment

CHANGES = ("deployed", "taken over", "promoted", "rolled_back")
WINDOWS = (1_000, 10_000, 100_000)
WINDOW = 10_000
BUCKETS = 40
MARKS = 40


def show(visit: Visit) -> Page:
    """Show how things stand."""
    desk = visit.desk
    store, name = desk.store, desk.deployment
    window = visit.number("window") or WINDOW
    if window not in WINDOWS:
        raise UsageError(f"the chart shows the newest {', '.join(map(str, WINDOWS))} requests")
    buckets = store.figures.over_time(name, most=window, buckets=BUCKETS)
    changes = store.audit.entries(deployment=name, events=CHANGES, most=MARKS)
    found = marks(buckets, changes)
    here = standing(desk)
    versions = _versions(desk, here)
    values = {
        "deployment": here,
        "since": changes[0].at if changes else here.changed,
        "candidates": store.releases.releases(name, *OPEN),
        "superseded": store.releases.releases(name, "superseded"),
        "chart": chart(buckets, found),
        "figures": figures(buckets),
        "marks": found,
        "window": window,
        "windows": WINDOWS,
        "versions": versions,
        "requests": sum(row["requests"] for row in versions),
        "failed": sum(row["failed"] for row in versions),
        "said": store.figures.said(name),
    }
    return Page("overview.html", values)


def freeze(visit: Visit) -> Redirect:
    """Stop learning, or let it go on."""
    frozen = visit.form.get("frozen") == "yes"
    visit.decisions.freeze(frozen, reason=visit.form.get("reason", "").strip())
    return Redirect(f"?done={'frozen' if frozen else 'unfrozen'}")


def roll_back(visit: Visit) -> Redirect:
    """Go back to a version that was live before."""
    reason = visit.reason()
    to, expected = visit.form.get("to", ""), visit.form.get("expected", "")
    visit.decisions.roll_back(to, expected=expected, reason=reason)
    return Redirect("?done=rolled_back")


def standing(desk: Desk) -> Deployment:
    """Return the deployment as it stands."""
    found = desk.store.releases.deployment(desk.deployment)
    if found is None:
        raise UsageError(f"there is no deployment {desk.deployment!r} in the store; `agentsym serve AGENT` makes one")
    return found


def _versions(desk: Desk, here: Deployment) -> list[dict[str, Any]]:
    """Return what each version has done, the live one first, then the others, the newest first."""
    totals, worth = desk.store.traces.totals(desk.deployment), desk.store.figures.worth(desk.deployment)
    known = desk.store.releases.releases(desk.deployment)
    states = {release.version: release.state for release in known}
    order = [here.live, *states, *sorted(totals)]
    return [
        {"version": version, "state": states.get(version, ""), "worth": worth.get(version), **totals[version]}
        for version in dict.fromkeys(order)
        if version in totals
    ]
