"""The scores of a run over its model calls, as an SVG chart: validation, what was tried, and batches of train.

The chart brings its style along; its colours are those of the page or notebook that it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

from agentsym.learning.course import Course
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.wording import number

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 34
MOST = 400  # points of a line
_STYLE = """
.agentsym-chart{display:block;width:100%;height:auto;font-size:12px}
.agentsym-chart text{fill:var(--soft)}
.agentsym-chart .grid{stroke:var(--line)}
.agentsym-chart .best{fill:none;stroke:var(--mark);stroke-width:2.5;stroke-linejoin:round}
.agentsym-chart .train{fill:none;stroke:var(--soft);stroke-opacity:.4;stroke-width:1.2}
.agentsym-chart .trained{fill:var(--soft)}
.agentsym-chart .dot{fill:var(--mark);stroke:var(--paper);stroke-width:1.5}
.agentsym-chart .dot.no{fill:var(--paper);stroke:var(--minus);stroke-width:1.6}
@media (max-width:600px){.agentsym-chart{font-size:22px}.agentsym-chart .unit{display:none}}
"""


class Scale(NamedTuple):
    """How calls and scores become places; `step` is the distance of the lines."""

    calls: int
    low: float
    high: float
    step: float

    def x(self, calls: float) -> float:
        """Return the place of a number of calls."""
        return LEFT + (WIDTH - LEFT - RIGHT) * calls / max(1, self.calls)

    def y(self, score: float) -> float:
        """Return the place of a score."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (score - self.low) / (self.high - self.low))


def curve(course: Course) -> Html | None:
    """Return the chart, and None where no score is known."""
    best = [(point.calls, point.val) for point in course.points if point.val is not None]
    train = [(step.calls, step.score) for step in course.steps if step.score is not None]
    tried = [(step.calls, step.val, step) for step in course.steps if step.val is not None]
    scores = [score for _, score in (*best, *train)] + [score for _, score, _ in tried]
    if not scores:
        return None
    parts = 10 if max(scores) - min(scores) <= 0.4 else 5  # lines a unit
    low, high = floor(min(scores) * parts) / parts, ceil(max(scores) * parts) / parts
    scale = Scale(max(point.calls for point in course.points), low, high if high > low else low + 1 / parts, 1 / parts)
    dots = [
        el(
            "circle",
            el("title", f"step {step.step + 1}: {score:.3f} on validation, {'kept' if step.held else 'not kept'}"),
            cx=f"{scale.x(calls):.1f}",
            cy=f"{scale.y(score):.1f}",
            r=4,
            class_="dot" if step.held else "dot no",
        )
        for calls, score, step in tried
    ]
    said = _said(best or train, "validation" if best else "train")
    return el(
        "svg",
        el("style", Html(_STYLE)),
        _grid(scale),
        el("path", d=_line(train, scale), class_="train") if len(train) > 1 else _dots(train, scale),
        el("path", d=_stairs(best, scale), class_="best") if best else None,
        dots,
        class_="agentsym-chart",
        role="img",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        aria_label=f"Score over model calls: {said}",
    )


def _said(points: Sequence[tuple[int, float]], what: str) -> str:
    (_, first), (calls, last) = points[0], points[-1]
    return f"{what} went from {first:.3f} to {last:.3f} within {number(calls)} calls"


def _grid(scale: Scale) -> Html:
    levels = [scale.low + scale.step * at for at in range(round((scale.high - scale.low) / scale.step) + 1)]
    lines = [
        join(
            el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{scale.y(v):.1f}", y2=f"{scale.y(v):.1f}", class_="grid"),
            el("text", f"{v:.1f}", x=LEFT - 8, y=f"{scale.y(v) + 4:.1f}", text_anchor="end"),
        )
        for v in levels
    ]
    marks = [
        el(
            "text",
            number(scale.calls * part / 4),
            x=f"{scale.x(scale.calls * part / 4):.1f}",
            y=HEIGHT - 14,
            text_anchor=a,
        )
        for part, a in ((0, "start"), (2, "middle"), (4, "end"))
    ]
    return join(
        lines,
        marks,
        el("text", "model calls", x=scale.x(scale.calls / 4), y=HEIGHT - 14, text_anchor="middle", class_="unit"),
    )


def _line(points: Sequence[tuple[int, float]], scale: Scale) -> str:
    every = max(1, ceil(len(points) / MOST))
    thinned = [*points[:-1:every], points[-1]] if points else []
    return "M" + "L".join(f"{scale.x(calls):.1f} {scale.y(score):.1f}" for calls, score in thinned)


def _stairs(points: Sequence[tuple[int, float]], scale: Scale) -> str:
    path = f"M{scale.x(points[0][0]):.1f} {scale.y(points[0][1]):.1f}"
    return path + "".join(f"H{scale.x(calls):.1f}V{scale.y(score):.1f}" for calls, score in points[1:])


def _dots(points: Sequence[tuple[int, float]], scale: Scale) -> Html:
    return join(
        *(el("circle", cx=f"{scale.x(c):.1f}", cy=f"{scale.y(s):.1f}", r=3, class_="trained") for c, s in points)
    )
