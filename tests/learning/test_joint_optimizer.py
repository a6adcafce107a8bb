"""Prompts, tools and pipeline in one proposal: in this order, on one base, and no call more than the formula says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from agentsym.learning.optimizers.joint import JointOptimizer
from agentsym.learning.optimizers.pipeline import PipelineOptimizer
from agentsym.learning.protocols import Evidence, Proposal, Row, Tried
from agentsym.learning.trainer import Trainer
from agentsym.models.doubles import MALFORMED, Rule, ScriptedModel
from agentsym.models.protocol import Request
from agentsym.network.canonical import content_hash
from agentsym.network.network import Network
from agentsym.network.parameters import Structure
from agentsym.network.records import LossReport, Step, Trajectory
from agentsym.store.store import Store
from tests.learning.runs import chain, gradient, teacher_of

LEARNED = chain("a", "b").replace(structure=Structure(learnable=True))
CHECK: dict[str, Any] = {
    "op": "add_node",
    "id": "check",
    "description": "checks",
    "instructions": "Correct it.",
    "inputs": ["a_out"],
    "outputs": [{"name": "a_out", "type": "string", "description": ""}],
    "on_edge": ["a", "b"],
}
RENAME: dict[str, Any] = {"op": "set_description", "node": "a", "value": "begins"}


def batch(network: Network, *nodes: str) -> list[Evidence]:
    """Return one failing row with a suggestion for the rules of every node."""
    steps = tuple(Step(index=at, node=node) for at, node in enumerate(nodes))
    found = tuple(gradient("r", node, "ADVICE-TOKEN", step=at, analysis=f"OF-{node}") for at, node in enumerate(nodes))
    return [
        Evidence(
            row=Row(id="r", inputs={}),
            trajectory=Trajectory(id="t", version=network.version, steps=steps),
            loss=LossReport(example_id="r", score=0.0),
            gradients=found,
        )
    ]


def role(request: Request) -> str:
    """Say which question a request is."""
    system = request.messages[0].content
    if "decide what is to be done about the tools" in system:
        return "decision"
    return "pipeline" if "improve the pipeline" in system else "prompt"


def answers(pipeline: list[dict[str, Any]]) -> ScriptedModel:
    """Add a rule to every node's list, leave the tools alone, and rewire as told."""
    return ScriptedModel([Rule(lambda request: answered(request, pipeline))])


def answered(request: Request, pipeline: list[dict[str, Any]]) -> str:
    match role(request):
        case "decision":
            return json.dumps({"analysis": "", "decision": {"operation": "none", "reason": ""}})
        case "pipeline":
            return json.dumps({"analysis": "", "edits": pipeline})
        case _:
            return json.dumps({"analysis": "", "edits": [{"op": "add", "text": "Be exact.", "why": "w"}]})


async def joint(model: ScriptedModel, network: Network, lr: float = 1.0, **history: list[Tried]) -> Proposal:
    nodes = [node.id for node in network.nodes]
    return await JointOptimizer(teacher_of(model)).propose(network, batch(network, *nodes), lr=lr, history=history)


async def test_calls_are_one_a_component_one_a_node_for_its_tools_and_one_for_the_pipeline() -> None:
    for names in (("a",), ("a", "b"), ("a", "b", "c", "d")):
        model = answers([])
        await joint(model, chain(*names).replace(structure=Structure(learnable=True)))
        counted = Counter(role(call.request) for call in model.calls)
        assert counted == {"prompt": len(names), "decision": len(names), "pipeline": 1}


async def test_a_frozen_pipeline_without_tools_costs_the_calls_of_its_prompts_only() -> None:
    model = answers([])
    proposal = await joint(model, chain("a", "b"))
    assert [role(call.request) for call in model.calls] == ["prompt", "prompt"]
    assert [update.status for update in proposal.updates] == ["committed", "committed"]


async def test_the_updates_of_all_three_apply_together_to_the_base() -> None:
    proposal = await joint(answers([CHECK]), LEARNED)
    assert [update.parameter for update in proposal.updates] == ["a/rules", "b/rules", "a", "b", "structure"]
    made = LEARNED.apply(proposal.edits)
    assert "check" in [node.id for node in made.nodes]
    assert len(made.parameter("a/rules").content) == 3


async def test_later_optimizers_see_what_earlier_ones_did() -> None:
    gone: list[dict[str, Any]] = [
        {"op": "delete_node", "node": "a"},
        {"op": "set_inputs", "node": "b", "value": ["question"]},
    ]
    proposal = await joint(answers(gone), LEARNED)
    made = LEARNED.apply(proposal.edits)
    assert [node.id for node in made.nodes] == ["b"] and len(made.parameter("b/rules").content) == 3


