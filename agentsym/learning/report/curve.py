"""The scores of a run over its model calls, as an SVG chart: validation, what was tried, and batches of train.

The chart brings its style along; its colours are those of the page or notebook that it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from agentsym.learning.course import Course
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.plot import HEIGHT, STYLE, WIDTH, Scale, grid, scaled
from agentsym.learning.report.wording import number

MOST = 400  # points of a line


def curve(course: Course) -> Html | None:
    """Return the chart, and None where no score is known."""
    best = [(point.calls, point.val) for point in course.points if point.val is not None]
    train = [(step.calls, step.score) for step in course.steps if step.score is not None]
    tried = [(step.calls, step.val, step) for step in course.steps if step.val is not None]
    scores = [score for _, score in (*best, *train)] + [score for _, score, _ in tried]
    if not scores:
        return None
    scale = scaled(scores, max(point.calls for point in course.points))
    marks = [(scale.span * quarter / 4, number(scale.span * quarter / 4)) for quarter in (0, 2, 4)]
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
        el("style", Html(STYLE)),
        grid(scale, marks, "model calls"),
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
