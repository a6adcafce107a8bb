"""What a language model gets to see of an agent, its runs and its gradients, as bounded text.

Whatever was said or written at run time is quoted as data, on lines that no content can forge; nothing but the values
given here ever gets into a prompt.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentsym.learning.backward import parents_of
from agentsym.learning.loss import PERFECT
from agentsym.learning.merge import MergedGradient, bounded, fit, shorten
from agentsym.learning.protocols import Evidence
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, AnyNode, PromptNode, Tool
from agentsym.network.parameters import Choices, Examples, Number, Option, Parameter, Rules, Text
from agentsym.network.records import LossReport, Step, ToolCall, Trajectory

_TAG = re.compile(r"<(?=\s*/?\s*data\b)", re.IGNORECASE)
FIELD_CHARS = 4_000
RUN_CHARS = 24_000
VISIT_CHARS = 150
RIGHT_PER_LABEL, RIGHT = 3, 24


def quoted(name: str, text: str) -> str:
    """Return a text as a block of data that it cannot leave."""
    return f'<data name="{name}">\n{_TAG.sub("&lt;", text)}\n</data>'


def line(value: Any) -> str:
    """Write a value on one line: plain text as it is, everything else as JSON."""
    if isinstance(value, str) and value and value == value.strip() and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def fields(values: Mapping[str, Any], limit: int = FIELD_CHARS) -> str:
    """Write fields, one a line, each shortened to `limit` characters."""
    return "\n".join(f"{name}: {shorten(line(value), limit)}" for name, value in values.items()) or "(none)"


def node_at(network: Network, path: str) -> tuple[AnyNode, Network]:
    """Return a node by its id, or that of an inner agent by `outer/inner`, and the network it stands in."""
    *outer, name = path.split("/")
    for step in outer:
        holder = network.node(step)
        assert isinstance(holder, AgentNode), f"{step} is no agent"
        network = holder.agent
    return network.node(name), network


def agent(network: Network) -> str:
    """Say what an agent is for and what its nodes do."""
    takes = ", ".join(map(_typed, network.inputs))
    gives = ", ".join(map(_typed, network.output_fields()))
    about = f"`{network.name}`{_about(network.description) or '.'}"
    purpose = f"{about} It takes {takes or 'nothing'} and gives {gives or 'nothing'}."
    return "\n".join([purpose, "Its nodes:", *_nodes(network, "")])


def node(network: Network, path: str) -> str:
    """Say what one node is for, what it reads and what it writes."""
    found, _ = node_at(network, path)
    written = found.fields() if isinstance(found, PromptNode) else found.output
    gives = ", ".join(_typed(field) + _about(field.description) for field in written)
    reads = ", ".join(found.inputs) or "nothing"
    about = f"`{path}` ({found.kind} node){_about(found.description) or '.'}"
    return f"{about} It reads {reads} and writes {gives or 'nothing'}."


def labels(network: Network) -> str:
    """List the labels of the choices among an agent's outputs, with their definitions."""
    chosen = {name: choices for name in network.outputs if (choices := _choices(network, name))}
    return "\n\n".join(f"Of `{name}`:\n{quoted(name, value(choices))}" for name, choices in chosen.items())


def wanted(network: Network, path: str, loss: LossReport) -> dict[str, Any]:
    """Return the labeled fields that a node writes; what an inner agent keeps to itself is none, whatever its name."""
    names = path.split("/")
    holders = [node_at(network, "/".join(names[:depth]))[1] for depth in range(1, len(names) + 1)]
    written = {field.name for field in node_at(network, path)[0].output}.intersection(*(h.outputs for h in holders))
    return {name: content for name, content in (loss.expected or {}).items() if name in written}


def origins(messages: Sequence[str], after: Sequence[Step], judgement: str) -> list[str]:
    """Say of each requirement of a step where it came from, as far as that can be told.

    Args:
        messages: the requirements, in the order of the steps that sent them.
        after: the steps that could have sent one.
        judgement: what the judgement of the result requires; it keeps its name where a step passed it on unchanged.
    """
    judged = [not after or text == judgement for text in messages]
    exact = len(messages) - sum(judged) == len(after)
    senders = iter(after)
    return [
        "the judgement of the result"
        if is_judged
        else f"step {next(senders).index}"
        if exact
        else "a step that used its output"
        for is_judged in judged
    ]


