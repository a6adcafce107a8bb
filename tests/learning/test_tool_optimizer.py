"""Tools are learned in two stages: what is to be done at each node, and the doing of what was decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentsym.errors import OutOfCredit, SandboxError
from agentsym.learning.optimizers.tool import ToolOptimizer, choosing
from agentsym.learning.protocols import Evidence, Proposal, Row, Tried
from agentsym.models.doubles import MALFORMED, Rule, ScriptedModel
from agentsym.models.protocol import Request
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code, Number, Structure, Text
from agentsym.network.records import LossReport, Step, ToolCall, Trajectory
from agentsym.runtime.sandbox.find import find_sandbox
from tests.learning.runs import chain, gradient, teacher_of

SOURCE = "def half(n, by=2):\n    return n // by\n"
TESTS = "def test_half():\n    assert half(6) == 3\n"
NONE = {"operation": "none", "reason": "all is well"}
IMPROVE = {"operation": "improve", "target": "half", "reason": "REASON-TOKEN"}
REWRITE = {"operation": "rewrite", "target": "half", "reason": "it rounds down"}
DELETE = {"operation": "delete", "target": "half", "reason": "it misleads"}
CREATE = {"operation": "create", "reason": "it cannot double"}
BETTER = {"op": "improve_tool", "tool": "half", "description": "Halves it.", "argument_docs": None}
EXACT = {"op": "rewrite_code", "path": "half/code", "source": SOURCE.replace("n // by", "round(n / by)")}
TWICE = {
    "op": "create_tool",
    "name": "twice",
    "description": "Doubles a number.",
    "arguments": [{"name": "n", "type": "integer", "description": "a number"}],
    "returns": "integer",
    "source": "def twice(n):\n    return 2 * n\n",
    "tests": "def test_twice():\n    assert twice(2) == 4\n",
    "attach_to": ["a"],
}


def half(name: str = "half", argument: str = "n", tests: str = TESTS) -> Tool:
    code = Code(SOURCE.replace("n,", f"{argument},").replace("n //", f"{argument} //"), entry="half", tests=tests)
    weights = {"description": Text("Halves."), "code": code, "by": Number(2, 1, 9)}
    return Tool(name=name, arguments=(Field(name=argument, type="integer"),), parameters=weights)


def agent(*, structure: bool = True) -> Network:
    """Nodes a and b may call one tool, c is a tool node."""
    nodes = [
        PromptNode("a", "Do a.", inputs=["question"], output={"x": int}, tools=[half()]),
        PromptNode("b", "Do b.", inputs=["x"], output={"y": int}, tools=["half"]),
        ToolNode("c", half("c", "y", tests=""), inputs=["y"], output="z"),
    ]
    edges = [("a", "b"), ("b", "c")]
    return Network("agent", nodes, edges, outputs=["z"], structure=Structure(learnable=structure))


AGENT = agent()


def batch(network: Network = AGENT, *, rows: int = 1) -> list[Evidence]:
    """Return failing rows, with a finding and a call of the tool at every node."""
    nodes = [node.id for node in network.nodes]
    call = ToolCall(tool="half", arguments={"n": 7}, result=3)
    steps = tuple(Step(index=at, node=node, tool_calls=(call,)) for at, node in enumerate(nodes))
    return [
        Evidence(
            row=Row(id=f"r{number}", inputs={}),
            trajectory=Trajectory(id=f"t{number}", version=network.version, steps=steps),
            loss=LossReport(example_id=f"r{number}", score=0.25),
            gradients=tuple(
                gradient(f"r{number}", node, "", step=at, analysis=f"FINDING-OF-{node}")
                for at, node in enumerate(nodes)
            ),
        )
        for number in range(rows)
    ]


def decides(**by_node: Mapping[str, Any]) -> list[Rule]:
    """Answer the first stage at each node; nothing is to be done where nothing is said."""

    def answer(request: Request) -> str:
        said = next((by_node[node] for node in by_node if f"FINDING-OF-{node}" in request.messages[1].content), NONE)
        return json.dumps({"analysis": "", "decision": said})

    return [Rule(answer, when=lambda request: "decision" in (request.schema_ or {})["properties"])]


def edits(*made: Mapping[str, Any]) -> str:
    return json.dumps({"analysis": "", "edits": [{"why": "w", **edit} for edit in made]})


async def proposed(*rules: Any, network: Network = AGENT, **options: Any) -> tuple[Proposal, ScriptedModel]:
    model = ScriptedModel(rules)
    history = options.pop("history", {})
    lr = options.pop("lr", 1.0)
    optimizer = ToolOptimizer(teacher_of(model), **options)
    proposal = await optimizer.propose(network, batch(network), lr=lr, history=history)
    model.verify()
    return proposal, model


def needs_sandbox() -> None:
    try:
        find_sandbox()
    except SandboxError as error:
        pytest.skip(str(error))


async def test_a_call_for_each_node_with_a_choice_and_one_for_each_decision() -> None:
    proposal, model = await proposed(*decides(a=IMPROVE), edits(BETTER))
    assert len(model.calls) == 3 + 1
    assert [(update.parameter, update.status) for update in proposal.updates] == [
        ("b", "kept"),
        ("c", "kept"),
        ("half", "committed"),
    ]
    assert AGENT.apply(proposal.edits).parameter("half/description").content == "Halves it."


async def test_where_nothing_of_a_tool_can_be_learned_nothing_is_asked() -> None:
    frozen = agent(structure=False).freeze(*(path for path in AGENT.parameters() if path[:2] in ("ha", "c/")))
    assert (await proposed(network=frozen))[0] == Proposal()
    text_only = chain("a", "b")
    assert (await proposed(network=text_only))[0] == Proposal()


def test_a_node_that_has_no_tools_and_can_get_none_has_no_choice() -> None:
    network = Network("n", [FunctionNode("f", len, inputs=["obj"], output="z")], structure=Structure(learnable=True))
    assert choosing(network) == ()
    assert choosing(AGENT) == ("a", "b", "c")


@pytest.mark.parametrize("stage", ["You decide", "You improve"])
async def test_a_model_that_can_answer_nobody_ends_the_step(stage: str) -> None:
    out = Rule(OutOfCredit("no credit"), when=stage)
    with pytest.raises(OutOfCredit):
        await proposed(out, *decides(a=IMPROVE))


async def test_nodes_without_a_fault_are_not_asked_for() -> None:
    model = ScriptedModel([])
    quiet = [item.model_copy(update={"gradients": ()}) for item in batch()]
    assert await ToolOptimizer(teacher_of(model)).propose(AGENT, quiet, lr=1.0, history={}) == Proposal()


async def test_a_teacher_that_knows_no_tools_is_asked_nothing() -> None:
    class OfPrompts:
        async def propose(self, task: object) -> list[Any]:
            raise AssertionError("it was asked")

    assert await ToolOptimizer(OfPrompts()).propose(AGENT, batch(), lr=1.0, history={}) == Proposal()  # type: ignore[arg-type]


async def test_illegal_decisions_and_edits_are_asked_again_with_their_errors_and_then_dropped() -> None:
    too_much = {**BETTER, "description": "Something else entirely, at much greater length than before."}
    said = iter([MALFORMED, json.dumps({"analysis": "", "decision": {**IMPROVE, "target": "unknown"}})])
    first = decides(a=IMPROVE)[0]
    stumbles = Rule(lambda _: next(said), when=lambda request: "FINDING-OF-a" in request.messages[1].content, times=2)
    proposal, model = await proposed(stumbles, first, edits(too_much), retries=3, lr=0.5)
    assert len(model.calls) == (3 + 2) + 4
    (dropped,) = [update for update in proposal.updates if update.parameter == "half"]
    assert dropped.status == "discarded" and len(dropped.errors) == 4
    last = model.calls[-1].text
    assert last.count("of the text changes, the learning rate allows 50%") == 3
    asked = [call.text for call in model.calls if "refused" in call.text and "# Operations" in call.text]
    assert len(asked) == 2 and "Input should be 'half'" in asked[1]


async def test_without_a_legal_decision_a_node_is_dropped_after_all_attempts() -> None:
    network = agent(structure=False)
    bad = Rule(MALFORMED, when="FINDING-OF-c", times=2)
    proposal, model = await proposed(bad, *decides(), network=network, retries=1)
    assert len(model.calls) == 2 + 2
    assert [(item.parameter, item.status) for item in proposal.updates] == [
        ("a", "kept"),
        ("b", "kept"),
        ("c", "discarded"),
    ]


async def test_what_several_nodes_want_of_one_tool_is_done_once() -> None:
    proposal, model = await proposed(*decides(a=IMPROVE, b=IMPROVE), edits(BETTER))
    assert len(model.calls) == 3 + 1 and len(proposal.edits) == 1


async def test_an_edit_of_a_tool_that_another_one_has_removed_is_an_error_like_any_other() -> None:
    gone = Rule(edits({"op": "delete_tool", "tool": "half"}), when="You take a tool away")
    keep = [Rule(edits(BETTER), when="You improve", times=1), Rule(edits(), when="has no parameter 'half/description'")]
    proposal, model = await proposed(*decides(a=DELETE, b=IMPROVE), gone, *keep)
    assert [update.status for update in proposal.updates] == ["kept", "committed", "kept"]
    assert len(model.calls) == 3 + 2 + 1
    assert "half" not in [tool.name for tool in AGENT.apply(proposal.edits).tools]


async def test_edits_apply_in_the_order_in_which_they_became_legal() -> None:
    delete = edits({"op": "delete_tool", "tool": "half"})
    stumbles = [Rule(MALFORMED, when="You take a tool away", times=1), Rule(delete, when="You take a tool away")]
    proposal, _ = await proposed(*decides(a=DELETE, b=IMPROVE), *stumbles, Rule(edits(BETTER), when="You improve"))
    assert [edit.op for edit in proposal.edits] == ["improve_tool", "delete_tool"]
    assert AGENT.apply(proposal.edits).tools == ()


async def test_the_learning_rate_bounds_the_tools_that_are_made_and_spends_no_call_on_more() -> None:
    needs_sandbox()
    proposal, model = await proposed(*decides(a=CREATE, b=CREATE), edits(TWICE), lr=0.25)
    assert len(model.calls) == 3 + 1
    dropped, made = proposal.updates[1:]
    assert made.status == "committed" and made.parameter == "a"
    assert dropped.status == "discarded" and "of 0.25 one step makes or deletes tools 1 times" in dropped.errors[0]


async def test_code_must_pass_its_tests_before_it_is_proposed() -> None:
    needs_sandbox()
    wrong = Rule(edits({**EXACT, "source": "def half(n, by=2):\n    return n\n"}), when="You rewrite", times=1)
    proposal, model = await proposed(*decides(a=REWRITE), wrong, edits(EXACT))
    assert "its test test_half fails in line 2" in model.calls[-1].text
    (update,) = [update for update in proposal.updates if update.parameter == "half"]
    assert update.status == "committed" and len(update.errors) == 1


async def test_a_created_tool_without_tests_is_refused() -> None:
    proposal, _ = await proposed(*decides(a=CREATE), edits({**TWICE, "tests": ""}), retries=0)
    assert proposal.edits == () and "at least one function" in proposal.updates[-1].errors[0]


async def test_numbers_of_a_tool_are_improved_with_it() -> None:
    number = {"op": "set_number", "path": "c/by", "value": 3}
    proposal, model = await proposed(*decides(c={**IMPROVE, "target": "c"}), edits(number))
    assert AGENT.apply(proposal.edits).parameter("c/by").content == 3.0
    assert "From 1.0 to 9.0" in model.calls[-1].text and "c/description" not in str(model.calls[-1].request.schema_)


async def test_a_request_shows_the_whole_code_its_tests_the_calls_and_what_was_said() -> None:
    long = SOURCE + "".join(f"# line {number} of a long comment\n" for number in range(400))
    network = AGENT.with_parameter("half/code", Code(long, entry="half", tests=TESTS))
    tried = Tried(step=1, outcome="rejected", what="TRIED-TOKEN")
    _, model = await proposed(*decides(a=IMPROVE), edits(), network=network, history={"half": [tried], "b": [tried]})
    doing = model.calls[-1].text
    for sign in (long, TESTS, 'half {"n": 7} -> 3', "FINDING-OF-a", "REASON-TOKEN", "TRIED-TOKEN", "Change at most"):
        assert sign in doing
    deciding = [call for call in model.calls if "# Operations" in call.text]
    assert ["TRIED-TOKEN" in call.text for call in deciding] == [False, True, False]
    assert all("{{" not in call.text for call in model.calls)


async def test_only_operations_that_a_node_allows_are_offered_and_explained() -> None:
    _, model = await proposed(*decides(), network=agent(structure=False).freeze("half/code"))
    offered = {name for call in model.calls for name in ("improve", "rewrite", "create") if f"- `{name}`" in call.text}
    assert offered == {"improve", "rewrite"}
    assert ["- `rewrite`" in call.text for call in model.calls] == [False, False, True]


async def test_tools_inside_an_inner_agent_are_learned_in_their_place() -> None:
    outer = Network("outer", [AgentNode("in", AGENT)], structure=Structure(learnable=True))
    steps = (Step(index=0, node="in/c"),)
    item = batch()[0].model_copy(
        update={
            "trajectory": Trajectory(id="t", version=outer.version, steps=steps),
            "gradients": (gradient("r0", "in/c", "", analysis="FINDING-OF-c"),),
        }
    )
    number = {"op": "set_number", "path": "in/c/by", "value": 3}
    model = ScriptedModel([*decides(c={**IMPROVE, "target": "in/c"}), edits(number)])
    proposal = await ToolOptimizer(teacher_of(model)).propose(outer, [item], lr=1.0, history={})
    assert outer.apply(proposal.edits).parameter("in/c/by").content == 3.0
