"""AdalFlow: the constrained trainer, batches of four, up to five proposals a step, 32 workers.

Its trainer knows no target, so it is stopped from outside where one is reached. Its import asks the network for a file
of tiktoken's, which only counts tokens for a warning; here words are counted in its place.
"""

# ruff: noqa: E402  the import below needs what stands above it

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tiktoken


class _Words:
    def encode(self, text: str) -> list[str]:
        return text.split()


tiktoken.get_encoding = lambda name: _Words()

import adalflow as adal
from adalflow.optim.types import ParameterType

from evals.peers.assignment import CONCURRENCY, STEPS, TARGET, Assignment
from evals.peers.runners.openai_chat import at_once
from evals.peers.runners.program import KEY, Learned, main
from evals.peers.task import Ticket

_TEMPLATE = (
    "<START_OF_SYSTEM_PROMPT>\n{{prompt}}\n<END_OF_SYSTEM_PROMPT>\n"
    "<START_OF_USER_PROMPT>\n{{message}}\n<END_OF_USER_PROMPT>"
)


@dataclass
class _Sample:
    id: str
    ticket: Ticket


class _Agent(adal.Component):
    """The chain of nodes as generators, each with a prompt that learns."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__()
        self.names = list(assignment.task.nodes)
        for node, prompt in assignment.task.prompts.items():
            learns = adal.Parameter(
                data=prompt,
                role_desc=f"[[role:{node}]] system prompt of {node}",
                requires_opt=True,
                param_type=ParameterType.PROMPT,
            )
            generator = adal.Generator(
                model_client=_client(assignment),
                model_kwargs={"model": "student"},
                template=_TEMPLATE,
                prompt_kwargs={"prompt": learns},
                name=node,
            )
            setattr(self, node, generator)

    def __call__(self, ticket: Ticket, id: str) -> Any:
        said: Any = ticket.text
        for name in self.names:
            node = getattr(self, name)
            if isinstance(said, adal.Parameter):
                said.add_successor_map_fn(node, lambda output: output.data.data)
            said = node(prompt_kwargs={"message": said}, id=id)
            if isinstance(said, adal.GeneratorOutput) and name != self.names[-1]:
                said = said.data
        return said

    def prompts(self) -> dict[str, str]:
        return {name: getattr(self, name).prompt_kwargs["prompt"].data for name in self.names}


class _Task(adal.AdalComponent):
    """What the trainer is told of the agent: how it runs, and how it is judged."""

    def __init__(self, assignment: Assignment) -> None:
        task = assignment.task

        def judged(answer: str, label: str) -> float:
            return task.judge(answer or "", label)[0]

        loss = adal.EvalFnToTextLoss(eval_fn=judged, eval_fn_desc="1 if the answer's last label is the right one")
        models = [
            {"model_client": _client(assignment), "model_kwargs": {"model": name}} for name in ("backward", "optimizer")
        ]
        super().__init__(
            task=_Agent(assignment),
            eval_fn=judged,
            loss_fn=loss,
            backward_engine_model_config=models[0],
            text_optimizer_model_config=models[1],
        )
        self._judge: Callable[[str, str], tuple[float, str]] = task.judge

    def prepare_task(self, sample: _Sample) -> Any:
        return self.task.__call__, {"ticket": sample.ticket, "id": sample.id}

    def prepare_eval(self, sample: _Sample, y_pred: Any) -> Any:
        return self.eval_fn, {"answer": y_pred.data, "label": sample.ticket.label}

    def prepare_loss(self, sample: _Sample, pred: Any) -> Any:
        label = sample.ticket.label
        pred.eval_input = pred.full_response.data
        right = adal.Parameter(data=label, eval_input=label, requires_opt=False, role_desc="the label that is right")
        feedback = self._judge(pred.eval_input or "", label)[1]
        inputs = {"kwargs": {"answer": pred, "label": right}, "metadata": {"feedback": feedback}}
        return self.loss_fn.forward, {**inputs, "id": sample.id, "gt": label}


class _Trainer(adal.Trainer):
    """The trainer, stopped once a validation reaches the target."""

    def _add_one_step_in_trainer_results(self, trainer_results: Any, val_score: float, *args: Any, **more: Any) -> None:
        super()._add_one_step_in_trainer_results(trainer_results, val_score, *args, **more)
        if val_score >= TARGET:
            raise _Reached(trainer_results)


class _Reached(Exception):
    pass


def learn(assignment: Assignment) -> Learned:
    """Optimize."""
    logging.disable(logging.CRITICAL)
    component = _Task(assignment)
    trainer = _Trainer(
        adaltask=component,
        strategy="constrained",
        max_steps=STEPS,
        train_batch_size=4,
        max_proposals_per_step=5,
        num_workers=CONCURRENCY,
    )
    trainer.set_random_seed(assignment.seed)
    train, val = (_samples(assignment.task.tickets(name)) for name in ("train", "val"))
    try:
        _, result = trainer.fit(train_dataset=train, val_dataset=val)
        stopped = f"{STEPS} steps"
    except _Reached as reached:
        result = reached.args[0]
        stopped = f"target after {len(result.step_results) - 1} steps"
    return Learned(max(result.val_scores), stopped, component.task.prompts())


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run the agent as in evaluation."""
    agent = _Agent(assignment)
    agent.eval()
    return at_once(lambda ticket: str(agent(ticket, str(ticket.number)).data), tickets, workers)


def _samples(tickets: Sequence[Ticket]) -> list[_Sample]:
    return [_Sample(str(ticket.number), ticket) for ticket in tickets]


def _client(assignment: Assignment) -> adal.ModelClient:
    return adal.OpenAIClient(api_key=KEY, base_url=assignment.url)


if __name__ == "__main__":
    main(learn, answer)
