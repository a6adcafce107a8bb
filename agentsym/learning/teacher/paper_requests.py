"""The requests of the paper's algorithm: the loss of a run, the gradient of a step, the edits of one component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agentsym.learning.backward import learnable_at, parents_of
from agentsym.learning.merge import MergedGradient, merge, shorten
from agentsym.learning.protocols import Row, Task, Verdict
from agentsym.learning.teacher import views
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.learning.teacher.readers import PromptReader
from agentsym.network.network import Network
from agentsym.network.records import LossReport, Message, Step, Trajectory
from agentsym.network.template import render

_SYSTEM = {"text": "instructions", "rules": "rules", "choices": "choices", "examples": "examples"}


def loss_messages(
    network: Network,
    trajectory: Trajectory,
    row: Row,
    verdict: Verdict,
    judge: str = "",
    demonstrations: str | None = None,
    *,
    prompts: Path | None = None,
) -> tuple[Message, ...]:
    """Render the loss prompt: labels and score have a place in it only where there are any."""
    parts = blocks("loss", prompts)
    labels = "labeled" if row.expected else "unlabeled"
    if verdict.score is None:
        scoring = render(parts["scoring: judge"], {"full_mark": parts[f"full mark: {labels}"]})
    else:
        meaning = [f"\nBy part: {views.line(dict(verdict.parts))}."] if verdict.parts else []
        meaning += [f"\nThe program says:\n{views.quoted('score', verdict.text)}"] if verdict.text else []
        scoring = render(parts["scoring: metric"], {"score": f"{verdict.score:.3g}", "meaning": "".join(meaning)})
    expected = views.quoted("expected output", views.fields(row.expected)) if row.expected else ""
    return _messages(
        parts,
        {
            "truth": parts[f"truth: {labels}"],
            "failed": "" if trajectory.status == "ok" else parts["failed"] + "\n",
            "rubric": _slot(parts["rubric"], "rubric", judge),
            "scoring": scoring,
            "score_field": "" if verdict.score is not None else "\n" + parts["score field"],
            "demonstrations": parts["demonstrations"] if demonstrations is None else demonstrations,
            "agent": views.agent(network),
            "run": views.run(trajectory),
            "result": views.quoted("result", views.fields(trajectory.output)),
            "labels": _slot(parts["labels"], "labels", views.labels(network)),
            "expected": _slot(parts["expected"], "expected", expected),
        },
        prompts,
        critics=False,
    )


def gradient_messages(
    network: Network,
    trajectory: Trajectory,
    step: Step,
    loss: LossReport,
    messages: Sequence[str],
    lr: float,
    *,
    student: str = "",
    prompts: Path | None = None,
) -> tuple[Message, ...]:
    """Render the gradient prompt of one step; without steps before it, nothing in the prompt speaks of any."""
    parts = blocks("gradient", prompts)
    steps = {item.index: item for item in trajectory.steps}
    before = [steps[index] for index in parents_of(step)]
    after = [item for item in trajectory.steps if step.index in parents_of(item)]
    reader = PromptReader(network, step.node, student, prompts)
    editable = reader.heeds(learnable_at(network, step.node))
    paths = [path for path in network.parameters() if path.startswith(f"{step.node}/")]
    tools = views.tools(network, step.node)
    origins = views.origins(messages, after, loss.requirement or loss.text)
    required = (
        f"Requirement {at} (from {origin}):\n{views.quoted(f'requirement {at}', text)}"
        for at, (origin, text) in enumerate(zip(origins, messages, strict=True), 1)
    )
    expected = views.wanted(network, step.node, loss)
    concerned = {views.line(content) for content in (*step.output.values(), *expected.values())}
    suggesting = {"lr": f"{lr:.2g}", "phrase": views.phrase(lr)}
    how = reader.section("suggesting", parts["suggesting"]) if editable else parts["suggesting: frozen"]
    return _messages(
        parts,
        {
            "needed": parts["needed" if before else "needed: first"],
            "several": " " + parts["several"] if len(messages) > 1 else "",
            "foreign": parts["foreign" if before else "foreign: first"],
            "cause": parts["cause" if before else "cause: first"],
            "suggesting": render(how, suggesting),
            "passing": parts["passing" if before else "passing: first"],
            "suggestions_field": "\n" + parts["suggestions field"] if editable else "",
            "previous_field": "\n" + parts["previous field"] if before else "",
            "satisfied_field": parts["satisfied field" if editable else "satisfied field: frozen"],
            "agent": views.agent(network),
            "score": f"{loss.score:.2f}",
            "comments": views.quoted("comments", shorten(loss.text, views.FIELD_CHARS)),
            "step": f"{views.title(step)}\n{views.node(network, step.node)}",
            "messages": "\n\n".join(required),
            "record": views.record(step, expected),
            "previous": _slot(parts["previous"], "previous", views.outputs(network, before, with_values=True)),
            "next": _slot(parts["next"], "next", views.outputs(network, after, with_values=False)),
            "components": views.components(network, paths, editable, concerned=concerned),
            "tools": _slot(parts["tools"], "tools", tools),
        },
        prompts,
    )


def update_messages(task: Task, *, student: str = "", prompts: Path | None = None) -> tuple[Message, ...]:
    """Render the update prompt of one component; the same batch gives the same bytes in whatever order it comes."""
    network, parts = task.network, blocks("update", prompts)
    parameter = network.parameter(task.parameter)
    own, reader = blocks(_SYSTEM[parameter.kind], prompts), PromptReader(network, task.node, student, prompts)
    evidence = sorted(task.evidence, key=lambda item: (item.loss.score, item.row.id, item.trajectory.id))
    merged = merge(evidence).get(task.node, MergedGradient(node=task.node))
    visits = views.Visits(network, evidence, task.node, task.parameter)
    others = [path for path in network.parameters() if path.startswith(f"{task.node}/") and path != task.parameter]
    limits = [f"Learning rate {task.lr:.2g}: {views.phrase(task.lr)}", *task.limits]
    history = views.quoted("history", views.bullets(map(str, task.history))) if task.history else ""
    return _messages(
        {**parts, "system": own["system"]},
        {
            "reading": blocks("reading_gradients", prompts)[""],
            "placeholder": "{{field}}",
            "path": task.parameter,
            "agent": views.agent(network),
            "node": views.node(network, task.node),
            "who": reader.who,
            "how": reader.section(parameter.kind, own.get("how", "")),
            "role": f": {parameter.role}." + views.bounds(parameter) if parameter.role else views.bounds(parameter),
            "value": views.quoted(task.parameter, views.value(parameter)),
            "others": views.components(network, others, (), 1_000, visits.concerned()),
            "limits": views.bullets(limits),
            "history": _slot(parts["history"], "history", history),
            "summary": views.summary(merged),
            "said": "\n" + parts["said"] if any(item.multiplicity > 1 for item in merged.items) else "",
            "confusions": _slot(parts["confusions"], "confusions", visits.confusions()),
            "gradients": views.gradients(network, merged, evidence, task.parameter),
            "right": _slot(parts["right"], "right", visits.right()),
            "errors": _slot(parts["errors"], "errors", views.bullets(task.errors)),
        },
        prompts,
    )


def _messages(
    parts: Mapping[str, str], values: Mapping[str, str], prompts: Path | None, *, critics: bool = True
) -> tuple[Message, ...]:
    """Fill both parts; what is said of quoted text names critics and shortening only where there are any."""
    user, data = render(parts["user"], values).strip(), blocks("data", prompts)
    about = {
        "records": data["records: critics" if critics else "records"],
        "critics": "\n" + data["critics"] if critics else "",
        "shortened": "\n" + data["shortened"] if "characters left out…]" in user else "",
    }
    system = render(parts["system"], {**values, "data": render(data[""], about)}).strip()
    return Message(role="system", content=system), Message(role="user", content=user)


def _slot(part: str, name: str, text: str) -> str:
    """Return a section of the prompt, or nothing where there is nothing to put into it."""
    return "\n\n" + render(part, {name: text}) if text else ""
