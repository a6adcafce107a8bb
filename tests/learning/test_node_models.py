"""A list of models becomes a choice at each prompt node that names none for good."""

from agentsym import Agent, PromptNode
from agentsym.learning.node_models import (
    asks_student,
    has_choice,
    models_asked,
    models_offered,
    own_models,
    with_models,
)
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode
from agentsym.network.parameters import Option

MODELS = ("a/large", "a/small")


def ask(name: str, reads: str, writes: str, **more: object) -> PromptNode:
    return PromptNode(name, "Answer.", inputs=[reads], output={writes: str}, **more)


def option(network: Network, path: str) -> tuple[str, tuple[str, ...], bool]:
    found = network.parameter(path)
    assert isinstance(found, Option)
    return found.value, found.options, found.learnable


def test_a_node_without_a_model_gets_the_student_and_may_be_given_the_others() -> None:
    agent = with_models(Agent("one", [ask("ask", "x", "y")]), "a/student", MODELS)
    assert option(agent, "ask/model") == ("a/student", ("a/student", *MODELS), True)
    assert isinstance(agent, Agent)


def test_the_student_does_not_stand_in_the_list_twice() -> None:
    agent = with_models(Agent("one", [ask("ask", "x", "y")]), "a/small", MODELS)
    assert option(agent, "ask/model") == ("a/small", ("a/small", "a/large"), True)


def test_a_model_that_can_be_learned_is_offered_the_list_and_one_named_for_good_stays() -> None:
    nodes = [
        ask("open", "x", "y", model=Option("b/own", ["b/own", "b/other"])),
        ask("fixed", "y", "z", model=Option("b/own", ["b/own", "b/other"], learnable=False)),
        ask("named", "z", "w", model="b/own"),
    ]
    before = Agent("three", nodes, [("open", "fixed"), ("fixed", "named")])
    agent = with_models(before, "a/student", MODELS)
    assert option(agent, "open/model") == ("b/own", ("b/own", "b/other", *MODELS), True)
    for path in ("fixed/model", "named/model"):
        assert agent.parameter(path) == before.parameter(path) and not agent.parameter(path).learnable


def test_nodes_of_inner_agents_have_the_choice_too_and_other_nodes_have_none() -> None:
    inner = Network("inner", [ask("ask", "x", "y")], outputs=["y"])
    nodes = [AgentNode("inner", inner), FunctionNode("shout", shout, output={"z": str})]
    agent = with_models(Agent("outer", nodes, [("inner", "shout")]), "a/student", MODELS)
    assert option(agent, "inner/ask/model")[1] == ("a/student", *MODELS)
    assert list(own_models(agent)) == ["inner/ask/model"]
    assert [path for path in agent.parameters() if path.endswith("/model")] == ["inner/ask/model"]


def test_the_version_changes_with_the_list_and_is_the_same_for_the_same_list() -> None:
    agent = Agent("one", [ask("ask", "x", "y")])
    made = with_models(agent, "a/student", MODELS)
    assert made.version != agent.version
    assert with_models(made, "a/student", MODELS).version == made.version


def test_what_is_asked_is_told_from_what_may_be_asked() -> None:
    nodes = [ask("open", "x", "y", model=Option("b/now", ["b/now", "b/other"])), ask("named", "y", "z", model="c/own")]
    agent = Agent("two", nodes, [("open", "named")])
    assert models_asked(agent) == ["b/now", "c/own"] and models_offered(agent) == ["b/now", "b/other", "c/own"]
    assert has_choice(agent) and not asks_student(agent)
    plain = Agent("one", [ask("ask", "x", "y")])
    assert asks_student(plain) and not has_choice(plain) and models_offered(plain) == []
    assert not has_choice(with_models(plain, "a/student", ["a/student"]))


async def shout(y: str) -> str:
    return y.upper()
