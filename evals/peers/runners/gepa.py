"""GEPA: reflective evolution with a Pareto pool and merge, through an adapter as its users write one.

The adapter runs a batch in threads and keeps no answers, as GEPA itself keeps none unless told to, and then gives wrong
scores in this version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gepa
from gepa.core.adapter import EvaluationBatch, GEPAAdapter

from evals.peers.assignment import CONCURRENCY, ROLLOUTS, Assignment
from evals.peers.rollouts import Prompts
from evals.peers.runners.gepa_stop import Stop
from evals.peers.runners.openai_chat import answers, ask, at_once, client, run_chain
from evals.peers.runners.program import Learned, main
from evals.peers.task import Task, Ticket


class _Rollout:
    def __init__(self, task: Task, ticket: Ticket, said: list[str]) -> None:
        self.said = said
        self.score, self.feedback = task.judge(said[-1], ticket.label)


class _Adapter(GEPAAdapter):
    """Runs the task's agent for GEPA, and tells what each node read, wrote and was told."""

    def __init__(self, assignment: Assignment) -> None:
        self._task, self._client = assignment.task, client(assignment.url)

    def evaluate(
        self, batch: list[Ticket], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[Any, Any]:
        def run(ticket: Ticket) -> _Rollout:
            return _Rollout(self._task, ticket, run_chain(self._client, candidate, ticket))

        runs = at_once(run, batch, CONCURRENCY)
        return EvaluationBatch(
            [run.said[-1] for run in runs], [run.score for run in runs], runs if capture_traces else None
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: EvaluationBatch[Any, Any], components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        places = {node: at for at, node in enumerate(candidate)}
        return {
            node: [
                {
                    "Inputs": run.said[places[node]],
                    "Generated Outputs": run.said[places[node] + 1],
                    "Feedback": run.feedback,
                }
                for run in eval_batch.trajectories
            ]
            for node in components_to_update
        }


class _Silent:
    def log(self, message: str) -> None:
        pass


def learn(assignment: Assignment) -> Learned:
    """Optimize; the option `selector` says which components a step changes."""
    task, models, stop = assignment.task, client(assignment.url), Stop()
    result = gepa.optimize(
        seed_candidate=task.prompts,
        trainset=task.tickets("train"),
        valset=task.tickets("val"),
        adapter=_Adapter(assignment),
        reflection_lm=lambda prompt: ask(models, "optimizer", prompt),
        reflection_minibatch_size=3,
        module_selector=assignment.options.get("selector", "round_robin"),
        use_merge=True,
        max_metric_calls=ROLLOUTS,
        stop_callbacks=stop,
        logger=_Silent(),
        seed=assignment.seed,
    )
    best: Prompts = result.best_candidate
    return Learned(result.val_aggregate_scores[result.best_idx], stop.why, best)


def answer(assignment: Assignment, tickets: Sequence[Ticket], workers: int) -> list[str]:
    """Run the agent through the adapter's client."""
    return answers(client(assignment.url), assignment.task.prompts, tickets, workers)


if __name__ == "__main__":
    main(learn, answer)
