"""Two versions that are best at different rows, joined parameter by parameter."""

from agentsym import Agent
from agentsym.learning.symbolic.crossover import crossed, pairs
from agentsym.network.edits import AddNode
from tests.learning.symbolic.world import NODES, agent, prompt, rules_of

BASE = agent(read=["old"])


def test_each_parameter_comes_from_the_version_that_has_changed_it() -> None:
    joined = crossed(agent(read=["old", "better"]), agent(read=["old"], sort=["other"]), BASE)
    assert joined is not None
    assert (rules_of(joined, "read"), rules_of(joined, "sort")) == (["old", "better"], ["other"])


def test_where_both_have_changed_a_parameter_the_better_version_keeps_its_own() -> None:
    joined = crossed(agent(read=["mine"], sort=[]), agent(read=["theirs"], sort=["other"]), BASE)
    assert joined is not None
    assert (rules_of(joined, "read"), rules_of(joined, "sort")) == (["mine"], ["other"])


def test_there_is_nothing_to_join_where_the_other_has_changed_nothing_else() -> None:
    assert crossed(agent(read=["mine"]), agent(read=["theirs"]), BASE) is None
    assert crossed(agent(read=["mine"]), BASE, BASE) is None


def test_what_may_not_be_learned_stays() -> None:
    frozen = agent(read=["mine"]).freeze("sort/rules")
    other = agent(read=["old"], sort=["other"]).freeze("sort/rules")
    assert crossed(frozen, other, BASE.freeze("sort/rules")) is None


def test_versions_with_different_pipelines_are_not_joined() -> None:
    def longer(network: Agent) -> Agent:
        return network.unfreeze("structure").apply([AddNode(node=prompt("check", ["fact"], "fact"), on_edge=NODES)])

    other = agent(read=["old"], sort=["other"])
    assert crossed(agent(read=["mine"]), longer(other), BASE) is None
    assert crossed(longer(agent(read=["mine"])), longer(other), BASE) is None  # the ancestor had other parameters


POOL = {"x": {"r1": 1.0, "r2": 0.0, "r3": 1.0}, "y": {"r1": 0.0, "r2": 1.0, "r3": 0.0}, "z": {"r1": 0.0, "r2": 1.0}}


def test_pairs_have_their_nearest_common_ancestor_and_the_better_version_first() -> None:
    parents = {"x": "fork", "y": "step", "step": "fork", "fork": "root"}
    assert pairs({name: POOL[name] for name in ("y", "x")}, parents) == [("x", "y", "fork")]


def test_a_version_is_not_paired_with_what_it_comes_from() -> None:
    assert pairs({name: POOL[name] for name in ("x", "y")}, {"y": "x"}) == []
    assert pairs({name: POOL[name] for name in ("x", "y")}, {}) == []  # nothing in common


def test_pairs_that_together_reach_most_come_first() -> None:
    pool = {"a": {"r1": 1.0, "r2": 0.0}, "b": {"r1": 0.5, "r2": 0.5}, "c": {"r1": 0.0, "r2": 1.0}}
    found = pairs(pool, dict.fromkeys(pool, "root"))
    assert {found[0][0], found[0][1]} == {"a", "c"} and len(found) == 3
