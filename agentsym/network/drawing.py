"""A network as an SVG drawing: layers from START to END, without a browser's help and without any library.

`layout` places nodes and edges on a plane, `svg` writes them down; colours follow the page that the drawing stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from agentsym.network.canonical import FrozenDict
from agentsym.network.mermaid import condition
from agentsym.network.network import END, START, Edge, Network
from agentsym.network.nodes import AgentNode, AnyNode, PromptNode
from agentsym.network.shown import cut

CHAR, LINE = 7.4, 34  # width of a letter, height of a box
GAP_X, GAP_Y, MARGIN = 26, 44, 10
LONGEST = 26  # letters of a name that are shown
SWEEPS = 6
_NAMES = {START: "start", END: "end"}
_STYLE = """
.agentsym-graph{font:13px/1.2 ui-sans-serif,system-ui,sans-serif;max-width:100%;height:auto}
.agentsym-graph text{fill:currentColor}
.agentsym-graph .box{fill:currentColor;fill-opacity:.05;stroke:currentColor;stroke-opacity:.55}
.agentsym-graph .end{fill-opacity:0;stroke-opacity:.3}
.agentsym-graph .way{fill:none;stroke:currentColor;stroke-opacity:.5}
.agentsym-graph .back{stroke-dasharray:4 3}
.agentsym-graph .tip{fill:currentColor;fill-opacity:.55}
.agentsym-graph .small{font-size:10.5px;fill-opacity:.72}
.agentsym-graph .marked .box{stroke:var(--mark,#2563eb);stroke-opacity:1;stroke-width:2}
.agentsym-graph .marked .small{fill:var(--mark,#2563eb);fill-opacity:1}
"""


class Box(NamedTuple):
    """Where a node stands: the middle of its box, and the box's size."""

    x: float
    y: float
    width: float
    height: float


class Way(NamedTuple):
    """How an edge runs: the points that it passes; `back` where it leads to an earlier layer."""

    edge: Edge
    points: tuple[tuple[float, float], ...]
    back: bool = False


class Layout(NamedTuple):
    """A drawing as numbers: its size, the box of each node, the way of each edge."""

    width: float
    height: float
    boxes: dict[str, Box]
    ways: tuple[Way, ...]


def svg(network: Network, marks: Mapping[str, str] | None = None) -> str:
    """Return an `<svg>` element that shows nodes, edges and conditions.

    Args:
        network: what is drawn.
        marks: node → a word that is written beside its kind, for nodes that are to stand out.
    """
    marks = marks or {}
    placed = layout(network, marks)
    nodes = {node.id: node for node in network.nodes}
    ways = [_way(way, network) for way in placed.ways]
    boxes = [_node(box, nodes.get(name), name, marks.get(name, "")) for name, box in placed.boxes.items()]
    label = f"Graph of {network.name}: " + "; ".join(map(_said, network.edges))
    size = (
        f'width="{placed.width:.0f}" height="{placed.height:.0f}" viewBox="0 0 {placed.width:.0f} {placed.height:.0f}"'
    )
    return (
        f'<svg class="agentsym-graph" role="img" aria-label="{escape(label)}" {size}>'
        f"<style>{_STYLE}</style>{''.join(ways)}{''.join(boxes)}</svg>"
    )


def layout(network: Network, marks: Mapping[str, str] = FrozenDict()) -> Layout:
    """Place the nodes in layers, each as far down as its longest way from START; edges back run around the side."""
    names = [START, *(node.id for node in network.nodes), END]
    back = _back_edges(network)
    forward = [edge for edge in network.edges if edge not in back]
    depth = _depths(names, forward)
    chains = {edge: _chain(edge, depth) for edge in forward}
    layers = _ordered(names, depth, list(chains.values()))
    nodes = {node.id: node for node in network.nodes}
    widths = {name: _width(nodes.get(name), name, marks.get(name, "")) for layer in layers for name in layer}
    spans = [sum(widths[name] for name in layer) + GAP_X * (len(layer) - 1) for layer in layers]
    inner = max(spans)
    places: dict[str, tuple[float, float]] = {}
    for at, (layer, span) in enumerate(zip(layers, spans, strict=True)):
        left = MARGIN + (inner - span) / 2
        for name in layer:
            places[name] = (left + widths[name] / 2, MARGIN + LINE / 2 + at * (LINE + GAP_Y))
            left += widths[name] + GAP_X
    boxes = {name: Box(*places[name], widths[name], LINE) for name in names}
    ways = [Way(edge, _through([places[name] for name in chain])) for edge, chain in chains.items()]
    side = max(box.x + box.width / 2 for box in boxes.values())
    for number, edge in enumerate(back, 1):
        ways.append(Way(edge, _around(boxes[edge.source], boxes[edge.target], side + 16 * number), back=True))
    labels = max((places[w.edge.source][0] + CHAR * len(_label(w.edge, network)) for w in ways), default=0.0)
    right = max(MARGIN + inner, side + 16 * len(back), labels)
    return Layout(right + MARGIN, 2 * MARGIN + LINE + (len(layers) - 1) * (LINE + GAP_Y), boxes, tuple(ways))


def _back_edges(network: Network) -> list[Edge]:
    """Return the edges that close a cycle, in the order in which a walk from START meets them."""
    done: set[str] = set()
    found: list[Edge] = []

    def walk(name: str, above: tuple[str, ...]) -> None:
        for edge in network.out_edges(name):
            if edge.target in (*above, name):
                found.append(edge)
            elif edge.target not in done:
                walk(edge.target, (*above, name))
        done.add(name)

    walk(START, ())
    return found


def _depths(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the layer of each node: the length of the longest way to it."""
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for edge in edges:
            depth[edge.target] = max(depth[edge.target], depth[edge.source] + 1)
    depth[END] = max(depth.values()) + (depth[END] < max(depth.values()))
    return depth


def _chain(edge: Edge, depth: Mapping[str, int]) -> tuple[str, ...]:
    """Return source and target with a place in each layer between them, through which the edge runs."""
    between = range(depth[edge.source] + 1, depth[edge.target])
    return (edge.source, *(f"\0{edge.source}\0{edge.target}\0{at}" for at in between), edge.target)


def _ordered(names: Sequence[str], depth: Mapping[str, int], chains: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Return the layers; each is sorted by where its neighbours stand, down and up in turns, which uncrosses edges."""
    layers: list[list[str]] = [[name for name in names if depth[name] == at] for at in range(max(depth.values()) + 1)]
    for chain in chains:
        for at, name in enumerate(chain[1:-1], depth[chain[0]] + 1):
            if name not in layers[at]:
                layers[at].append(name)
    links = [pair for chain in chains for pair in pairwise(chain)]
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for source, target in links:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            shares = {name: place / max(1, len(own) - 1) for own in layers for place, name in enumerate(own)}
            layer.sort(key=lambda name: _middle([shares[other] for other in near.get(name, ())], shares[name]))
    return layers


def _middle(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _through(places: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the points of an edge from the lower side of one box to the upper side of the other."""
    (x, y), (to_x, to_y) = places[0], places[-1]
    return ((x, y + LINE / 2), *places[1:-1], (to_x, to_y - LINE / 2 - 6))


def _around(source: Box, target: Box, side: float) -> tuple[tuple[float, float], ...]:
    """Return the points of an edge that leads back, around the right side."""
    right, left = source.x + source.width / 2, target.x + target.width / 2
    return ((right, source.y), (side, source.y), (side, target.y), (left + 6, target.y))


def _width(node: AnyNode | None, name: str, mark: str) -> float:
    if name.startswith("\0"):
        return 8.0
    return max(64.0, CHAR * max(len(_short(_NAMES.get(name, name))), 0.82 * len(_about(node, mark))) + 24)


def _short(name: str) -> str:
    return cut(name, LONGEST)


def _kind(node: AnyNode | None) -> str:
    """Say in a few words what a node is."""
    match node:
        case None:
            return ""
        case AgentNode():
            return _short(f"agent {node.agent.name}")
        case PromptNode() if node.tools:
            return _short(f"prompt, calls {', '.join(node.tools)}")
        case _:
            return node.kind


def _about(node: AnyNode | None, mark: str) -> str:
    return ", ".join(filter(None, (_kind(node), mark)))


def _label(edge: Edge, network: Network) -> str:
    if edge.when is not None:
        return _short(condition(edge.when))
    return "else" if any(other.when for other in network.out_edges(edge.source)) else ""


def _said(edge: Edge) -> str:
    way = f"{_NAMES.get(edge.source, edge.source)} to {_NAMES.get(edge.target, edge.target)}"
    return f"{way} if {condition(edge.when)}" if edge.when else way


def _node(box: Box, node: AnyNode | None, name: str, mark: str) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    round_ = {"prompt": 10, "tool": 2, "function": 2, "agent": 2}.get(node.kind if node else "", LINE / 2)
    kind = _about(node, mark)
    lines = [f'<text x="{box.x:.1f}" y="{box.y + (-1 if kind else 4):.1f}" text-anchor="middle">']
    lines.append(f"{escape(_short(_NAMES.get(name, name)))}</text>")
    if kind:
        lines.append(
            f'<text class="small" x="{box.x:.1f}" y="{box.y + 12:.1f}" text-anchor="middle">{escape(kind)}</text>'
        )
    inner = ""
    if node is not None and node.kind in ("tool", "agent"):  # a second frame
        inner = f'<path class="way" d="M{left + 5:.1f} {top:.1f}v{LINE}m{box.width - 10:.1f} 0v-{LINE}"/>'
    return (
        f"<g{' class=' + chr(34) + 'marked' + chr(34) if mark else ''}><title>{escape(_NAMES.get(name, name))}</title>"
        f'<rect class="box{"" if node else " end"}" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" '
        f'height="{LINE}" rx="{round_}"/>{inner}{"".join(lines)}</g>'
    )


def _way(way: Way, network: Network) -> str:
    """Return an edge: a smooth line through its points, a tip, and its condition."""
    (x, y), *rest = way.points
    path = f"M{x:.1f} {y:.1f}"
    if way.back:
        path += "".join(f"L{to_x:.1f} {to_y:.1f}" for to_x, to_y in rest)
        tip = _tip(*rest[-1], dx=1)
    else:
        at_x, at_y = x, y
        for to_x, to_y in rest:
            half = (at_y + to_y) / 2
            path += f"C{at_x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
            at_x, at_y = to_x, to_y
        tip = _tip(*rest[-1], dx=0)
    label = _label(way.edge, network)
    said = ""
    if label:
        where_x, where_y = ((x + rest[0][0]) / 2 + 4, (y + rest[0][1]) / 2 + 3) if not way.back else (x + 6, y - 6)
        said = f'<text class="small" x="{where_x:.1f}" y="{where_y:.1f}">{escape(label)}</text>'
    return f'<path class="way{" back" if way.back else ""}" d="{path}"/>{tip}{said}'


def _tip(x: float, y: float, *, dx: int) -> str:
    """Return an arrow's tip that points down, or (dx=1) to the left."""
    if dx:
        return f'<path class="tip" d="M{x - 6:.1f} {y:.1f}l8 -4v8z"/>'
    return f'<path class="tip" d="M{x:.1f} {y + 6:.1f}l-4 -8h8z"/>'
