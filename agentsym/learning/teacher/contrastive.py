"""`ContrastiveTeacher`: the teacher that needs no model and no key.

Losses and gradients follow from the labels; edits come from `contrast.py`, which finds in the batch what separates
failures from successes. Here both are put into the framework's words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from agentsym.errors import OutputError
from agentsym.learning.backward import learnable_at
from agentsym.learning.protocols import Row, Task, Verdict
from agentsym.learning.teacher import contrast
from agentsym.learning.teacher.contrast import Contrast, Kind, Limits, Record
from agentsym.models.lexical import Grams, Reading
from agentsym.models.protocol import Phase
from agentsym.models.spans import as_texts
from agentsym.network.canonical import canonical_json
from agentsym.network.edits import AddItem, Edit, ReplaceItem
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode
from agentsym.network.parameters import Choices, Examples, Rules
from agentsym.network.prompt import in_order
from agentsym.network.records import Gradient, LossReport, Step, Suggestion, Trajectory

P = TypeVar("P", Rules, Examples)
YES_NO = ("false", "true")


class ContrastiveTeacher:
    """Compares what was answered with what was wanted; it learns best from all rows at once.

    Attributes:
        name: how a run refers to it.
        reads_all_rows: the trainer makes all of train one batch.
    """

    name = "embedded"
    reads_all_rows = True

    def __init__(self) -> None:
        self._grams = Grams()

    async def loss(
        self,
        network: Network,
        trajectory: Trajectory,
        row: Row,
        verdict: Verdict,
        *,
        phase: Phase = "loss",
        rollout: int = 0,
    ) -> LossReport:
        """Say which labeled fields are wrong; the score is the metric's (an error scores 0)."""
        wrong = _wrong_fields(trajectory.output, row.expected)
        wanted = "; ".join(f"{name} should be `{row.expected[name]}`, it is `{given}`" for name, given in wrong.items())
        score = verdict.score if verdict.score is not None else 0.0
        return LossReport(
            example_id=row.id,
            score=score,
            text=wanted or verdict.text or trajectory.error or "",
            requirement=wanted or verdict.text,
            satisfied=not wrong and trajectory.status == "ok",
            expected=row.expected or None,
            metrics=verdict.parts,
        )

    async def gradient(
        self, network: Network, trajectory: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        """Say which of the step's own fields are wrong, and pass on what is wrong with the others."""
        expected = loss.expected or {}
        wrong = _wrong_fields(step.output, expected)
        elsewhere = _wrong_fields(trajectory.output, expected).keys() - step.output.keys()
        told = [f"{name}: `{given}` was answered, `{expected[name]}` was wanted" for name, given in wrong.items()]
        parents = tuple({*step.parents, *(() if step.control_parent is None else (step.control_parent,))})
        return Gradient(
            example_id=loss.example_id,
            step=step.index,
            node=step.node,
            analysis="; ".join(told),
            suggestions=tuple(_suggestions(network, step.node, "; ".join(told))) if wrong else (),
            requirements=dict.fromkeys(parents, "\n".join(messages)) if elsewhere else {},
            satisfied=not wrong and not elsewhere,
            score=loss.score,
        )

    async def propose(self, task: Task) -> Sequence[Edit]:
        """Return the edits of one component that would answer the failures of the batch best."""
        node = _prompt_node(task.network, task.node)
        part = task.parameter.removeprefix(f"{task.node}/")
        edits: dict[str, Edit] = {}
        for field in node.output:
            if part.startswith("choices/") and part != f"choices/{field.name}":
                continue
            answers = [answer for answer in _answers(task, node) if field.name in answer.expected]
            labels = _labels(node, field.name)
            if not answers or not labels:
                continue
            records = [
                Record(
                    text=_text(answer.inputs),
                    wanted=_label(answer.expected[field.name]),
                    predicted=_label(answer.output.get(field.name)),
                )
                for answer in answers
            ]
            kind: Kind = "definitions" if part.startswith("choices/") else "rules" if part == "rules" else "examples"
            writer = Contrast(_limits(node, field.name), grams=self._grams)
            for found in writer.propose(kind, _reading(node, field.name, labels), records):
                edit = _as_edit(task.parameter, found, answers)
                edits[canonical_json(edit.model_dump(mode="json", exclude={"why"}))] = edit
        return list(edits.values())


class _Answer(NamedTuple):
    """What one step read, answered and should have answered; inputs that are labeled are the labels."""

    inputs: dict[str, Any]
    output: dict[str, Any]
    expected: dict[str, Any]


def _answers(task: Task, node: PromptNode) -> list[_Answer]:
    """Return every visit of the node in the batch whose row is labeled for it."""
    fields = [field.name for field in node.output]
    found = []
    for item in task.evidence:
        expected = {name: item.row.expected[name] for name in fields if name in item.row.expected}
        if not expected:
            continue
        for step in item.trajectory.steps:
            if step.node == task.node and step.error is None:
                inputs = {name: item.row.expected.get(name, step.inputs.get(name)) for name in node.inputs}
                found.append(_Answer(inputs, step.output, expected))
    return found


def _reading(node: PromptNode, field: str, labels: Sequence[str]) -> Reading:
    """Return what the prompt says of one field, as the embedded reader reads it."""
    definitions = dict(_choices(node, field))
    return Reading(
        choices=tuple((label, definitions.get(label, "")) for label in labels),
        rules=tuple(rule.text for rule in _held(node, "rules", Rules).value),
        examples=tuple(
            (_text(in_order(example.input, node.inputs)), _label(example.output[field]))
            for example in _held(node, "examples", Examples).value
            if field in example.output
        ),
    )


def _limits(node: PromptNode, field: str) -> Limits:
    """Return what the node's parameters allow."""
    rules, choices = _held(node, "rules", Rules), node.parameters.get(f"choices/{field}")
    return Limits(
        examples_per_label=_held(node, "examples", Examples).max_per_label,
        rules_per_label=rules.max_per_label,
        rule_chars=rules.max_chars,
        definition_chars=choices.max_chars if isinstance(choices, Choices) else 0,
    )


def _as_edit(path: str, found: contrast.Edit, answers: Sequence[_Answer]) -> Edit:
    """Write one finding as an edit of the network."""
    match found:
        case contrast.AddExample():
            return AddItem(path=path, item=_example(answers[found.row]), why=found.reason)
        case contrast.SetDefinition():
            return ReplaceItem(path=path, id=found.label, item=found.text, why=found.reason)
        case contrast.AddRule():
            return AddItem(path=path, item=found.text, why=found.reason)


def _example(answer: _Answer) -> dict[str, Any]:
    return {"input": answer.inputs, "output": answer.expected}


def _text(inputs: Mapping[str, Any]) -> str:
    """Return the inputs as the embedded reader reads them."""
    return "\n".join(as_texts(inputs).values())


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _labels(node: PromptNode, field: str) -> tuple[str, ...]:
    """Return the labels of a choice, or of a yes/no; none for other fields, which are not chosen but copied."""
    types = {output.name: output.type for output in node.output}
    return YES_NO if types[field] == "boolean" else tuple(label for label, _ in _choices(node, field))


def _choices(node: PromptNode, field: str) -> list[tuple[str, str]]:
    choices = node.parameters.get(f"choices/{field}")
    return [(item.label, item.definition) for item in choices.value] if isinstance(choices, Choices) else []


def _held(node: PromptNode, name: str, kind: type[P]) -> P:
    parameter = node.parameters[name]
    assert isinstance(parameter, kind)
    return parameter


def _prompt_node(network: Network, path: str) -> PromptNode:
    """Return a prompt node by its path (`outer/inner` for a node of an inner agent)."""
    name, _, rest = path.partition("/")
    node = network.node(name)
    if isinstance(node, AgentNode):
        return _prompt_node(node.agent, rest)
    if not isinstance(node, PromptNode):
        raise OutputError(f"the embedded teacher writes prompts only; {path} is no prompt node")
    return node


def _suggestions(network: Network, path: str, advice: str) -> Iterator[Suggestion]:
    """Yield the same advice for each component of the node that may be learned."""
    for name, parameter in learnable_at(network, path).items():
        if isinstance(parameter, Rules | Choices | Examples):
            yield Suggestion(parameter=name, advice=advice)


def _wrong_fields(output: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that are not what was wanted, by field."""
    return {name: output[name] for name, wanted in expected.items() if name in output and output[name] != wanted}
