"""The head of a report: whether it helped, by how much, what it cost and why it stopped."""

from __future__ import annotations

from agentsym.learning.gate import mean
from agentsym.learning.report.findings import findings, verdict
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.wording import count, dollars, interval, number, rows_named, span
from agentsym.learning.run import prompt_chars


def section(report: Report) -> Html:
    """Return headline, tiles and what is worth a look."""
    return join(_headline(report), _tiles(report), _look(report))


def _headline(report: Report) -> Html:
    run = report.run
    tested, val = run.tested, run.val
    scores: Html | None = None
    if tested is not None:
        before, after, gain = mean(tested.before), mean(tested.after), tested.gain
        of = count(len(tested.after), f"{rows_named(tested.rows)} row")
        scores = _scores(before, after, f"{gain.mean:+.3f} on {of}, 95 % interval {interval(gain.low, gain.high)}")
    elif val is not None:
        scores = _scores(*val, f"{val[1] - val[0]:+.3f} on validation, without a final comparison")
    proven = tested is not None and tested.rows == "test" and tested.gain.low > 0
    tone = "good" if proven else "plain"
    stopped = f"Stopped: {run.reason}." if run.reason else None
    return el(
        "div",
        scores,
        el("p", verdict(run), class_=f"verdict {tone}"),
        el("p", stopped, class_="quiet", id="reason") if stopped else None,
        class_="hero",
    )


def _scores(before: float, after: float, change: str) -> Html:
    return el(
        "p",
        el("span", f"{before:.3f}", class_="was", id="before"),
        el("span", "→", class_="arrow", aria_label="to"),
        el("span", f"{after:.3f}", class_="is", id="after"),
        el("span", change, class_="change", id="change"),
        class_="scores",
    )


def _tiles(report: Report) -> Html:
    run, total = report.run, report.run.ledger.total()
    chars = (prompt_chars(run.first), prompt_chars(run.best))
    about = "~" if total.estimated else ""
    cached = f"and {number(total.cached)} from the cache" if total.cached else "none from the cache"
    tiles = [
        ("calls", number(total.calls), "model calls", cached),
        ("tokens", about + number(total.tokens), "tokens", "of prompts and replies"),
        ("usd", about + dollars(total.usd), "cost", "by known prices"),
        ("steps", number(len(run.steps)), "step" if len(run.steps) == 1 else "steps", f"{run.accepted} accepted"),
        ("seconds", span(total.seconds), "model time", "calls side by side count each"),
        ("chars", number(chars[1]), "letters of prompts", f"{number(chars[0])} before"),
    ]
    cells = [
        el("div", el("dt", name), el("dd", value, id=f"figure-{key}"), el("dd", note, class_="note"))
        for key, value, name, note in tiles
    ]
    return el("dl", cells, class_="tiles")


def _look(report: Report) -> Html | None:
    found = list(findings(report))
    if not found:
        return None
    return el("aside", el("h2", "Worth a look"), el("ul", [el("li", text) for text in found]), class_="look")
