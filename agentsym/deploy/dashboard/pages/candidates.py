"""The versions of the deployment: what was proposed, what came of it, and what waits for a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentsym.deploy.dashboard.pages.overview import standing
from agentsym.deploy.dashboard.visits import Desk, Page, Redirect, Visit, link
from agentsym.errors import AgentsymError
from agentsym.learning.report.edits import learned
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.sections.learned import differences
from agentsym.network.diff import diff
from agentsym.network.network import Network
from agentsym.store.live.lifecycle import OPEN, Release

SHADOW = "shadow"


def show_all(visit: Visit) -> Page:
    """List all versions: those that wait for a person, then other open ones, then the rest, the newest first."""
    desk = visit.desk
    found = desk.store.releases.releases(desk.deployment)
    found = tuple(sorted(found, key=lambda release: (release.state != "held", release.state not in OPEN)))
    return Page("candidates.html", {"deployment": standing(desk), "releases": found})


def show(visit: Visit) -> Page:
    """Show one version: where it stands, its evaluation, and what is different from its parent."""
    desk = visit.desk
    release = desk.store.releases.release(desk.deployment, visit.path["version"])
    values = {
        "deployment": standing(desk),
        "release": release,
        "open": release.state in OPEN,
        "shadow": _plain(release.details.get(SHADOW)),
        "run": _run(desk, release),
        "differences": _differences(desk, release),
        "details": {name: value for name, value in release.details.items() if name not in (SHADOW, "run")},
        "entries_of": desk.store.audit.entries(object_id=f"{desk.deployment}@{release.version}"),
    }
    return Page("candidate.html", values)


def approve(visit: Visit) -> Redirect:
    """Let a candidate go live."""
    version, expected = visit.path["version"], visit.form.get("expected", "")
    reason = visit.form.get("reason", "").strip() or "approved"
    visit.decisions.promote(version, expected=expected, reason=reason)
    return Redirect(link("candidates", version, done="approved"))


def reject(visit: Visit) -> Redirect:
    """Refuse a candidate."""
    version = visit.path["version"]
    visit.decisions.reject(version, reason=visit.reason())
    return Redirect(link("candidates", version, done="rejected"))


def _plain(found: Any) -> dict[str, Any] | None:
    """Return an evaluation as a template may look into it; it may lack anything, or be something else."""
    if not isinstance(found, Mapping):
        return None
    gain = found.get("gain")
    gain = gain if isinstance(gain, Mapping) else {"mean": gain}
    lists = {name: _texts(found.get(name)) for name in ("regressions", "reasons")}
    names = ("n", "base", "candidate", "cost_ratio", "latency_ratio")
    figures = {name: _figure(found.get(name)) for name in names}
    known = {*names, *lists, "gain"}
    return {
        **figures,
        **lists,
        "gain": {name: _figure(gain.get(name), sign="+") for name in ("mean", "low", "high")},
        "more": {str(name): value for name, value in found.items() if name not in known},
    }


def _figure(value: Any, sign: str = "") -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None if value is None else str(value)
    return f"{value:{sign}d}" if isinstance(value, int) and not sign else f"{value:{sign}.3f}"


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _run(desk: Desk, release: Release) -> str | None:
    """Return the id of the run that learned a version, if the store has it."""
    run = release.details.get("run")
    if not isinstance(run, str):
        return None
    try:
        return desk.store.run(run).id
    except AgentsymError:
        return None


def _differences(desk: Desk, release: Release) -> Html | None:
    """Return what is different from the parent; None where there is no parent."""
    if release.parent is None:
        return None
    try:
        before, after = (
            Network.model_validate(desk.store.releases.content(desk.deployment, version))
            for version in (release.parent, release.version)
        )
        return join(differences(learned(diff(before, after)))) or el("p", "Nothing that is kept.", class_="quiet")
    except (AgentsymError, ValueError) as error:
        return el("p", f"The two versions cannot be compared here: {error}", class_="quiet")
