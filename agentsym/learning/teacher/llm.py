"""`LLMTeacher`: a language model that writes losses, gradients and edits.

It asks for forms that offer only what is legal, and everything it asks is in the text of the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentsym.errors import ModelError, NetworkError, Unavailable
from agentsym.learning.backward import learnable_at, parents_of, together
from agentsym.learning.loss import from_ten
from agentsym.learning.protocols import Blame, FailedRun, Redesign, Repair, Row, Task, Verdict
from agentsym.learning.tasks import PipelineTask, ToolDecision, ToolTask
from agentsym.learning.teacher import pipeline_requests, tool_requests, trace, views
from agentsym.learning.teacher.operations import edits_of, move_form, structure_form
from agentsym.learning.teacher.paper_requests import gradient_messages, loss_messages, update_messages
from agentsym.learning.teacher.readers import PromptReader
from agentsym.learning.teacher.replies import (
    Form,
    LossReply,
    ScoredLossReply,
    blame_form,
    blames_form,
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

RETRIES = 3


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
        blamed_at_once: failing runs that one call judges at most; long runs are judged by themselves.
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
        blamed_at_once: int = trace.BLAMED_AT_ONCE,
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
        self.blamed_at_once = blamed_at_once
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

    async def blame(
        self, network: Network, trajectory: Trajectory, loss: LossReport, tried: Sequence[str] = ()
    ) -> Blame:
        """Say which nodes of a failing run are to blame; its status is `invalid` if no answer is legal."""
        nodes = list(dict.fromkeys(step.node for step in trajectory.steps))
        messages = trace.blame_messages(network, trajectory, loss, tried, prompts=self.prompts)
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
        return _blame(loss.example_id, reply.nodes)

    async def blame_runs(self, network: Network, runs: Sequence[FailedRun]) -> Sequence[Blame]:
        """Say of each failing run which nodes are to blame, a few runs in one call.

        A run that an answer leaves out, or whose answer is not legal, is asked about by itself.
        """
        parts = trace.portions(runs, self.blamed_at_once, prompts=self.prompts)
        return [blame for part in await together([self._portion(network, part) for part in parts]) for blame in part]

    async def _portion(self, network: Network, runs: Sequence[FailedRun]) -> Sequence[Blame]:
        """Ask about runs that fit into one request."""
        found = await self._together(network, runs) if len(runs) > 1 else {}

        async def of(at: int, run: FailedRun) -> Blame:
            return found.get(at) or await self.blame(network, run.item.trajectory, run.item.loss, run.tried)

        return await together([of(at, run) for at, run in enumerate(runs)])

    async def _together(self, network: Network, runs: Sequence[FailedRun]) -> dict[int, Blame]:
        """Return place → blame, of the runs that one answer is about."""
        nodes = list(dict.fromkeys(step.node for run in runs for step in run.item.trajectory.steps))
        form = blames_form(nodes, len(runs))
        request = _request(
            trace.blame_runs_messages(network, runs, prompts=self.prompts), form, self.temperature_gradient
        )
        try:
            answer = await ask(self.door, self.model, request, parse_model(form), phase="backward", retries=1)
        except Unavailable:
            raise
        except ModelError:
            return {}
        reply: Any = answer.value
        found: dict[int, Blame] = {}
        for each in reply.runs:
            item = runs[each.run - 1].item
            ran = {step.node for step in item.trajectory.steps}
            found.setdefault(each.run - 1, _blame(item.row.id, [one for one in each.nodes if one.node in ran]))
        return found

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
        return await self._edits(redesign.network, move_form(redesign.network), messages, "")

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


def _blame(example_id: str, nodes: Sequence[Any]) -> Blame:
    """Make the blame of a run from an answer's nodes; of two judgements of one node the harder counts."""
    found: dict[str, tuple[float, str]] = {}
    for item in nodes:
        if item.blame > found.get(item.node, (0.0, ""))[0]:
            found[item.node] = item.blame, item.critique
    return Blame(
        example_id=example_id,
        shares={node: share for node, (share, _) in found.items()},
        critiques={node: critique for node, (_, critique) in found.items() if critique},
    )


def _request(messages: tuple[Message, ...], form: Form, temperature: float) -> Request:
    return Request(messages=messages, schema_=schema_of(form), temperature=temperature)
