"""Which fields are there when a node runs: exact on forks, choices, joins and loops."""

import random
from typing import Any

import pytest

from agentsym.network.dataflow import fields_read_first, surely_written, written_together
from agentsym.network.fields import Field
from agentsym.network.network import END, START, Edge, Network, When
from agentsym.network.nodes import AgentNode, ToolNode
from agentsym.network.parameters import Structure
from tests.network.samples import calc, chain, diamond, loop, prompt, router

Q = {"question"}


def unchecked(nodes: Any, edges: Any) -> Network:
    """A network that need not be legal."""
    made = [edge if isinstance(edge, Edge) else Edge.model_validate(edge) for edge in edges]
    inputs = (Field(name="question"),)
    return chain().replace(nodes=tuple(nodes), edges=tuple(made), tools=(), inputs=inputs, structure=Structure())


def test_after_a_choice_only_what_both_branches_write_is_sure() -> None:
    sure = surely_written(router())
    assert sure["close"] == Q | {"intent", "reply"}
    assert sure["refund"] == Q | {"intent"}
    assert sure[END] == Q | {"intent", "reply", "said"}


def test_a_node_that_waits_for_all_branches_of_a_fork_sees_what_each_has_written() -> None:
    assert surely_written(diamond())["merge"] == Q | {"split_out", "left_out", "right_out"}


def test_a_node_that_does_not_wait_sees_only_what_every_way_to_it_has_written() -> None:
    nodes = [node.model_copy(update={"join": "any"}) for node in diamond().nodes]
    assert surely_written(diamond().replace(nodes=tuple(nodes)))["merge"] == Q | {"split_out"}


def test_waiting_does_not_bring_what_a_choice_has_left_out() -> None:
    nodes = [prompt("sort", output={"kind": str}), prompt("a"), prompt("b"), prompt("end", join="all")]
    edges = [(START, "sort"), ("sort", "a", {"kind": "a"}), ("sort", "b"), ("a", "end"), ("b", "end"), ("end", END)]
    assert surely_written(unchecked(nodes, edges))["end"] == Q | {"kind"}


def test_at_the_end_every_branch_of_a_fork_has_run() -> None:
    network = Network("net", [prompt("a"), prompt("b")], [])
    assert surely_written(network)[END] == Q | {"a_out", "b_out"}
    assert network.outputs == ("a_out", "b_out")


def test_the_first_round_of_a_loop_has_not_seen_the_second() -> None:
    sure = surely_written(loop())
    assert sure["write"] == Q
    assert sure[END] == Q | {"write_out", "fine"}


def test_outputs_by_default_are_what_is_always_there() -> None:
    nodes = [prompt("sort", output={"kind": str}), prompt("a"), prompt("b", output={"b_out": str, "extra": str})]
    network = Network("net", nodes, [("sort", "a", {"kind": "a"}), ("sort", "b")])
    assert network.outputs == ("kind",)


def test_inputs_by_default_are_what_is_read_first_also_by_a_condition_or_an_inner_agent() -> None:
    typed = prompt("first", inputs=["text"])
    inner = Network("inner", [typed], inputs={"text": str})
    nodes = [prompt("sort", inputs=["text"]), AgentNode("deep", inner), ToolNode("run", calc(), output="result")]
    edges = [("sort", "deep", {"channel": "mail"}), ("sort", "run")]
    found = {field.name: field.type for field in fields_read_first(unchecked(nodes, edges))}
    assert found == {"text": "string", "question": "string", "channel": "any"}


def test_two_branches_that_write_one_field_in_the_same_step_are_found() -> None:
    nodes = [prompt("split"), prompt("a", output="x"), prompt("b", output="y"), prompt("c", output="x")]
    same = unchecked(nodes, [(START, "split"), ("split", "a"), ("split", "c"), ("split", "b")])
    assert written_together(same) == [("a", "c", "x")]
    later = unchecked(nodes, [(START, "split"), ("split", "a"), ("split", "b"), ("b", "c")])
    assert written_together(later) == []
    assert written_together(router()) == []


def _brute_force(network: Network, seeds: int = 200) -> dict[str, set[str]]:
    """What was there at every visit in many runs with random choices; who waits runs when nobody else can."""
    nodes = {node.id: node for node in network.nodes}
    seen: dict[str, set[str]] = {}
    for seed in range(seeds):
        choose = random.Random(seed)
        fields = {field.name for field in network.inputs}
        now = _next(network, START, choose)
        while now:
            ready = {node_id for node_id in now if nodes[node_id].join == "any"} or now
            now = now - ready
            for node_id in sorted(ready):
                seen[node_id] = seen.get(node_id, fields) & fields
                now |= _next(network, node_id, choose)
            fields = fields.union(*({field.name for field in nodes[node_id].output} for node_id in ready))
        seen[END] = seen.get(END, fields) & fields
    return seen


def _next(network: Network, place: str, choose: random.Random) -> set[str]:
    edges = network.out_edges(place)
    taken = [choose.choice(edges)] if any(edge.when for edge in edges) else edges
    return {edge.target for edge in taken if edge.target != END}


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_called_sure_that_some_run_lacks_and_the_end_is_exact(seed: int) -> None:
    pick = random.Random(seed)
    count = pick.randint(2, 6)
    nodes = [prompt(f"n{i}", output=f"f{pick.randint(0, 4)}") for i in range(count)]
    edges: list[Any] = [(START, "n0")]
    for i in range(count):
        targets = sorted({pick.randint(i + 1, count) for _ in range(pick.randint(1, 3))})
        choosing = pick.random() < 0.5 and len(targets) > 1
        for target in targets:
            when = When(field="question", value=target) if choosing and target != targets[-1] else None
            edges.append(
                Edge(source=f"n{i}", target=f"n{target}" if target < count else END, when=when, priority=target)
            )
    if pick.random() < 0.5:
        nodes[-1] = nodes[-1].model_copy(update={"join": "all"})
    network = unchecked(nodes, edges)
    sure = surely_written(network)
    simulated = _brute_force(network)
    for place, fields in simulated.items():
        assert sure[place] <= fields, place
    assert sure[END] == simulated[END]
