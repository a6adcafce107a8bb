"""The field that a chart of scores is drawn into: how values become places, the lines behind them, and the style.

Colours are those of the page that the chart stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor
from typing import NamedTuple

from agentsym.learning.report.markup import Html, el, join

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 34
STYLE = """
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
    """How what lies below and scores become places: from 0 to `span`, from `low` to `high` in lines of `step`."""

    span: float
    low: float
    high: float
    step: float

    def x(self, value: float) -> float:
        """Return the place of a value along the chart."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / max(1, self.span)

    def y(self, score: float) -> float:
        """Return the place of a score."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (score - self.low) / (self.high - self.low))


def scaled(scores: Sequence[float], span: float) -> Scale:
    """Return the scale that shows these scores, between round ones."""
    parts = 10 if max(scores) - min(scores) <= 0.4 else 5  # lines a unit
    low, high = floor(min(scores) * parts) / parts, ceil(max(scores) * parts) / parts
    return Scale(span, low, high if high > low else low + 1 / parts, 1 / parts)


def grid(scale: Scale, marks: Iterable[tuple[float, str]], unit: str) -> Html:
    """Return the lines of round scores, and what stands below.

    Args:
        scale: the scale.
        marks: three places and their words: at the left, in the middle, at the right.
        unit: what they count.
    """
    levels = [scale.low + scale.step * at for at in range(round((scale.high - scale.low) / scale.step) + 1)]
    lines = [
        join(
            el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{scale.y(v):.1f}", y2=f"{scale.y(v):.1f}", class_="grid"),
            el("text", f"{v:.1f}", x=LEFT - 8, y=f"{scale.y(v) + 4:.1f}", text_anchor="end"),
        )
        for v in levels
    ]
    below = [
        el("text", word, x=f"{scale.x(place):.1f}", y=HEIGHT - 14, text_anchor=anchor)
        for (place, word), anchor in zip(marks, ("start", "middle", "end"), strict=True)
    ]
    said = el("text", unit, x=scale.x(scale.span / 4), y=HEIGHT - 14, text_anchor="middle", class_="unit")
    return join(lines, below, said)
