"""DSPy with three of its optimizers: GEPA (selector round-robin or `all`), MIPROv2 and SIMBA.

The prompts are the instructions of two predictors, sent by DSPy's own adapter through its own client, with its cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dspy
import litellm  # noqa: F401  dspy loads it late; what a run takes is its own then, not the import's

from evals.peers.assignment import CONCURRENCY, ROLLOUTS, Assignment
from evals.peers.rollouts import Prompts
from evals.peers.runners.gepa_stop import Stop
from evals.peers.runners.program import KEY, Learned, main
from evals.peers.task import Task, Ticket


class _Agent(dspy.Module):
    """The chain of nodes as predictors, each with one input and one output."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        fields = ["ticket", *(f"fact_{number}" for number in range(1, task.chain)), "label"]
        self.nodes = list(task.nodes)
        for at, (node, prompt) in enumerate(task.prompts.items()):
            setattr(self, node, dspy.Predict(dspy.Signature(f"{fields[at]} -> {fields[at + 1]}", prompt)))

    def forward(self, ticket: str) -> dspy.Prediction:
        said = ticket
        for node in self.nodes:
            predictor = getattr(self, node)
            (given,) = predictor.signature.input_fields
            (wanted,) = predictor.signature.output_fields
            said = predictor(**{given: said})[wanted]
        return dspy.Prediction(label=said)

    def prompts(self) -> Prompts:
        return {node: getattr(self, node).signature.instructions for node in self.nodes}


def learn(assignment: Assignment) -> Learned:
    """Optimize; the option `optimizer` says by what, `selector` which components a step of GEPA changes."""
    task = assignment.task
    dspy.configure(lm=_model(assignment, "student"), num_threads=CONCURRENCY)
    train, val = (_examples(task.tickets(name)) for name in ("train", "val"))
    best, val_score, stopped = _OPTIMIZERS[assignment.options["optimizer"]](assignment, train, val)
    return Learned(val_score, stopped, best.prompts())


def _gepa(assignment: Assignment, train: list[Any], val: list[Any]) -> tuple[Any, float, str]:
    task, stop = assignment.task, Stop()

    def metric(gold: Any, made: Any, trace: Any = None, name: Any = None, own: Any = None) -> dspy.Prediction:
        score, feedback = task.judge(made.label or "", gold.label)
        return dspy.Prediction(score=score, feedback=feedback)

    optimizer = dspy.GEPA(
        metric=metric,
        max_metric_calls=ROLLOUTS,
        reflection_minibatch_size=3,
        reflection_lm=_model(assignment, "optimizer"),
        component_selector=assignment.options.get("selector", "round_robin"),
        use_merge=True,
        num_threads=CONCURRENCY,
        track_stats=True,
        seed=assignment.seed,
        gepa_kwargs={"stop_callbacks": stop},
    )
    best = optimizer.compile(_Agent(task), trainset=train, valset=val)
    return best, max(best.detailed_results.val_aggregate_scores), stop.why


def _mipro(assignment: Assignment, train: list[Any], val: list[Any]) -> tuple[Any, float, str]:
    optimizer = dspy.MIPROv2(
        metric=_score(assignment.task),
        prompt_model=_model(assignment, "optimizer"),
        task_model=dspy.settings.lm,
        auto="light",
        max_bootstrapped_demos=0,
        max_labeled_demos=0,
        num_threads=CONCURRENCY,
        seed=assignment.seed or None,  # 0 counts as none in this version
    )
    best = optimizer.compile(_Agent(assignment.task), trainset=train, valset=val)
    return best, best.score / 100, "its own end"


def _simba(assignment: Assignment, train: list[Any], val: list[Any]) -> tuple[Any, float, str]:
    optimizer = dspy.SIMBA(
        metric=_score(assignment.task),
        bsize=20,
        prompt_model=_model(assignment, "optimizer"),
        num_threads=CONCURRENCY,
    )
    best = optimizer.compile(_Agent(assignment.task), trainset=train, seed=assignment.seed)
    evaluated = dspy.Evaluate(devset=val, metric=_score(assignment.task), num_threads=CONCURRENCY)(best)
    return best, evaluated.score / 100, "its own end"


_OPTIMIZERS: Mapping[str, Any] = {"gepa": _gepa, "mipro": _mipro, "simba": _simba}


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run the agent by DSPy's own evaluation."""
    dspy.configure(lm=_model(assignment, "student"))
    evaluate = dspy.Evaluate(devset=_examples(tickets), metric=_score(assignment.task), num_threads=workers)
    return [made.label for _, made, _ in evaluate(_Agent(assignment.task)).results]


def _score(task: Task) -> Any:
    return lambda gold, made, trace=None: task.judge(made.label or "", gold.label)[0]


def _examples(tickets: Sequence[Ticket]) -> list[Any]:
    return [dspy.Example(ticket=ticket.text, label=ticket.label).with_inputs("ticket") for ticket in tickets]


def _model(assignment: Assignment, name: str) -> dspy.LM:
    return dspy.LM(f"openai/{name}", api_base=assignment.url, api_key=KEY, num_retries=0)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(learn, answer)
