"""How the score went on: the curve over model calls, and the metrics of the final comparison."""

from __future__ import annotations

from agentsym.learning.gate import mean
from agentsym.learning.report.curve import curve
from agentsym.learning.report.figures import worth_changes
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.learning.report.wording import rows_named


def section(report: Report) -> Html:
    """Return the curve with its legend, and the table of scores."""
    drawn = curve(report.run.course)
    if drawn is None:
        return el("p", "No score was reached.", class_="quiet")
    return join(el("figure", drawn, _legend(report)), _metrics(report))


def _legend(report: Report) -> Html:
    course = report.run.course
    items = []
    if any(point.val is not None for point in course.points):
        items.append(el("li", el("i", class_="key best"), "best version on validation"))
    for held, name, key in ((True, "tried, kept", "key dot"), (False, "tried, not kept", "key dot no")):
        if any(step.val is not None and step.held is held for step in course.steps):
            items.append(el("li", el("i", class_=key), name))
    if any(step.score is not None for step in course.steps):
        items.append(el("li", el("i", class_="key train"), "rows of train that the step ran"))
    note = (
        "A step runs other rows than the last one, often those that fail: its score on train is no measure of progress."
    )
    return el("figcaption", el("ul", items, class_="legend"), el("p", note, class_="quiet"))


def _metrics(report: Report) -> Html | None:
    run = report.run
    rows: list[tuple[str, float, float]] = []
    if run.tested is not None:
        rows.append((f"score on {rows_named(run.tested.rows)}", mean(run.tested.before), mean(run.tested.after)))
        if len(run.tested.metrics_after) > 1:
            was = run.tested.metrics_before
            rows += [(key, was.get(key, 0.0), value) for key, value in run.tested.metrics_after.items()]
    if run.val is not None and (run.tested is None or run.tested.rows != "val"):
        rows.append(("score on validation", *run.val))
    if not rows:
        return None
    cells = [(name, f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f}") for name, before, after in rows]
    if run.tested is not None and run.tested.worth_before is not None and run.tested.worth_after is not None:
        cells += worth_changes(run.tested.worth_before.model_dump(), run.tested.worth_after.model_dump())
    return table(("", "before", "after", "change"), cells, label="Scores before and after")