def run(trajectory: Trajectory, max_chars: int = RUN_CHARS) -> str:
    """Write down a whole run: every step's fields, shortened together to at most about `max_chars` characters."""
    parts: list[tuple[str, Any]] = [(f"input {name}: ", value) for name, value in trajectory.inputs.items()]
    for step in trajectory.steps:
        parts += [(f"{title(step)}:", None), *((f"  {head}", value) for head, value in _happened(step))]
    parts += [("the run ended with: ", trajectory.status)]
    parts += [("error: ", trajectory.error)] if trajectory.error else []
    return quoted("run", _layout(parts, max_chars))


def record(step: Step, expected: Mapping[str, Any], max_chars: int = RUN_CHARS // 2) -> str:
    """Write down what one step was given, what it called, what it gave and, where known, what it should have given."""
    return quoted("step", _layout([*_happened(step), *_expected(expected)], max_chars))


def title(step: Step) -> str:
    """Name a step: its number, node, visit and where its inputs came from."""
    visit = f", visit {step.visit + 1}" if step.visit else ""
    sources = parents_of(step)
    came = f", after step {', '.join(map(str, sources))}" if sources else ""
    return f"Step {step.index} (node `{step.node}`{visit}{came})"


def outputs(network: Network, steps: Iterable[Step], *, with_values: bool) -> str:
    """List steps with what their nodes are for and, if wanted, what they gave."""
    listed = []
    for step in steps:
        found, _ = node_at(network, step.node)
        given = f"\n{quoted(f'output of step {step.index}', fields(step.output))}" if with_values else ""
        listed.append(f"{title(step)}{_about(found.description)}{given}")
    return "\n\n".join(listed)


def components(
    network: Network,
    paths: Iterable[str],
    editable: Container[str],
    limit: int = FIELD_CHARS,
    concerned: Container[str] = (),
) -> str:
    """List parameters with their role, their limits and their values, and say which of them may be changed here.

    Args:
        network: the network.
        paths: which parameters.
        editable: those that may be changed here.
        limit: most characters of a value; definitions are never cut, since each label is compared with all others.
        concerned: labels that were given or wanted: of examples that are too many only theirs are shown.
    """
    listed = []
    for path in paths:
        parameter = network.parameter(path)
        state = "editable" if path in editable else "read only"
        head = f"`{path}` ({parameter.kind}, {state}){_about(parameter.role)}{bounds(parameter)}"
        text = value(parameter)
        if isinstance(parameter, Examples) and len(text) > limit:
            shown = [
                item for item in parameter.value if any(line(given) in concerned for given in item.output.values())
            ]
            if 0 < len(shown) < len(parameter.value):
                text = value(parameter.model_copy(update={"value": tuple(shown)}))
                head += (
                    f" Shown are {len(shown)} of {len(parameter.value)}, those of the labels that were given or wanted."
                )
        if not isinstance(parameter, Choices):
            text = shorten(text, limit)
        listed.append(f"{head}\n{quoted(path, text)}")
    return "\n\n".join(listed) or "(none)"


def value(parameter: Parameter) -> str:
    """Write the value of a parameter, items with the ids by which edits address them."""
    match parameter:
        case Rules():
            lines = [f"[{rule.id}] {line(rule.text)}" for rule in parameter.value]
        case Choices():
            lines = [f"{item.label}: {line(item.definition)}" for item in parameter.value]
        case Examples():
            lines = [f"[{item.id}] {line(item.input)} => {line(item.output)}" for item in parameter.value]
        case _:
            return str(parameter.content) or "(empty)"
    return "\n".join(lines) or "(empty)"


def bounds(parameter: Parameter) -> str:
    """Say the limits that a parameter has by itself."""
    match parameter:
        case Text():
            return f" At most {parameter.max_chars} characters."
        case Choices():
            return f" At most {parameter.max_chars} characters a definition."
        case Rules():
            return f" At most {parameter.max_chars} characters a rule, {parameter.max_per_label} rules for one label."
        case Examples():
            return f" At most {parameter.max_per_label} examples for one label."
        case Number():
            return f" From {parameter.low} to {parameter.high}."
        case Option():
            return f" One of {', '.join(parameter.options)}."
        case _:
            return ""


def tools(network: Network, path: str) -> str:
    """List the tools that a prompt node may call; nothing for other nodes, whose tool is their component."""
    found, around = node_at(network, path)
    held: list[Tool] = [around.tool(name) for name in found.tools] if isinstance(found, PromptNode) else []
    return "\n\n".join(
        f"`{tool.name}` takes {', '.join(map(_typed, tool.arguments)) or 'nothing'}\n"
        + quoted(tool.name, value(tool.parameters["description"]) if "description" in tool.parameters else "(empty)")
        for tool in held
    )


def gradients(network: Network, merged: MergedGradient, evidence: Sequence[Evidence], path: str) -> str:
    """List what a batch says of one component, each finding with the visit it was made on.

    The visits' fields have half as many characters again as the findings themselves.
    """
    visits = {(item.row.id, step.index): (item, step) for item in reversed(evidence) for step in item.trajectory.steps}
    shown = bounded(merged)
    listed = []
    each = 6_000 // max(1, len(shown.items))
    for number, item in enumerate(shown.items, 1):
        advice = [f"advice (severity {s.severity}): {line(s.advice)}" for s in item.suggestions if s.parameter == path]
        found = visits.get((item.examples[0], item.step))
        parts = [*_happened(found[1]), *_expected(wanted(network, merged.node, found[0].loss))] if found else []
        said = f", said {item.multiplicity} times" if item.multiplicity > 1 else ""
        body = "\n".join([f"analysis: {line(item.analysis)}", *advice, "the visit:", _indented(_layout(parts, each))])
        listed.append(f"Gradient {number}: score {item.score:.2f}{said}\n{quoted(f'gradient {number}', body)}")
    return "\n\n".join(listed) or "There are none."


class Visits:
    """What a batch says of one node beside its gradients: the visits that were right, and which labels were mixed up.

    Args:
        network: the network that ran.
        evidence: the batch.
        node: the node.
        parameter: the component that is edited; where it defines the labels of one field, only that field's count.
    """

    def __init__(self, network: Network, evidence: Sequence[Evidence], node: str, parameter: str) -> None:
        edited = parameter.removeprefix(f"{node}/choices/")
        fields = [field.name for field in node_at(network, node)[0].output if field.type == "choice"]
        self.chosen = [edited] if edited in fields else fields
        self.visits = [
            (item, step, wanted(network, node, item.loss))
            for item in evidence
            for step in item.trajectory.steps
            if step.node == node
        ]

    def concerned(self) -> set[str]:
        """Return the labels that were given where they were wrong, and those that were wanted there."""
        return {
            line(label)
            for item, step, expected in self.visits
            for name in self.chosen
            if name in expected and not _is_right(item, step, name, expected[name])
            for label in (step.output.get(name), expected[name])
        }

    def right(self) -> str:
        """List visits that were right, shortened: a few for each label, bounded in all, in an order of their own."""
        by_label: dict[str, set[str]] = {}
        for item, step, expected in self.visits:
            if step.output and _was_right(item, step, expected):
                label = line([step.output.get(name) for name in self.chosen])
                by_label.setdefault(label, set()).add(f"{briefly(step.inputs)} => {briefly(step.output)}")
        ranked = [
            (rank, label, text)
            for label, texts in by_label.items()
            for rank, text in enumerate(sorted(texts)[:RIGHT_PER_LABEL])
        ]
        listed = sorted((label, rank, text) for rank, label, text in sorted(ranked)[:RIGHT])
        return quoted("right visits", bullets(text for *_, text in listed)) if listed else ""

    def confusions(self) -> str:
        """Count for each pair of labels how often one was given where the other was wanted, the most frequent first."""
        pairs = Counter(
            f"`{shorten(line(step.output[name]), VISIT_CHARS)}` given, `{line(expected[name])}` wanted"
            for item, step, expected in self.visits
            for name in self.chosen
            if name in step.output and name in expected and not _is_right(item, step, name, expected[name])
        )
        listed = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:RIGHT]
        return quoted("confusions", bullets(f"{pair}: {count}" for pair, count in listed)) if listed else ""


