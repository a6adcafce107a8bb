"""Step by step: which failures were looked at, what was said of them, what was tried, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from agentsym.learning.course import StepRecord
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import CHANGES, DETAILED, FAILURES, ChangeView, Failure, Report, StepView
from agentsym.learning.report.sections.learned import lines
from agentsym.learning.report.wording import count, number

ROOM = 1_000_000  # bytes of all steps; what does not fit is told in a line
UNGROUPED, GROUP = 30, 20  # steps that stand without groups, and those of a group
FATES = {
    "accepted": "kept",
    "rejected": "dropped",
    "harmful": "dropped: it breaks what works",
    "refused": "no legal answer",
    "unchanged": "left alone",
}


def section(report: Report) -> Html:
    """Return all steps, those that were accepted open to be read first."""
    if not report.steps:
        return el("p", "No step was finished.", class_="quiet")
    bodies = _bodies(report.steps)
    told = len(bodies)
    shown = [_step(view, bodies.get(view.record.step)) for view in report.steps]
    note = None
    if told < len(report.steps):
        rest = number(len(report.steps) - told)
        note = el(
            "p",
            f"{told} of {len(report.steps)} steps are told in full: accepted ones first, then the latest (at most "
            f"{DETAILED}). Of the other {rest} only the outcome stands here; agentsym runs show --journal has all.",
            class_="quiet",
        )
    return join(note, _groups(report.steps, shown))


def _groups(views: Sequence[StepView], shown: Sequence[Html]) -> Sequence[Html]:
    """Put the steps of a long run into groups that open one by one; the last one is open."""
    if len(views) <= UNGROUPED:
        return shown
    found = []
    for start in range(0, len(views), GROUP):
        own = views[start : start + GROUP]
        accepted = sum(view.record.accepted for view in own)
        title = f"Steps {own[0].record.step + 1} to {own[-1].record.step + 1}: {number(accepted)} accepted"
        last = start + GROUP >= len(views)
        found.append(el("details", el("summary", title), shown[start : start + GROUP], class_="steps", open=last))
    return found


def _bodies(steps: tuple[StepView, ...]) -> dict[int, Html]:
    """Return what is told of the steps in full, as far as there is room."""
    room, found = ROOM, {}
    for view in sorted((view for view in steps if view.detailed), key=lambda view: not view.record.accepted):
        body = _body(view)
        room -= len(body.encode())
        if room < 0:
            break
        found[view.record.step] = body
    return found


def _step(view: StepView, body: Html | None) -> Html:
    record = view.record
    badge, tone = _outcome(record)
    head = [
        el("span", f"Step {record.step + 1}", class_="name"),
        el("b", badge, class_=f"badge {tone}"),
        el("span", _said(view), class_="said"),
    ]
    if body is None:
        return el("div", head, class_=f"step bare {tone}", id=f"step-{record.step + 1}")
    return el("details", el("summary", head), body, class_=f"step {tone}", id=f"step-{record.step + 1}")


def _outcome(record: StepRecord) -> tuple[str, str]:
    if record.decision is None:
        return ("validated", "plain") if record.validated else ("nothing tried", "plain")
    if not record.decision.accept:
        return "rejected", "no"
    return ("accepted", "yes") if record.held else ("not confirmed", "warn")


def _said(view: StepView) -> str:
    """Say in a line what the step did."""
    record, decision = view.record, view.record.decision
    said = []
    if record.score is not None:
        said.append(f"{count(record.rows, 'row')} of train at {record.score:.3f}")
    if decision is not None:
        said.append(f"{decision.before:.3f} → {decision.after:.3f}: {decision.reason}")
    if record.validated is not None:
        said.append(f"validation {'holds' if record.validated.accept else 'says no'}")
    return "; ".join(said) or "nothing was run"


def _body(view: StepView) -> Html:
    record = view.record
    parts = []
    if record.validated is not None:
        verdict = "Validation holds" if record.validated.accept else "Validation says no"
        parts.append(el("p", f"{verdict}: {record.validated.reason}."))
    if view.failures:
        title = f"Failures: {len(view.failures)} of {number(view.failed)}" if view.failed > FAILURES else "Failures"
        parts.append(el("h4", title))
        parts.append(el("ul", [_failure(failure) for failure in view.failures], class_="failures"))
    if view.changes:
        title = f"Changes: {CHANGES} of {number(view.proposed)}" if view.proposed > CHANGES else "Changes"
        parts.append(el("h4", title))
        parts += [_change(change) for change in view.changes]
    return el("div", parts or el("p", "Nothing was proposed.", class_="quiet"), class_="body")


def _failure(failure: Failure) -> Html:
    facts = [("in", failure.inputs), ("out", failure.output), ("wanted", failure.wanted)]
    listed = [join(el("dt", name), el("dd", value)) for name, value in facts if value]
    said = [
        el("p", el("code", node) if node else None, " ", text, class_="critique") for node, text in failure.critiques
    ]
    return el(
        "li", el("p", el("code", failure.row), f" scored {failure.score:.3f}", class_="row"), el("dl", listed), said
    )


def _change(change: ChangeView) -> Html:
    tone = {"accepted": "yes", "harmful": "no", "rejected": "no"}.get(change.fate, "plain")
    answers = f"answers {', '.join(change.answers[:6])}" + (
        f" and {len(change.answers) - 6} more" if len(change.answers) > 6 else ""
    )
    credit = None if change.credit is None else el("span", f"credit {change.credit:+.3f}", class_="credit")
    head = el(
        "p",
        el("b", FATES[change.fate], class_=f"badge {tone}"),
        el("code", change.parameter),
        credit,
        el("span", answers, class_="said") if change.answers else None,
        class_="fate",
    )
    edits = [
        el(
            "div",
            el("p", edit.about, class_="about") if edit.about != change.parameter else None,
            lines(edit.lines),
            el("p", edit.why, class_="why") if edit.why else None,
        )
        for edit in change.edits
    ]
    errors = [el("p", f"refused: {error}", class_="why") for error in change.errors]
    left = (
        el("p", f"{count(change.left_out, 'edit')} more, left out here.", class_="quiet") if change.left_out else None
    )
    return el("div", head, edits, left, errors, class_=f"proposed {tone}")
