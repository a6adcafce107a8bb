"""A run in a notebook: the result, the curve and what was learned, in a few lines that fit any theme."""

from __future__ import annotations

from typing import Any

from agentsym.learning.gate import mean
from agentsym.learning.report.curve import curve
from agentsym.learning.report.edits import learned
from agentsym.learning.report.findings import verdict
from agentsym.learning.report.markup import Html, el
from agentsym.learning.report.sections.learned import lines
from agentsym.learning.report.wording import count, spent
from agentsym.learning.run import Run
from agentsym.network.diff import diff

PARAMETERS, LINES = 6, 5  # what is shown of what was learned
_STYLE = """
.agentsym-run{max-width:720px;--mark:#12877e;--plus:#2f8f57;--minus:#c2564b;--paper:transparent;
--soft:color-mix(in srgb,currentColor 70%,transparent);--line:color-mix(in srgb,currentColor 15%,transparent)}
.agentsym-run p{margin:.2em 0}
.agentsym-run small{opacity:.75}
.agentsym-run .unseen{display:none}
.agentsym-run ol{list-style:none;margin:0 0 .5em;padding:0}
.agentsym-run li{padding:1px 0 1px 1.4em;text-indent:-1.1em;white-space:pre-wrap}
.agentsym-run .plus::before{content:"+ ";color:var(--plus);font-weight:700}
.agentsym-run .minus::before{content:"\\2212 ";color:var(--minus);font-weight:700}
.agentsym-run .both::before{content:"~ "}
.agentsym-run ins{color:var(--plus);text-decoration:underline}
.agentsym-run del{color:var(--minus)}
"""


def compact(run: Run[Any]) -> str:
    """Return a run as HTML for a notebook."""
    total = run.ledger.total()
    return el(
        "div",
        el("style", Html(_STYLE)),
        el("p", el("b", f"{run.first.name}: {_scores(run)}")),
        el("p", verdict(run)),
        el(
            "p",
            el(
                "small",
                f"run {run.id}, {run.status}; {count(len(run.steps), 'step')}, {run.accepted} accepted; "
                f"{spent(total.calls, total.tokens, total.usd)}",
            ),
        ),
        curve(run.course),
        _changes(run),
        class_="agentsym-run",
    )


def _scores(run: Run[Any]) -> str:
    if run.tested is not None:
        return f"{mean(run.tested.before):.3f} → {mean(run.tested.after):.3f} on {run.tested.rows} rows"
    return "no score yet" if run.val is None else f"{run.val[0]:.3f} → {run.val[1]:.3f} on validation"


def _changes(run: Run[Any]) -> Html | None:
    found = learned(diff(run.first, run.best))
    if not found:
        return None
    parts = []
    for view in found[:PARAMETERS]:
        left = len(view.lines) - LINES
        more = el("small", f"and {left} more") if left > 0 else None
        parts.append(el("div", el("code", view.about), lines(view.lines[:LINES]), more))
    if len(found) > PARAMETERS:
        parts.append(el("small", f"and {count(len(found) - PARAMETERS, 'parameter')} more"))
    return el(
        "details", el("summary", f"what was learned ({count(len(found), 'parameter')})"), parts, open=len(found) == 1
    )