async def test_structural_edits_are_at_most_four_times_the_learning_rate() -> None:
    for lr, most in ((1.0, 4), (0.5, 2), (0.25, 1)):
        asked = [RENAME] * (most + 1)
        proposal = await joint(answers(asked), LEARNED, lr=lr)
        (update,) = [item for item in proposal.updates if item.parameter == "structure"]
        assert update.status == "discarded" and f"leaves {most} in this step" in update.errors[0]
        proposal = await joint(answers(asked[:most]), LEARNED, lr=lr)
        assert len(proposal.updates[-1].edits) == most
    model = answers([RENAME])
    await joint(model, LEARNED, lr=0.2)
    assert "pipeline" not in [role(call.request) for call in model.calls]


async def test_an_illegal_move_is_asked_again_with_its_errors_and_then_dropped() -> None:
    lonely = {**CHECK, "on_edge": None}
    said = [MALFORMED, json.dumps({"analysis": "", "edits": [lonely]}), json.dumps({"analysis": "", "edits": [CHECK]})]
    model = ScriptedModel([Rule(text, times=1) for text in said])
    proposal = await PipelineOptimizer(teacher_of(model)).propose(LEARNED, batch(LEARNED, "a"), lr=1.0, history={})
    model.verify()
    assert proposal.updates[0].status == "committed" and len(proposal.updates[0].errors) == 2
    assert "no way leads from START to this node" in model.calls[-1].text
    stubborn = ScriptedModel([Rule(MALFORMED, times=4)])
    proposal = await PipelineOptimizer(teacher_of(stubborn)).propose(LEARNED, batch(LEARNED, "a"), lr=1.0, history={})
    stubborn.verify()
    assert proposal.updates[0].status == "discarded" and LEARNED.apply(proposal.edits).version == LEARNED.version


async def test_the_pipeline_is_shown_with_all_findings_and_without_prompt_text() -> None:
    model = answers([])
    await joint(model, LEARNED, structure=[Tried(step=0, outcome="rejected", what="TRIED-TOKEN")])
    (asked,) = [call for call in model.calls if role(call.request) == "pipeline"]
    for sign in (
        '"edges"',
        "the a node",
        "OF-a",
        "OF-b",
        "ADVICE-TOKEN",
        "TRIED-TOKEN",
        "`add_node`",
        "At most 4 edits",
    ):
        assert sign in asked.text
    assert "Do the part of a" not in asked.text and "{{" not in asked.text


def everything(request: Request) -> str:
    """Answer each question of a run, find fault with every node, and add one to the pipeline."""
    asked = (request.schema_ or {})["properties"]
    if "edits" in asked or "decision" in asked:
        return answered(request, [CHECK])
    if "comments" in asked:
        return json.dumps({"comments": "wrong", "requirement_for_last": "be right", "satisfied": False})
    node = "a" if "requirement_for_previous" not in asked else "b"
    advice = [{"parameter": f"{node}/rules", "advice": "better", "severity": 2}]
    required = {} if node == "a" else {"requirement_for_previous": {"0": "be right"}}
    return json.dumps({"analysis": "wrong", "suggestions": advice, "satisfied": False, **required})


def writes(request: Request) -> str:
    """Fill a node's fields with a text of which each question has its own, so that no two requests are equal."""
    text = content_hash([message.content for message in request.messages])
    return json.dumps(dict.fromkeys((request.schema_ or {})["properties"], text))


def kind(request: Request) -> str:
    asked = (request.schema_ or {})["properties"]
    return "loss" if "comments" in asked else "backward" if "satisfied" in asked else role(request)


def test_a_step_of_the_paper_costs_exactly_the_calls_of_its_formula(tmp_path: Path) -> None:
    teacher = ScriptedModel([Rule(everything)])
    student = ScriptedModel([Rule(writes)])
    asking = teacher_of(teacher)
    rows = [Row(id=name, inputs={"question": name}, expected={"b_out": "y"}) for name in "12"]
    with Store.open(tmp_path / "store.db") as store:
        run = Trainer(
            LEARNED,
            rows,
            val=(),
            metric=lambda row, output: 0.0,
            student=student,
            teacher=asking,
            optimizer=JointOptimizer(asking),
            gate="paper",
            steps=1,
            batch=2,
            lr=1.0,
            cache=False,
            store=store,
        ).fit()
    assert "check" in [node.id for node in run.head.nodes]  # a tie is kept
    assert Counter(kind(call.request) for call in teacher.calls) == {
        "loss": 2,
        "backward": 2 * 2,
        "prompt": 2,
        "decision": 2,
        "pipeline": 1,
    }
    assert len(student.calls) == 2 * 2 + 3 * 2


async def test_where_nothing_is_wrong_the_pipeline_is_left_alone() -> None:
    model = ScriptedModel([])
    fine = [item.model_copy(update={"gradients": ()}) for item in batch(LEARNED, "a")]
    optimizer = PipelineOptimizer(teacher_of(model))
    assert await optimizer.propose(LEARNED, fine, lr=1.0, history={}) == Proposal()
