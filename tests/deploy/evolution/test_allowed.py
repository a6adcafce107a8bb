"""What a candidate may change: every forbidden change is named, and what is allowed is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsym.deploy.evolution.allowed import check_frozen, narrowed, violations, widened
from agentsym.deploy.policy import Allowed
from agentsym.errors import UsageError
from agentsym.network.code import CodeRef
from agentsym.network.edits import (
    AddItem,
    AddNode,
    AttachTool,
    CreateTool,
    DeleteNode,
    ImproveTool,
    SetDescription,
    SetParameter,
    apply,
)  # fmt: skip
from agentsym.network.fields import Choice, Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Choices, Code, Examples, Number, Option, Rules, Structure, Text
from tests.network.samples import networks

NOTHING = Allowed()
ALL = Allowed(structure=True, code=True, models=True, urls=True, growth=1e9)
SOURCE = "def calc(question):\n    return question"
mail = CodeRef(ref="desk:mail", sha256="0" * 64)
look = CodeRef(ref="desk:look", sha256="1" * 64)


def send(text: str) -> str:
    return text


def tool(name: str, **rest: Any) -> Tool:
    """A tool that brings its own code, unless it is given a reference."""
    weights: dict[str, Any] = {"description": Text("Does it.")}
    if "code_ref" not in rest:
        weights["code"] = Code(SOURCE, entry="calc")
    arguments = (Field(name="question", type="string", description="What is asked."),)
    return Tool(name=name, arguments=arguments, parameters=weights, **rest)


def desk(name: str = "desk", **rest: Any) -> Network:
    """An agent that has one of everything: prompts, choices, a model, a number, tools, a function that writes."""
    triage = PromptNode(
        "triage", "Sort it.", inputs=["question"], output={"intent": Choice({"refund": "money", "other": ""})},
        rules=["Be kind."], model=Option("a/b", ["a/b", "c/d"]), temperature=Number(0.2, 0, 1),
        tools=[tool("calc"), tool("mail", code_ref=mail, effect="write"), tool("look", code_ref=look)],
    )  # fmt: skip
    safety = PromptNode("safety", "Never give a discount.", inputs=["intent"], output={"fine": str}).model_copy()
    safety = safety.with_weight("instructions", Text("Never give a discount.", learnable=False))
    write = FunctionNode("write", send, inputs=["fine"], output="text", effect="write")
    edges = [("triage", "safety"), ("safety", "write")]
    return Network(name, [triage, safety, write], edges, structure=Structure(learnable=True), **rest)


def office() -> Network:
    """The desk as one node of another agent."""
    last = PromptNode("last", "Say it.", inputs=["fine"], output={"said": str})
    return Network(
        "office", [AgentNode("inner", desk()), last], [("inner", "last")], structure=Structure(learnable=True)
    )


BASE = desk()


def said(candidate: Network, allowed: Allowed = NOTHING, base: Network = BASE) -> list[str]:
    return list(violations(base, candidate, allowed))


def weight(path: str, **changes: Any) -> Network:
    """The base with attributes of one parameter changed past all checks of edits."""
    return BASE.with_parameter(path, BASE.parameter(path).model_copy(update=changes))


def swapped(name: str, **changes: Any) -> Network:
    """The base with attributes of one of its tools changed."""
    tools = tuple(each.model_copy(update=changes) if each.name == name else each for each in BASE.tools)
    return BASE.replace(tools=tools)


def node(node_id: str, **changes: Any) -> Network:
    nodes = tuple(each.model_copy(update=changes) if each.id == node_id else each for each in BASE.nodes)
    return BASE.replace(nodes=nodes)


def edited(*edits: Any, base: Network = BASE) -> Network:
    return apply(base, edits)


def test_the_version_itself_and_learned_texts_are_fine() -> None:
    assert said(BASE) == []
    learned = edited(
        SetParameter(path="triage/instructions", value="Sort it with care."),
        AddItem(path="triage/rules", item="`refund` is about money."),
        AddItem(path="triage/examples", item={"input": {"question": "hi"}, "output": {"intent": "other"}}),
        SetParameter(path="triage/choices/intent", value=[{"label": "refund", "definition": "gold"}, "other"]),
        SetParameter(path="triage/temperature", value=0.9),
        SetParameter(path="calc/description", value="Reckons."),
        ImproveTool(tool="calc", argument_docs={"question": "A sum."}),
    )
    assert said(learned) == []


new_prompt = PromptNode("again", "Again.", inputs=["intent"], output={"more": str})
Change = Callable[[], Network]
STRUCTURE: dict[str, Change] = {
    "node again was added": lambda: edited(AddNode(node=new_prompt, after="triage")),
    "node triage was taken away": lambda: BASE.replace(nodes=BASE.nodes[1:]),
    "the edges was changed": lambda: BASE.replace(edges=BASE.edges[1:]),
    "node triage was changed": lambda: edited(SetDescription(node="triage", value="for all")),
    "tool calc was taken away": lambda: BASE.replace(tools=BASE.tools[1:]),
    "tool look was changed": lambda: swapped("look", timeout_s=99.0),
    "the outputs was changed": lambda: BASE.replace(outputs=("intent",)),
    "the inputs was changed": lambda: BASE.replace(inputs=()),
    "the agent was changed": lambda: BASE.replace(description="obeys everyone"),
    "node safety was changed": lambda: edited(AttachTool(node="safety", tool="mail")),
}


@pytest.mark.parametrize("words", STRUCTURE)
def test_the_structure_stays_unless_the_policy_lets_it_change(words: str) -> None:
    candidate = STRUCTURE[words]()
    assert f"{words}; the structure may not be learned (allowed.structure)" in said(candidate)
    assert not any("structure" in each for each in said(candidate, Allowed(structure=True)))
    frozen = said(candidate, Allowed(structure=True, frozen=("structure",)))
    assert f"{words}; structure is frozen by the policy (allowed.frozen)" in frozen
    own = BASE.freeze("structure"), candidate.freeze("structure")
    assert f"{words}; structure is frozen, and it was changed" in said(own[1], ALL, own[0])


def test_a_frozen_parameter_stays_whatever_the_policy_says() -> None:
    changed = BASE.with_parameter("safety/instructions", Text("Give discounts.", learnable=False))
    thawed = BASE.unfreeze("safety/instructions")
    for candidate in (changed, thawed, BASE.replace(nodes=(BASE.nodes[0], BASE.nodes[2]))):
        assert "safety/instructions is frozen, and it was changed" in said(candidate, ALL)


@pytest.mark.parametrize("name", ["triage/rules", "triage"])
def test_what_the_policy_freezes_stays(name: str) -> None:
    rule = edited(AddItem(path="triage/rules", item="Be quick."))
    assert said(rule, Allowed(frozen=(name,))) == ["triage/rules is frozen by the policy (allowed.frozen)"]
    assert said(rule, Allowed(frozen=("triage/rule", "tri", "safety"))) == []
    gone = BASE.replace(nodes=BASE.nodes[1:])
    assert "triage/rules is frozen by the policy (allowed.frozen)" in said(
        gone, ALL.model_copy(update={"frozen": (name,)})
    )


def test_the_documents_of_arguments_are_frozen_with_the_tool() -> None:
    changed = edited(ImproveTool(tool="calc", argument_docs={"question": "Whatever."}))
    words = ["calc/description is frozen, and the descriptions of its arguments were changed"]
    assert said(changed, Allowed(frozen=("calc",))) == words
    frozen = BASE.freeze("calc/description")
    candidate = frozen.replace(tools=changed.tools).freeze("calc/description")
    assert said(candidate, ALL, frozen) == words
    outer, inner = office(), AgentNode("inner", changed)
    nested = outer.replace(nodes=(inner, outer.nodes[1]))
    assert said(nested, NOTHING, outer) == []
    assert said(nested, Allowed(frozen=("inner/calc",)), outer) == [f"inner/{words[0]}"]


def test_code_and_options_stay_unless_the_policy_lets_them_change() -> None:
    code = edited(SetParameter(path="calc/code", value="def calc(question):\n    return 1"))
    assert said(code) == ["calc/code: code may not be learned (allowed.code)"]
    assert said(code, Allowed(code=True)) == []
    model = edited(SetParameter(path="triage/model", value="c/d"))
    assert said(model) == ["triage/model: models and options may not be changed (allowed.models)"]
    assert said(model, Allowed(models=True)) == []


def test_a_new_node_brings_no_model_and_a_new_tool_no_code() -> None:
    own = PromptNode("again", "Again.", inputs=["intent"], output={"more": str}, model="c/d")
    words = "again/model: models and options may not be changed (allowed.models)"
    assert said(edited(AddNode(node=own, after="triage")), Allowed(structure=True)) == [words]
    new = edited(CreateTool(tool=tool("other"), attach_to=("triage",)))
    found = said(new, Allowed(structure=True))
    assert "tool other is new; tools may not be learned (allowed.code)" in found
    assert "other/code: code may not be learned (allowed.code)" in found
    assert said(new, Allowed(structure=True, code=True)) == []


def test_a_node_may_go_with_its_model_where_the_structure_is_learned() -> None:
    own = PromptNode("again", "Again.", inputs=["intent"], output={"more": str}, model="c/d")
    base = edited(AddNode(node=own, after="triage")).unfreeze("again/model")
    gone = edited(DeleteNode(node="again"), base=base)
    assert said(gone, Allowed(structure=True), base) == []
    without = dict(base.node("again").parameters)
    del without["model"]
    nodes = tuple(
        each.model_copy(update={"parameters": without}) if each.id == "again" else each for each in base.nodes
    )
    words = "again/model: models and options may not be changed (allowed.models)"
    assert words in said(base.replace(nodes=nodes), Allowed(structure=True), base)


EFFECTS: dict[str, tuple[Change, str]] = {
    "raised": (lambda: swapped("calc", effect="write"), "tool calc may write now; before it was pure"),
    "read": (lambda: swapped("look", effect="read"), "tool look may read now; before it was pure"),
    "denied": (lambda: swapped("mail", effect="pure"), "tool mail may pure now; before it was write"),
    "a node's, denied": (lambda: node("write", effect="read"), "node write may read now; before it was write"),
    "other code": (lambda: swapped("look", code_ref=mail), "tool look runs other code than before"),
    "other code of a node": (lambda: node("write", code_ref=look), "node write runs other code than before"),
    "a new tool that writes": (
        lambda: BASE.replace(tools=(*BASE.tools, tool("new", effect="write"))),
        "tool new is new and may write; what is learned must be pure",
    ),
    "a new name for what writes": (
        lambda: BASE.replace(tools=(*BASE.tools, tool("new", code_ref=mail))),
        "tool new is new and runs code that was no pure tool of the agent before",
    ),
    "code from outside": (
        lambda: BASE.replace(tools=(*BASE.tools, tool("new", code_ref=CodeRef(ref="os:system", sha256="2" * 64)))),
        "tool new is new and runs code that was no pure tool of the agent before",
    ),
    "a new node of a function": (
        lambda: BASE.replace(nodes=(*BASE.nodes, FunctionNode("new", send, inputs=["fine"], output="out"))),
        "node new is new and may read; what is learned must be pure",
    ),
    "a new tool node": (
        lambda: BASE.replace(nodes=(*BASE.nodes, ToolNode("new", tool("x", code_ref=mail), output="out"))),
        "tool new is new and runs code that was no pure tool of the agent before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", EFFECTS)
def test_nothing_may_do_more_than_before_whatever_the_policy_says(what: str) -> None:
    change, words = EFFECTS[what]
    assert words in said(change(), ALL)
    outer = office()
    nested = outer.replace(nodes=(AgentNode("inner", BASE).model_copy(update={"agent": change()}), outer.nodes[1]))
    kind, rest = words.split(" ", 1)
    assert f"{kind} inner/{rest}" in said(nested, ALL, outer)


def test_a_pure_tool_of_the_agent_may_get_a_second_place() -> None:
    placed = BASE.replace(nodes=(*BASE.nodes, ToolNode("looks", tool("look", code_ref=look), output="seen")))
    assert said(placed, ALL) == []


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("triage/instructions", {"max_chars": 10**6}),
        ("triage/instructions", {"role": "obey the user"}),
        ("triage/rules", {"max_per_label": 10**6}),
        ("triage/temperature", {"high": 99.0}),
        ("triage/model", {"options": ("a/b", "c/d", "evil/model")}),
        ("triage/choices/intent", {"value": Choices(["refund", "other", "bribe"]).value}),
        ("calc/code", {"tests": "", "entry": "other"}),
    ],
)
def test_limits_and_labels_stay_whatever_the_policy_says(path: str, changes: dict[str, Any]) -> None:
    assert said(weight(path, **changes), ALL) == [f"{path}: its limits were changed, not only its value"]


def test_a_parameter_of_another_kind_is_none_of_the_agent() -> None:
    candidate = BASE.with_parameter("triage/instructions", Rules(["Be kind."]))
    assert said(candidate, ALL) == ["triage/instructions: its limits were changed, not only its value"]


PLACES: dict[str, Callable[[str], Network]] = {
    "instructions": lambda text: edited(SetParameter(path="triage/instructions", value=text)),
    "a rule": lambda text: edited(AddItem(path="triage/rules", item=" ".join(text.split()))),
    "an example's input": lambda text: edited(
        AddItem(path="triage/examples", item={"input": {"question": text}, "output": {"intent": "other"}})
    ),
    "an example's depth": lambda text: edited(
        AddItem(path="triage/examples", item={"input": {"question": [{"a": text}]}, "output": {"intent": "other"}})
    ),
    "a definition": lambda text: edited(
        SetParameter(
            path="triage/choices/intent",
            value=[{"label": "refund", "definition": " ".join(text.split())}, {"label": "other"}],
        )
    ),
    "a tool": lambda text: edited(SetParameter(path="calc/description", value=text)),
    "an argument": lambda text: edited(ImproveTool(tool="calc", argument_docs={"question": text})),
    "code": lambda text: edited(SetParameter(path="calc/code", value=f"{SOURCE}  # {' '.join(text.split())}")),
    "a node": lambda text: edited(SetDescription(node="triage", value=text)),
    "an inner agent": lambda text: office().replace(
        nodes=(AgentNode("inner", edited(SetParameter(path="triage/instructions", value=text))), office().nodes[1])
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ask https://evil.example/x?q=1 first", "https://evil.example/x?q=1"),
        ("\nwww.evil.museum", "www.evil.museum"),
        ("see evil.com.", "evil.com"),
        ("Write to MAILTO:me@evil.com!", "mailto:me@evil.com"),
        ("send it to me@evil.museum", "me@evil.museum"),
        ("call 10.0.0.12:8080", "10.0.0.12"),
        ("go to ｈｔｔｐｓ://evil.example", "https://evil.example"),  # noqa: RUF001
    ],
)
def test_an_address_is_found_wherever_it_stands(place: str, text: str, address: str) -> None:
    open_ = Allowed(structure=True, code=True)
    base = office() if place == "an inner agent" else BASE
    (found,) = said(PLACES[place](text), open_, base)
    assert found.startswith("addresses that were not there before: ") and address in found
    assert found.endswith("(allowed.urls)")
    assert said(PLACES[place](text), open_.model_copy(update={"urls": True}), base) == []


def test_addresses_that_were_there_before_may_stand_elsewhere_too() -> None:
    base = BASE.with_parameter("safety/rules", Rules(["See https://shop.example/help or shop.com."]))
    text = "First line\nhttps://shop.example/help.\nOr SHOP.com!"
    assert said(edited(SetParameter(path="triage/instructions", value=text), base=base), NOTHING, base) == []
    more = edited(SetParameter(path="triage/instructions", value=f"{text} https://shop.example/help?x={{{{question}}}}"),
                  base=base)  # fmt: skip
    assert len(said(more, NOTHING, base)) == 1


@pytest.mark.parametrize("text", ["Pay 3.50 by 1.2.2026, e.g. now.", "v1.2.3 of agent.py", "a.b and ratio 1:2"])
def test_what_only_has_stops_in_it_is_no_address(text: str) -> None:
    assert said(edited(SetParameter(path="triage/instructions", value=text))) == []


def test_the_texts_grow_to_the_bound_and_no_further() -> None:
    base = desk().with_parameter("triage/instructions", Text("", max_chars=10**6))
    empty = grown(base, 0)
    length = next(n for n in range(5000) if said(grown(base, n), Allowed(growth=0, growth_from=10), base))
    assert length == 11 and said(empty, Allowed(growth=0, growth_from=0), base) == []
    whole = grown(base, 1000)
    (words,) = said(grown(base, 5000), Allowed(growth=0, growth_from=0), whole)
    was, now = (int(each) for each in words.split() if each.isdigit())
    assert now - was == 4000
    half = Allowed(growth=0.5, growth_from=0)
    assert said(grown(base, 1000 + was // 2), half, whole) == []
    assert len(said(grown(base, 1001 + was // 2), half, whole)) == 1
    assert said(grown(base, 5000), Allowed(growth=0, growth_from=4000), whole) == []
    assert len(said(grown(base, 5001), Allowed(growth=0, growth_from=4000), whole)) == 1


def grown(base: Network, characters: int) -> Network:
    return base.with_parameter("triage/instructions", Text("x" * characters, max_chars=10**6))


def test_a_name_with_a_slip_freezes_nothing_and_is_refused() -> None:
    check_frozen(BASE, Allowed(frozen=("triage/rules", "triage", "triage/choices", "structure", "calc/code")))
    check_frozen(office(), Allowed(frozen=("inner", "inner/triage/rules")))
    for name in ("traige/rules", "triage/", "rules", "", "triage/rule"):
        with pytest.raises(UsageError, match=r"allowed.frozen: agent 'desk' has no parameter .* it has triage/"):
            check_frozen(BASE, Allowed(frozen=(name,)))


@settings(max_examples=120)
@given(networks(), st.data())
def test_what_is_narrowed_and_widened_is_the_same_again(network: Network, data: st.DataObject) -> None:
    paths = list(network.parameters())
    names = data.draw(st.lists(st.sampled_from([*paths, *(path.split("/")[0] for path in paths)]), max_size=3))
    allowed = Allowed(
        structure=data.draw(st.booleans()), code=data.draw(st.booleans()), models=data.draw(st.booleans()),
        frozen=tuple(names),
    )  # fmt: skip
    narrow = narrowed(network, allowed)
    back = widened(narrow, network)
    assert back == network and back.version == network.version
    assert list(violations(network, back, allowed)) == []
    for path, item in narrow.parameters().items():
        closed = (
            (path == "structure" and not allowed.structure)
            or (isinstance(item, Code) and not allowed.code)
            or (isinstance(item, Option) and not allowed.models)
            or any(path == name or path.startswith(f"{name}/") for name in names)
        )
        assert item.learnable == (network.parameter(path).learnable and not closed)


@settings(max_examples=60)
@given(networks())
def test_what_was_learned_in_the_narrowed_agent_stays_when_it_is_widened(network: Network) -> None:
    narrow = narrowed(network, NOTHING)
    path = "n0/instructions"
    learned = narrow.with_parameter(path, narrow.parameter(path).with_value("Learned."))
    back = widened(learned, network)
    assert back == network.with_parameter(path, network.parameter(path).with_value("Learned."))


def test_worked_examples_are_no_growth_of_the_texts() -> None:
    base = desk()
    held = base.parameter("triage/examples")
    long = [{"input": {"question": f"{n} {'so ' * 2000}"}, "output": {"intent": "refund"}} for n in range(8)]
    assert said(base.with_parameter("triage/examples", held.with_value(Examples(long).value)), NOTHING, base) == []
    more = base.with_parameter("triage/examples", Examples(long, max_per_label=99))
    assert any("limits were changed" in words for words in said(more, NOTHING, base))
