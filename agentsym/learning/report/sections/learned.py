"""What was learned: the differences from the first to the best version, and the agent's graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsym.learning.report.edits import EditView, Line, learned
from agentsym.learning.report.markup import Html, el, join
from agentsym.learning.report.reading import Report
from agentsym.learning.report.wording import count
from agentsym.network.diff import diff
from agentsym.network.drawing import svg
from agentsym.network.network import Network

LINES, EXAMPLES = 8, 3  # lines of a parameter that stand open; worked examples are many, and long
MORE = 60  # lines that can be opened
ROOM = 250_000  # bytes of all parameters


def section(report: Report) -> Html:
    """Return the differences, parameter by parameter, and the graphs."""
    run = report.run
    found = learned(diff(run.first, run.best))
    nothing = el("p", "Nothing: the best version is the first one.", class_="quiet")
    return join(differences(found) or nothing, _graphs(run.first, run.best))


def differences(found: Sequence[EditView]) -> list[Html]:
    """Return the differences, as far as there is room."""
    room, parts = ROOM, list[Html]()
    for at, view in enumerate(found):
        part = _parameter(view)
        room -= len(part.encode())
        if room < 0:
            left = count(len(found) - at, "parameter")
            return [*parts, el("p", f"{left} more, left out here; agentsym diff shows all.", class_="quiet")]
        parts.append(part)
    return parts


def lines(shown: Iterable[Line]) -> Html:
    """Return the lines of a diff."""
    return el("ol", [_line(line) for line in shown], class_="diff")


def _line(line: Line) -> Html:
    said = {"+": "added: ", "-": "removed: ", "~": "changed: "}[line.sign]
    tags = {"+": "ins", "-": "del", " ": "span"}
    pieces = [el(tags[piece.sign], piece.text) for piece in line.pieces] if line.sign == "~" else [line.pieces[0].text]
    kind = {"+": "plus", "-": "minus", "~": "both"}[line.sign]
    return el("li", el("span", said, class_="unseen"), pieces, class_=kind)


def _parameter(view: EditView) -> Html:
    most = EXAMPLES if view.about.endswith("/examples") else LINES
    shown, rest = view.lines[:most], view.lines[most : most + MORE]
    left = len(view.lines) - len(shown) - len(rest)
    hidden = None
    if rest:
        note = (
            el("p", f"{count(left, 'line')} more, left out here; agentsym diff shows all.", class_="quiet")
            if left
            else None
        )
        hidden = el("details", el("summary", f"{len(view.lines) - len(shown)} more"), lines(rest), note)
    new, gone = (sum(line.sign == sign for line in view.lines) for sign in "+-")
    counted = ", ".join(f"{number} {word}" for number, word in ((new, "new"), (gone, "gone")) if number)
    head = el("h3", el("code", view.about), el("small", counted) if counted else None)
    return el("div", head, lines(shown), hidden)


def _graphs(first: Network, best: Network) -> Html:
    marks = _marks(first, best)
    if {n.id for n in first.nodes} == {n.id for n in best.nodes} and set(first.edges) == set(best.edges):
        figures = [
            _figure("The pipeline is as it was; marked nodes have learned." if marks else "The pipeline.", best, marks)
        ]
    else:
        figures = [_figure("Before", first, {}), _figure("After; marked nodes are new or have learned.", best, marks)]
    return join(el("h3", "The pipeline"), el("div", figures, class_="graphs"))


def _figure(title: str, network: Network, marks: dict[str, str]) -> Html:
    return el(
        "figure",
        el("div", Html(svg(network, marks)), class_="scroll", tabindex=0, role="region", aria_label=title),
        el("figcaption", title),
    )


def _marks(first: Network, best: Network) -> dict[str, str]:
    """Return what is to be said of nodes that are new or whose weights are others."""
    before, after = ({node.id: node for node in network.nodes} for network in (first, best))
    new = {name: "new" for name in after if name not in before}
    return new | {name: "learned" for name in after if name in before and after[name] != before[name]}
