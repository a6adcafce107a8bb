"""The drawing shows every node and edge once, in layers that lead downwards, and nothing else than text as text."""

import re
from xml.etree import ElementTree

import pytest

from agentsym import Agent, PromptNode
from agentsym.network.drawing import layout, svg
from agentsym.network.network import END, START, Network


def chain(*edges: tuple[str, ...], **more: object) -> Network:
    """Return prompt nodes of no inputs, connected as named."""
    names = dict.fromkeys(name for edge in edges for name in edge[:2] if name not in (START, END))
    nodes = [PromptNode(name, "Do it.", output={f"{name}_out": str}) for name in names]
    return Agent("drawn", nodes, edges, **more)  # type: ignore[arg-type]


DIAMOND = chain(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d"))


def test_every_edge_leads_downwards_and_no_box_lies_on_another() -> None:
    placed = layout(DIAMOND)
    assert set(placed.boxes) == {START, END, "a", "b", "c", "d"}
    for way in placed.ways:
        assert placed.boxes[way.edge.source].y < placed.boxes[way.edge.target].y
    boxes = list(placed.boxes.values())
    for at, one in enumerate(boxes):
        assert one.x - one.width / 2 >= 0 and one.x + one.width / 2 <= placed.width
        for other in boxes[at + 1 :]:
            apart = abs(one.x - other.x) >= (one.width + other.width) / 2 or abs(one.y - other.y) >= one.height
            assert apart, (one, other)


def test_a_cycle_is_drawn_as_a_way_back() -> None:
    again = {"field": "b_out", "value": "again"}
    network = chain((START, "a"), ("a", "b"), ("b", "a", again), ("b", END))  # type: ignore[arg-type]
    backs = [way.edge for way in layout(network).ways if way.back]
    assert [(edge.source, edge.target) for edge in backs] == [("b", "a")]
    assert "b_out = again" in svg(network) and ">else<" in svg(network)


def test_the_drawing_is_well_formed_and_says_what_it_shows() -> None:
    drawn = svg(DIAMOND, {"b": "learned"})
    root = ElementTree.fromstring(drawn)
    assert root.attrib["role"] == "img" and "a to b" in root.attrib["aria-label"]
    assert "prompt, learned" in drawn
    assert len(re.findall('class="tip"', drawn)) == len(DIAMOND.edges)


@pytest.mark.parametrize("name", ["x" * 60, "ab"])
def test_long_names_do_not_leave_their_box(name: str) -> None:
    placed = layout(chain((name, "end_of_it")))
    assert placed.width < 400 and placed.boxes[name].width < 260


def test_values_in_conditions_are_text() -> None:
    evil = {"field": "a_out", "value": "<script>alert(1)</script>"}
    network = chain(("a", "b", evil), ("a", END))  # type: ignore[arg-type]
    assert "<script" not in svg(network) and "&lt;script" in svg(network)


def test_a_notebook_shows_the_graph() -> None:
    assert DIAMOND._repr_html_().startswith("<svg")