def summary(merged: MergedGradient) -> str:
    """Say how many visits of a node there were in the batch and how they fared."""
    left_out = " Some texts were shortened or left out to fit." if bounded(merged).truncated else ""
    counts = (
        f"Visits of this node that were judged in the batch: {merged.total}",
        f"with nothing to change: {merged.satisfied}",
        f"without a usable finding: {merged.invalid}",
        f"mean score of their runs: {merged.mean_score:.2f}",
    )
    return f"{'; '.join(counts)}.{left_out}"


def bullets(sentences: Iterable[str]) -> str:
    """Write sentences as a list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def phrase(lr: float) -> str:
    """Say a learning rate in words."""
    if lr <= 0.2:
        return "the smallest change that helps; leave everything else as it is."
    if lr <= 0.6:
        return "a moderate change: mend what is wrong and keep the rest."
    return "a bold change is welcome, where the cause calls for it."


def _was_right(item: Evidence, step: Step, expected: Mapping[str, Any]) -> bool:
    """Say whether a visit was right: by its labels where it has any, else by a critic who found no fault anywhere."""
    if expected:
        return all(_is_right(item, step, name, content) for name, content in expected.items())
    found = [gradient for gradient in item.gradients if gradient.step == step.index]
    return any(gradient.satisfied and not gradient.requirements for gradient in found)


def _is_right(item: Evidence, step: Step, name: str, expected: Any) -> bool:
    given, metrics = step.output.get(name), item.loss.metrics
    return given == expected or (given == item.trajectory.output.get(name) and metrics.get(name, 0.0) >= PERFECT)


def briefly(values: Mapping[str, Any]) -> str:
    """Write fields on one line of at most `VISIT_CHARS` characters."""
    return shorten("; ".join(f"{name}: {line(content)}" for name, content in values.items()), VISIT_CHARS)


def _expected(expected: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f"expected {name}: ", content) for name, content in expected.items())


def _happened(step: Step) -> Iterator[tuple[str, Any]]:
    """Yield everything that is shown of a step, as (head, value)."""
    yield from ((f"input {name}: ", content) for name, content in step.inputs.items())
    for call in step.tool_calls:
        yield f"called {call.tool}: ", _call(call)
    yield from ((f"output {name}: ", content) for name, content in step.output.items())
    if step.raw and (step.error or not step.output):
        yield "raw answer: ", step.raw
    if step.route:
        yield "chose to go on to: ", step.route
    if step.error:
        yield "error: ", step.error


def _call(call: ToolCall) -> dict[str, Any]:
    outcome = {"error": call.error} if call.error else {"result": call.result}
    return {"arguments": call.arguments, **outcome}


def _layout(parts: Sequence[tuple[str, Any]], max_chars: int) -> str:
    """Write (head, value) pairs, one a line, with the values shortened together; a None has a head only."""
    texts = fit([shorten("" if item is None else line(item), FIELD_CHARS) for _, item in parts], max_chars)
    return "\n".join(f"{head}{text}" for (head, _), text in zip(parts, texts, strict=True)) or "(nothing)"


def _indented(text: str) -> str:
    return "\n".join(f"  {row}" for row in text.split("\n"))


def _typed(field: Field) -> str:
    return field.name if field.type == "any" else f"{field.name} ({field.type})"


def _choices(network: Network, name: str) -> Choices | None:
    """Return the labels of a field, of the node that is the last to write it."""
    writers = [item for item in network.nodes if any(field.name == name for field in item.output)]
    match writers[-1:]:
        case [PromptNode() as found] if f"choices/{name}" in found.parameters:
            return found.choices(name)
        case [AgentNode() as found]:
            return _choices(found.agent, name)
        case _:
            return None


def _about(description: str) -> str:
    return f": {description.strip().rstrip('.')}." if description.strip() else ""


def _nodes(network: Network, prefix: str) -> Iterator[str]:
    for item in network.nodes:
        path = f"{prefix}{item.id}"
        goes = [edge.target for edge in network.edges if edge.source == item.id and not edge.target.startswith("__")]
        then = f"; then {', '.join(goes)}" if goes else ""
        writes = ", ".join(field.name for field in item.output) or "nothing"
        reads = ", ".join(item.inputs) or "nothing"
        yield f"- `{path}` ({item.kind}){_about(item.description)} reads {reads}; writes {writes}{then}"
        if isinstance(item, AgentNode):
            yield from _nodes(item.agent, f"{path}/")
