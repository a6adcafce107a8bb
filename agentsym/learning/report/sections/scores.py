"""How the score went on: the curve over model calls, and the metrics of the final comparison."""

from __future__ import annotations

from agentsym.learning.gate import mean
from agentsym.learning.report.curve import curve
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.tables import table
from agentsym.learning.report.wording import dollars, number
from agentsym.learning.run import Tested


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
        name = "validation" if run.tested.rows == "val" else run.tested.rows
        rows.append((f"score on {name}", mean(run.tested.before), mean(run.tested.after)))
        if len(run.tested.metrics_after) > 1:
            was = run.tested.metrics_before
            rows += [(key, was.get(key, 0.0), value) for key, value in run.tested.metrics_after.items()]
    if run.val is not None and (run.tested is None or run.tested.rows != "val"):
        rows.append(("score on validation", *run.val))
    if not rows:
        return None
    cells = [(name, f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f}") for name, before, after in rows]
    if run.tested is not None:
        cells += _worth(run.tested)
    return table(("", "before", "after", "change"), cells, label="Scores before and after")


def _worth(tested: Tested) -> list[tuple[str, str, str, str]]:
    """Return what a run of the agent costs, before and after, where its models are not free."""
    before, after = tested.worth_before, tested.worth_after
    if before is None or after is None or not (before.tokens or after.tokens):
        return []
    more = f"{100 * (after.tokens / before.tokens - 1):+.0f} %" if before.tokens else ""
    rows = [("tokens a run", number(before.tokens), number(after.tokens), more)]
    if before.usd and after.usd:
        more = f"{100 * (after.usd / before.usd - 1):+.0f} %"
        rows.append(("cost of 1,000 runs", dollars(1000 * before.usd), dollars(1000 * after.usd), more))
    return rows
