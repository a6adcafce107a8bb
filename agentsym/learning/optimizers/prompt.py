"""`PromptOptimizer`: asks the teacher for edits of each prompt component that has suggestions.

It is the propose, validate and retry part of a step (paper, section 3.4): what it returns is legal and within the
learning rate; whether it is any good, the gate decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from agentsym.errors import ModelError, NetworkError
from agentsym.learning.backward import together
from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.attempt import Answer, answered
from agentsym.learning.protocols import Evidence, Proposal, Task, Teacher, Tried, Update
from agentsym.network.network import Network
from agentsym.network.parameters import Choices, Examples, Rules, Text, owner_of


class PromptOptimizer:
    """Algorithm 1's update of the prompts.

    Args:
        teacher: who writes the edits.
        retries: how often an illegal answer is sent back with its errors before the update is dropped.
    """

    def __init__(self, teacher: Teacher, *, retries: int = 3) -> None:
        self.teacher = teacher
        self.retries = retries

    async def propose(
        self,
        network: Network,
        evidence: Sequence[Evidence],
        *,
        lr: float,
        history: Mapping[str, Sequence[Tried]],
    ) -> Proposal:
        """Return one proposal: a call for each component with suggestions, each with its own attempts.

        All calls of a round speak of the same base and run side by side; their answers are tried in the order of
        the parameters, so the result does not depend on who answers first. An answer that is not legal is asked
        again in the next round, with its errors; the others keep theirs.
        """
        ordered = tuple(sorted(evidence, key=lambda item: (item.loss.score, item.row.id)))
        pending = {
            path: Task(
                network=network,
                node=owner_of(path),
                parameter=path,
                evidence=ordered,
                lr=lr,
                limits=limits.sentences(network.parameter(path), lr),
                history=tuple(history.get(path, ())),
            )
            for path in components_to_update(network, ordered, lr, history)
        }
        done: dict[str, Update] = {}
        work = network
        for _ in range(self.retries + 1):
            if not pending:
                break
            answers = await together([answered(self.teacher.propose(task)) for task in pending.values()])
            for (path, task), answer in zip(list(pending.items()), answers, strict=True):
                work, update, error = _try(work, network, task, answer)
                if update is not None:
                    done[path] = update
                    del pending[path]
                else:
                    pending[path] = task.model_copy(update={"errors": (*task.errors, error)})
        for path, task in pending.items():
            done[path] = Update(parameter=path, status="discarded", errors=task.errors)
        return Proposal(updates=tuple(done[path] for path in network.parameters() if path in done))


def components_to_update(
    network: Network, evidence: Sequence[Evidence], lr: float, history: Mapping[str, Sequence[Tried]]
) -> tuple[str, ...]:
    """Return the paths of the prompt components to update, in the network's order.

    Those are the ones with suggestions. The learning rate bounds how many of them one step may touch: first come those
    whose last try is longest ago, then those with the heaviest suggestions (summed severity).
    """
    weight: Counter[str] = Counter()
    for item in evidence:
        for gradient in item.gradients:
            if gradient.status == "ok" and not gradient.satisfied:
                for suggestion in gradient.suggestions:
                    weight[suggestion.parameter] += suggestion.severity
    order = [
        path
        for path, parameter in network.parameters().items()
        if weight[path] and parameter.learnable and isinstance(parameter, Text | Rules | Choices | Examples)
    ]
    last_try = {path: max((tried.step for tried in history.get(path, ())), default=-1) for path in order}
    turn = sorted(order, key=lambda path: (last_try[path], -weight[path]))
    chosen = set(turn[: limits.parameters_allowed(len(order), lr)])
    return tuple(path for path in order if path in chosen)


def _try(work: Network, base: Network, task: Task, answer: Answer) -> tuple[Network, Update | None, str]:
    """Apply one answer to the work so far; returns the network, the update if it was legal, else the error."""
    if isinstance(answer, ModelError):
        return work, None, str(answer)
    if not answer:
        return work, Update(parameter=task.parameter, status="kept", errors=task.errors), ""
    try:
        candidate = work.apply(answer)
    except NetworkError as error:
        return work, None, str(error)
    elsewhere = {getattr(edit, "path", edit.op) for edit in answer} - {task.parameter}
    problems = [f"{path}: only {task.parameter} may be edited here" for path in sorted(elsewhere)]
    problems += limits.violations(base, candidate, task.parameter, task.lr)
    if problems:
        return work, None, "; ".join(problems)
    update = Update(parameter=task.parameter, status="committed", edits=answer, errors=task.errors)
    return candidate, update, ""
