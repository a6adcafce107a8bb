"""The versions of a run as a tree: what was made from what, how it scored, and which is the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agentsym.learning.course import VersionRecord
from agentsym.learning.report.lanes import Place, placed
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.wording import count, number

ROW, LANE = 40, 18
OPEN = 30  # versions that stand open
HOW = {
    "first": "the agent as it was",
    "accepted": "accepted",
    "reverted": "what validation left of it",
    "merged": "two of the front merged",
    "setting": "another setting, tried for cost or time",
}


def section(report: Report) -> Html:
    """Return the tree: the way to the best version straight down, what led nowhere aside."""
    run, versions = report.run, report.run.course.versions
    front = set(run.course.front)
    places = placed(versions, run.best.version, [run.head.version, *sorted(front)])
    refused = Counter(s.base for s in run.steps if s.decision is not None and not s.decision.accept)
    rows = [_row(place, report, front, refused[place.record.hash]) for place in places]
    lanes = 1 + max(place.lane for place in places)
    left = len(versions) - len(places)
    note = el("p", f"{count(left, 'version')} of {number(len(versions))} left out.", class_="quiet") if left else None
    drawing = _drawing(places, lanes, run.best.version)
    inset = f"--inset:{lanes * LANE + 10}px"
    tree = el("div", drawing, el("ol", rows), class_="tree", style=inset)
    if len(places) <= OPEN:
        return join(tree, note)
    return el("details", el("summary", f"{number(len(versions))} versions"), tree, note)


def _row(place: Place, report: Report, front: set[str], refused: int) -> Html:
    record, run = place.record, report.run
    badges = []
    if record.hash == run.best.version:
        badges.append(el("b", "best", class_="badge best"))
    if record.hash in front:
        badges.append(el("b", "front", class_="badge", title="best on some validation row"))
    if record.hash == run.head.version and record.hash != run.best.version:
        badges.append(el("b", "head", class_="badge", title="what learning would go on from"))
    step = "" if record.step is None else f"step {record.step + 1}, "
    said = f"{step}{HOW[record.how]}"
    if refused:
        said += f"; {count(refused, 'attempt')} refused"
    if place.skipped:
        said += f"; {count(place.skipped, 'version')} in between left out"
    score = el("span", "" if record.val is None else f"{record.val:.3f}", class_="num")
    return el("li", el("code", record.hash[:8]), score, badges, el("span", said, class_="said"))


def _drawing(places: Sequence[Place], lanes: int, best: str) -> Html:
    def at(place: Place) -> tuple[int, int]:
        return LANE // 2 + 4 + place.lane * LANE, ROW // 2 + place.row * ROW

    ways = []
    for place in places:
        if place.parent is None:
            continue
        (x, y), (to_x, to_y) = at(places[place.parent]), at(place)
        way = f"M{x} {y}V{to_y}" if x == to_x else f"M{x} {y}V{to_y - LANE}Q{x} {to_y} {x + LANE} {to_y}H{to_x}"
        ways.append(el("path", d=way, class_="way skip" if place.skipped else "way"))
    dots = [
        el(
            "circle",
            cx=at(place)[0],
            cy=at(place)[1],
            r=6 if place.record.hash == best else 4.5,
            class_=_class(place.record, best),
        )
        for place in places
    ]
    width, height = lanes * LANE + 8, len(places) * ROW
    return el("svg", ways, dots, width=width, height=height, aria_hidden="true")


def _class(record: VersionRecord, best: str) -> str:
    return "best" if record.hash == best else record.how
