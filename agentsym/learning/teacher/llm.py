"""`LLMTeacher`: a language model that writes losses, gradients and edits.

It asks for forms that offer only what is legal, and everything it asks is in the text of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentsym.errors import ModelError, NetworkError, Unavailable
from agentsym.learning.backward import learnable_at, parents_of, together
from agentsym.learning.loss import from_ten
from agentsym.learning.merge import MergedGradient, merge, shorten
from agentsym.learning.protocols import Blame, Redesign, Repair, Row, Task, Verdict
from agentsym.learning.tasks import PipelineTask, ToolDecision, ToolTask
from agentsym.learning.teacher import pipeline_requests, tool_requests, trace, views
from agentsym.learning.teacher.operations import edits_of, structure_form
from agentsym.learning.teacher.prompt_files import blocks
from agentsym.learning.teacher.readers import PromptReader
from agentsym.learning.teacher.replies import (
    Form,
    LossReply,
    ScoredLossReply,
    blame_form,
    edit_of,
    edits_form,
    gradient_form,
    schema_of,
)
from agentsym.models.door import Door
from agentsym.models.protocol import LanguageModel, Phase, Request
from agentsym.models.recording import prompts_of
from agentsym.models.structured import ask, parse_model
from agentsym.network.edits import Edit
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport, Message, Step, Suggestion, Trajectory
from agentsym.network.template import render

RETRIES = 3
_SYSTEM = {"text": "instructions", "rules": "rules", "choices": "choices", "examples": "examples"}


class LLMTeacher:
    """Teaches by asking a language model.

    Args:
        model: the model.
        door: the way to it.
        temperature_loss: sampling temperature of losses; raise it where `samples` is more than 1.
        temperature_gradient: sampling temperature of gradients.
        temperature_optimizer: sampling temperature of edits, so that a refused edit is not just said again.
        samples: how often a run is judged where no metric scores it; the score is the mean.
        judge: what to look for when a run is judged (a rubric), in the user's words.
        demonstrations: worked judgements that replace those of the loss prompt, as Markdown.
        student: name of the model that runs the prompts; whoever writes for the embedded one is told how it reads.
        prompts: a folder like the shipped `prompts`; None: the model's own where it has them (a recording has those
            that it was made with), else the shipped ones.
    """

    def __init__(
        self,
        model: LanguageModel,
        door: Door,
        *,
        temperature_loss: float = 0.0,
        temperature_gradient: float = 0.0,
        temperature_optimizer: float = 0.7,
        samples: int = 1,
        judge: str = "",
        demonstrations: str | None = None,
        student: str = "",
        prompts: Path | None = None,
    ) -> None:
        self.model = model
        self.door = door
        self.temperature_loss = temperature_loss
        self.temperature_gradient = temperature_gradient
        self.temperature_optimizer = temperature_optimizer
        self.samples = samples
        self.judge = judge
        self.demonstrations = demonstrations
        self.student = student
        self.prompts = prompts_of(model) if prompts is None else prompts

    @property
    def name(self) -> str:
        """How a run refers to it: the model's name."""
        return self.model.name

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
        """Judge one run (paper, Eq. 1); of several samples the comments are those nearest to the mean score.

        Raises:
            OutputError: when there is no legal answer after the retries.
        """
        form = LossReply if verdict.score is not None else ScoredLossReply
        messages = loss_messages(
            network, trajectory, row, verdict, self.judge, self.demonstrations, prompts=self.prompts
        )
        request = _request(messages, form, self.temperature_loss)
        samples = self.samples if verdict.score is None else 1
        answers = await together(
            [
                ask(
                    self.door,
                    self.model,
                    request.model_copy(update={"rollout": rollout * samples + sample}),
                    parse_model(form),
                    phase=phase,
                    retries=RETRIES,
                )
                for sample in range(samples)
            ]
        )
        replies = [answer.value for answer in answers]
        scores = tuple(from_ten(reply.score) for reply in replies if isinstance(reply, ScoredLossReply))
        score = verdict.score if verdict.score is not None else sum(scores) / len(scores)
        nearest = min(range(len(scores)), key=lambda at: abs(scores[at] - score)) if scores else 0
        chosen = replies[nearest]
        return LossReport(
            example_id=row.id,
            score=score,
            text=chosen.comments,
            requirement="" if chosen.satisfied else chosen.requirement_for_last or chosen.comments,
            satisfied=chosen.satisfied,
            expected=row.expected or None,
            metrics=dict(verdict.parts),
            source="metric" if verdict.score is not None else "judge",
            samples=scores if len(scores) > 1 else (),
        )

    async def gradient(
        self, network: Network, trajectory: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        """Write the gradient of one step (paper, Eq. 2); its status is `invalid` if no answer is legal."""
        steps = {item.index: item for item in trajectory.steps}
        parents = {index: views.title(steps[index]) for index in parents_of(step)}
        editable = PromptReader(network, step.node, self.student, self.prompts).heeds(learnable_at(network, step.node))
        form = gradient_form(list(editable), parents)
        asked = gradient_messages(
            network, trajectory, step, loss, messages, lr, student=self.student, prompts=self.prompts
        )
        request = _request(asked, form, self.temperature_gradient)
        known: dict[str, Any] = {
            "example_id": loss.example_id,
            "step": step.index,
            "node": step.node,
            "score": loss.score,
        }
        try:
            answer = await ask(
                self.door, self.model, request, parse_model(form), phase="backward", node=step.node, retries=RETRIES
            )
        except Unavailable:
            raise
        except ModelError as error:
            return Gradient(**known, analysis=str(error), status="invalid", attempts=RETRIES + 1)
        reply = answer.value.model_dump(by_alias=True)
        required = reply.get("requirement_for_previous", {})
        return Gradient(
            **known,
            analysis=reply["analysis"],
            suggestions=tuple(Suggestion(**item) for item in reply.get("suggestions", ())),
            requirements={int(index): text for index, text in required.items() if text},
            satisfied=reply["satisfied"],
            attempts=answer.attempts,
        )

    async def propose(self, task: Task) -> Sequence[Edit]:
        """Write the edits of one component, in exactly one call; who asks again puts the error into `task.errors`.

        Raises:
            OutputError: when the answer is malformed or its edits cannot be applied to `task.network`.
            UsageError: when the component is of a kind that no language model writes.
        """
        node, _ = views.node_at(task.network, task.node)
        form = edits_form(node, task.network.parameter(task.parameter))
        request = _request(
            update_messages(task, student=self.student, prompts=self.prompts), form, self.temperature_optimizer
        )

        def parse(text: str) -> tuple[Edit, ...]:
            reply: Any = parse_model(form)(text)
            edits = tuple(edit_of(task.parameter, item) for item in reply.edits)
            try:
                task.network.apply(edits)
            except NetworkError as error:
                raise ValueError(str(error)) from error
            return edits

        answer = await ask(self.door, self.model, request, parse, phase="optimizer", node=task.node, retries=0)
        return answer.value

    async def blame(self, network: Network, trajectory: Trajectory, loss: LossReport) -> Blame:
        """Say which nodes of a failing run are to blame; its status is `invalid` if no answer is legal."""
        nodes = list(dict.fromkeys(step.node for step in trajectory.steps))
        messages = trace.blame_messages(network, trajectory, loss, prompts=self.prompts)
        request = _request(messages, blame_form(nodes), self.temperature_gradient)
        try:
            answer = await ask(
                self.door, self.model, request, parse_model(blame_form(nodes)), phase="backward", retries=RETRIES
            )
        except Unavailable:
            raise
        except ModelError as error:
            return Blame(example_id=loss.example_id, critiques={"": str(error)}, status="invalid")
        reply: Any = answer.value
        found: dict[str, tuple[float, str]] = {}
        for item in reply.nodes:
            if item.blame > found.get(item.node, (0.0, ""))[0]:
                found[item.node] = item.blame, item.critique
        return Blame(
            example_id=loss.example_id,
            shares={node: share for node, (share, _) in found.items()},
            critiques={node: critique for node, (_, critique) in found.items() if critique},
        )

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        """Write the edits of one node, in exactly one call; who asks again puts the error into `repair.errors`.

        Raises:
            OutputError: when the answer is malformed or its edits cannot be applied to `repair.network`.
        """
        form = trace.mend_form(repair, student=self.student, prompts=self.prompts)
        if form is None:
            return ()
        messages = trace.mend_messages(repair, form, student=self.student, prompts=self.prompts)
        return await self._edits(repair.network, form, messages, repair.node)

    async def redesign(self, redesign: Redesign) -> Sequence[Edit]:
        """Write one move of the pipeline, in exactly one call; raises as `mend` does."""
        messages = trace.redesign_messages(redesign, prompts=self.prompts)
        return await self._edits(redesign.network, structure_form(redesign.network), messages, "")

    async def decide(self, task: ToolTask) -> ToolDecision:
        """Say what is to be done about the tools of a node, in exactly one call.

        Raises:
            OutputError: when the answer is malformed.
        """
        form = tool_requests.decision_form(task)
        request = _request(
            tool_requests.decision_messages(task, prompts=self.prompts), form, self.temperature_optimizer
        )
        answer = await ask(
            self.door, self.model, request, parse_model(form), phase="optimizer", node=task.node, retries=0
        )
        return tool_requests.decision_of(answer.value)

    async def change_tool(self, task: ToolTask, decision: ToolDecision) -> Sequence[Edit]:
        """Write the edits that carry a decision out, in exactly one call; raises as `mend` does."""
        messages = tool_requests.change_messages(task, decision, prompts=self.prompts)
        return await self._edits(task.network, tool_requests.change_form(task, decision), messages, task.node)

    async def rewire(self, task: PipelineTask) -> Sequence[Edit]:
        """Write edits of nodes and edges, in exactly one call; raises as `mend` does."""
        messages = pipeline_requests.pipeline_messages(task, prompts=self.prompts)
        return await self._edits(task.network, structure_form(task.network), messages, "")

    async def _edits(self, network: Network, form: Form, messages: tuple[Message, ...], node: str) -> tuple[Edit, ...]:
        request = _request(messages, form, self.temperature_optimizer)

        def parse(text: str) -> tuple[Edit, ...]:
            reply: Any = parse_model(form)(text)
            try:
                edits = edits_of(network, reply)
                network.apply(edits)
            except NetworkError as error:
                raise ValueError(str(error)) from error
            return edits

        answer = await ask(self.door, self.model, request, parse, phase="optimizer", node=node, retries=0)
        return answer.value


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


def _request(messages: tuple[Message, ...], form: Form, temperature: float) -> Request:
    return Request(messages=messages, schema_=schema_of(form), temperature=temperature)


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
