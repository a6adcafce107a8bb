"""Which model a node asks as something that is learned: a list for each prompt node that names none for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode
from agentsym.network.parameters import Option

N = TypeVar("N", bound=Network)


def with_models(network: N, student: str, models: Sequence[str]) -> N:
    """Return the network with a choice of models at each prompt node.

    A node that names no model gets the student, and may be given any of the others; one whose model can be learned
    already is offered them too. A model that a node names for good stays.

    Args:
        network: an agent.
        student: the model string of those that name none.
        models: model strings to choose from.
    """

    def offered(node: PromptNode) -> PromptNode:
        own = node.parameters.get("model")
        if isinstance(own, Option) and not own.learnable:
            return node
        now, known = (own.value, own.options) if isinstance(own, Option) else (student, ())
        option = Option(now, dict.fromkeys((now, *known, *models)), role="the model that the node asks")
        return node.with_weight("model", option)

    return network.replace(
        nodes=tuple(
            node.model_copy(update={"agent": with_models(node.agent, student, models)})
            if isinstance(node, AgentNode)
            else offered(node)
            if isinstance(node, PromptNode)
            else node
            for node in network.nodes
        )
    )


def has_choice(network: Network) -> bool:
    """Whether some node could be given another model than the one that it has."""
    options = [item for path, item in network.parameters().items() if path.endswith("/model")]
    return any(isinstance(item, Option) and item.learnable and len(item.options) > 1 for item in options)
