"""Networks and runs made by hand, and a model double for every role of the teacher.

Back-propagation reads records only, so its tests need no runtime: a record says exactly what happened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.teacher.llm import LLMTeacher
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Request
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.records import Gradient, LossReport, Step, Suggestion, Trajectory


def chain(*names: str, frozen: Iterable[str] = ()) -> Network:
    """Return nodes one after the other; node `b` reads `a_out` and writes `b_out`."""
    nodes, reads = [], "question"
    for name in names:
        nodes.append(prompt_node(name, [reads]))
        reads = f"{name}_out"
    network = Network("chain", nodes, list(pairwise(names)), outputs=[reads])
    return frozen_at(network, *frozen)


def prompt_node(name: str, reads: Iterable[str], **more: Any) -> PromptNode:
    return PromptNode(
        name,
        f"Do the part of {name}.",
        inputs=reads,
        output={f"{name}_out": str},
        rules=[f"The first rule of {name}.", f"The second rule of {name}."],
        description=f"the {name} node",
        **more,
    )


def frozen_at(network: Network, *nodes: str) -> Network:
    """Freeze every parameter of some nodes."""
    return network.freeze(*(path for path in network.parameters() if path.partition("/")[0] in nodes))


def trajectory(
    network: Network, steps: Iterable[tuple[str, tuple[int, ...]]], *, changes: Mapping[int, dict[str, Any]] = {}
) -> Trajectory:
    """Return a run from (node, parents); `changes` replaces attributes of single steps."""
    made: list[Step] = []
    for index, (node, parents) in enumerate(steps):
        field = f"{node.rpartition('/')[2]}_out"
        values = {"visit": sum(step.node == node for step in made), "output": {field: f"output {index}"}}
        values |= {"inputs": {name: text for p in parents for name, text in made[p].output.items()}}
        made.append(Step(index=index, node=node, parents=parents, **(values | dict(changes.get(index, {})))))
    written = {name: text for step in made for name, text in step.output.items() if name in network.outputs}
    failed = [step.error for step in made if step.error]
    return Trajectory(
        id="t",
        version=network.version,
        inputs={"question": "why?"},
        steps=tuple(made),
        output=written,
        status="error" if failed else "ok",
        error=failed[0] if failed else None,
    )


def straight(network: Network, **more: Any) -> Trajectory:
    """Return the run of a chain."""
    return trajectory(network, [(node.id, (at - 1,) if at else ()) for at, node in enumerate(network.nodes)], **more)


def lossy(requirement: str = "the loss wants better", score: float = 0.25, **more: Any) -> LossReport:
    return LossReport(example_id="r1", score=score, text="comments", requirement=requirement, **more)


def evidence(row: str, score: float, *gradients: Gradient, of: Trajectory | None = None) -> Evidence:
    """Return what is known of one row; the gradients say of which nodes."""
    steps = tuple(Step(index=item.step, node=item.node, inputs={"question": f"q of {row}"}) for item in gradients)
    run = of or Trajectory(id=f"t-{row}", version="v", example_id=row, steps=steps)
    loss = LossReport(example_id=row, score=score, text="comments")
    return Evidence(row=Row(id=row, inputs={}), trajectory=run, loss=loss, gradients=gradients)


def gradient(row: str, node: str, advice: str, *, step: int = 0, analysis: str = "wrong", **more: Any) -> Gradient:
    suggestions = (Suggestion(parameter=f"{node}/rules", advice=advice),) if advice else ()
    return Gradient(example_id=row, step=step, node=node, analysis=analysis, suggestions=suggestions, **more)


def scripted(answer: Callable[[Request], Any]) -> ScriptedModel:
    """Return a double whose answers are JSON, made from the request."""
    return ScriptedModel([Rule(lambda request: json.dumps(answer(request)))])


def teacher_of(model: ScriptedModel, **options: Any) -> LLMTeacher:
    return LLMTeacher(model, Door(), **options)


def step_asked(request: Request) -> int:
    """Return the number of the step that a gradient request is about."""
    found = re.search(r"^# The step\n\nStep (\d+)", request.messages[1].content, re.MULTILINE)
    assert found, request.messages[1].content
    return int(found[1])


def parents_asked(request: Request) -> list[int]:
    """Return the steps that the answer to a gradient request may require something of."""
    assert request.schema_ is not None
    requirements = request.schema_.get("$defs", {}).get("Requirements", {"properties": {}})
    return [int(index) for index in requirements["properties"]]


def passes_tokens(request: Request) -> dict[str, Any]:
    """Answer a gradient request with a token for each parent that occurs nowhere else."""
    step, parents = step_asked(request), parents_asked(request)
    reply: dict[str, Any] = {"analysis": f"analysis of {step}", "satisfied": False}
    if "suggestions" in (request.schema_ or {})["properties"]:
        reply["suggestions"] = []
    if parents:
        reply["requirement_for_previous"] = {str(parent): f"TOKEN-{step}-TO-{parent}" for parent in parents}
    return reply
