"""Traces: the requests of the deployment, found by what matters, and each with all that happened in it."""

from __future__ import annotations

from agentsym.deploy.dashboard.opinion_form import fields, opinion
from agentsym.deploy.dashboard.visits import Page, Redirect, Visit, link
from agentsym.errors import UsageError
from agentsym.store.live.traces import Trace, Wanted

MOST = 50
STATUSES = ("ok", "error", "capped", "budget")


def show_all(visit: Visit) -> Page:
    """List traces, a page at a time."""
    desk, query = visit.desk, visit.query
    judged = {"yes": True, "no": False}.get(query.get("judged", ""))
    exact = {name: query.get(name, "").strip() or None for name in ("version", "status", "thread")}
    wanted = Wanted(**exact, judged=judged)
    before, after = visit.number("before"), visit.number("after")
    traces = desk.store.traces
    found = traces.page(desk.deployment, wanted, before=before, after=after, most=MOST + 1)
    more = len(found) > MOST
    shown = found[1:] if more and after is not None else found[:MOST]
    older = more if after is None else True
    newer = before is not None if after is None else more
    values = {
        "traces": shown,
        "said": traces.feedback_of(trace.id for trace in shown),
        "filters": {**exact, "judged": query.get("judged") if judged is not None else None},
        "versions": desk.store.releases.releases(desk.deployment),
        "statuses": [(status, status) for status in STATUSES],
        "older": shown[-1].seq if shown and older else None,
        "newer": shown[0].seq if shown and newer else None,
    }
    return Page("traces.html", values)


def show(visit: Visit) -> Page:
    """Show one trace."""
    trace = _trace(visit)
    said = visit.desk.store.traces.feedback_of([trace.id])
    values = {"trace": trace, "said": said.get(trace.id, ()), "fields": fields(visit.desk, trace)}
    return Page("trace.html", values)


async def judge(visit: Visit) -> Redirect:
    """Record what a person says of a trace."""
    from asyncio import to_thread

    trace = await to_thread(_trace, visit)
    given = opinion(visit.form, await to_thread(fields, visit.desk, trace))
    await visit.desk.feedback(
        trace.id, given.kind, author=visit.actor, score=given.score, text=given.text, label=given.label
    )
    return Redirect(link("traces", trace.id, done="judged"))


def _trace(visit: Visit) -> Trace:
    found = visit.desk.store.traces.trace(visit.path["trace"])
    if found is None or found.deployment != visit.desk.deployment:
        raise UsageError("there is no such trace: it never was, or is older than traces are kept")
    return found
