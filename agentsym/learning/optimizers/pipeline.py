"""`PipelineOptimizer`: one call that looks at all nodes' gradients and may change the pipeline itself.

What it returns is legal, its code has passed its tests, and it is no more than the learning rate allows; whether it
helps, the gate decides (paper, section 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentsym.errors import ModelError
from agentsym.learning.merge import merge
from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.attempt import answered, attempt
from agentsym.learning.protocols import Evidence, Proposal, Teacher, Tried, Update
from agentsym.learning.tasks import PipelineTask, PipelineTeacher
from agentsym.network.network import Network

PLACE = "structure"


class PipelineOptimizer:
    """The update of nodes and edges, where they may be learned.

    Args:
        teacher: who writes the edits; one that knows nothing of pipelines is asked nothing.
        retries: how often an illegal answer is sent back with its errors before it is dropped.
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
        spent: int = 0,
    ) -> Proposal:
        """Return one proposal of at most floor(4·lr) structural operations, in one call if the answer is legal.

        Nothing is asked where the pipeline is frozen, nothing was found wrong, or no operation is left.

        Args:
            network: the network.
            evidence: the batch with its gradients.
            lr: the learning rate.
            history: what was tried before; that of the pipeline stands under `structure`.
            spent: structural operations that the step has done already.
        """
        teacher, left = self.teacher, limits.moves_allowed(lr) - spent
        ordered = tuple(sorted(evidence, key=lambda item: (item.loss.score, item.row.id)))
        wrong = any(merged.items for merged in merge(ordered).values())
        if not (isinstance(teacher, PipelineTeacher) and network.structure.learnable and wrong and left > 0):
            return Proposal()
        task = PipelineTask(
            network=network,
            evidence=ordered,
            lr=lr,
            limits=(f"At most {left} edit{'s' * (left > 1)}, and fewer where fewer do.",),
            history=tuple(history.get(PLACE, ())),
        )
        for _ in range(self.retries + 1):
            answer = await answered(teacher.rewire(task))
            _, error = await attempt(network, answer, lr=lr, spent=spent)
            if not error and not isinstance(answer, ModelError):
                known = Update(parameter=PLACE, status="kept", errors=task.errors)
                committed = {"status": "committed", "edits": answer}
                return _proposal(known.model_copy(update=committed) if answer else known)
            task = task.model_copy(update={"errors": (*task.errors, error)})
        return _proposal(Update(parameter=PLACE, status="discarded", errors=task.errors))


def _proposal(update: Update) -> Proposal:
    return Proposal(updates=(update,))
