"""`JointOptimizer`: prompts, tools and pipeline in one step, on gradients of the same base.

All weights of an agent learn together (paper, Algorithm 1); what one optimizer has done the next one sees, so that
their edits fit together as one proposal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentsym.learning.optimizers import limits
from agentsym.learning.optimizers.pipeline import PipelineOptimizer
from agentsym.learning.optimizers.prompt import PromptOptimizer
from agentsym.learning.optimizers.tool import ToolOptimizer
from agentsym.learning.protocols import Evidence, Proposal, Teacher, Tried
from agentsym.network.network import Network


class JointOptimizer:
    """Algorithm 1's update of an agent.

    Args:
        teacher: who writes the edits.
        retries: how often an illegal answer is sent back with its errors before its update is dropped.
    """

    def __init__(self, teacher: Teacher, *, retries: int = 3) -> None:
        self._prompts = PromptOptimizer(teacher, retries=retries)
        self._tools = ToolOptimizer(teacher, retries=retries)
        self._pipeline = PipelineOptimizer(teacher, retries=retries)

    async def propose(
        self,
        network: Network,
        evidence: Sequence[Evidence],
        *,
        lr: float,
        history: Mapping[str, Sequence[Tried]],
    ) -> Proposal:
        """Return the updates of prompts, tools and pipeline, in this order; at most floor(4·lr) are structural."""
        prompts = await self._prompts.propose(network, evidence, lr=lr, history=history)
        work = network.apply(prompts.edits)
        tools = await self._tools.propose(work, evidence, lr=lr, history=history)
        work = work.apply(tools.edits)
        pipeline = await self._pipeline.propose(work, evidence, lr=lr, history=history, spent=limits.moves(tools.edits))
        return Proposal(updates=(*prompts.updates, *tools.updates, *pipeline.updates))
