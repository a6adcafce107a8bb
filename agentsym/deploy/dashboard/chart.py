"""The score of a deployed agent over its requests, as an SVG chart with what became live, and when."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from agentsym.learning.report.markup import Html, el
from agentsym.learning.report.plot import BOTTOM, HEIGHT, TOP, WIDTH, Scale, grid, scaled
from agentsym.learning.report.tables import table
from agentsym.learning.report.wording import count, number
from agentsym.store.live.audit import Entry
from agentsym.store.live.figures import Bucket

TURNED = ("rolled_back", "taken over")


class Mark(NamedTuple):
    """A change of the live version: its number in the chart, the entry that tells of it, and its place."""

    number: int
    entry: Entry
    place: float


def marks(buckets: Sequence[Bucket], entries: Sequence[Entry]) -> list[Mark]:
    """Return where changes of the live version belong among requests; those before the first are left out."""
    if not buckets:
        return []
    shown = [entry for entry in reversed(entries) if entry.at >= buckets[0].since]
    return [Mark(at, entry, _place(buckets, entry.at)) for at, entry in enumerate(shown, start=1)]


def chart(buckets: Sequence[Bucket], found: Sequence[Mark]) -> Html | None:
    """Return the chart; None where nothing has a score."""
    scores = [bucket.score for bucket in buckets if bucket.score is not None]
    if not scores:
        return None
    scale = scaled(scores, len(buckets))
    below = [(0.0, _day(buckets[0].since)), (len(buckets) / 2, ""), (float(len(buckets)), _day(buckets[-1].until))]
    scored = sum(bucket.scored for bucket in buckets)
    said = (
        f"The mean score of {count(scored, 'request')}, the oldest at the left: from {scores[0]:.3f} to "
        f"{scores[-1]:.3f}, lowest {min(scores):.3f}, highest {max(scores):.3f}. "
        f"{count(len(found), 'change')} of the live version."
    )
    return el(
        "svg",
        el("title", "Score over requests", id="chart-title"),
        el("desc", said, id="chart-desc"),
        grid(scale, below, ""),
        [_mark(mark, scale) for mark in found],
        _lines(buckets, scale),
        class_="agentsym-chart",
        role="img",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        aria_label="Score over requests",
        aria_describedby="chart-desc",
    )


def figures(buckets: Sequence[Bucket]) -> Html:
    """Return what the chart shows as a table, the newest first."""
    rows = [
        (
            f"{_minute(bucket.since)} to {_minute(bucket.until)}",
            number(bucket.requests),
            number(bucket.failed),
            number(bucket.scored),
            "–" if bucket.score is None else f"{bucket.score:.3f}",
        )
        for bucket in reversed(buckets)
    ]
    return table(("time (UTC)", "requests", "failed", "with a score", "mean score"), rows, label="Score over requests")


def _place(buckets: Sequence[Bucket], at: str) -> float:
    """Return where a time is among the buckets: 1.5 is the middle of the second one."""
    which = bisect_left([bucket.until for bucket in buckets], at)
    if which == len(buckets):
        return float(which)
    since, until, this = (datetime.fromisoformat(t) for t in (buckets[which].since, buckets[which].until, at))
    within = (this - since) / (until - since) if until > since else 0.0
    return which + max(0.0, within)


def _lines(buckets: Sequence[Bucket], scale: Scale) -> list[Html]:
    """Return the line, which has a gap where nothing has a score, and a dot for each bucket."""
    places = [(scale.x(at + 0.5), bucket) for at, bucket in enumerate(buckets)]
    found = []
    for there, group in groupby(places, key=lambda pair: pair[1].score is not None):
        if there:
            points = [(x, scale.y(bucket.score), bucket) for x, bucket in group if bucket.score is not None]
            found.append(el("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points), class_="best"))
            found += [_dot(x, y, bucket) for x, y, bucket in points]
    return found


def _dot(x: float, y: float, bucket: Bucket) -> Html:
    title = f"{bucket.score:.3f}, {count(bucket.scored, 'score')} of {count(bucket.requests, 'request')}"
    return el("circle", el("title", title), cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_="dot")


def _mark(mark: Mark, scale: Scale) -> Html:
    x, tone = f"{scale.x(mark.place):.1f}", "turned" if mark.entry.event in TURNED else "promoted"
    line = el("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_=f"change {tone}")
    label = el("text", mark.number, x=x, y=TOP - 5, text_anchor="middle", class_=f"change {tone}")
    return el("g", el("title", f"{mark.number}: {mark.entry.event} at {_minute(mark.entry.at)}"), line, label)


def _minute(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M}"


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%d %b, %H:%M}"
