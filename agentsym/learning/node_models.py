"""Which model each prompt node asks, and which it may be given: the models of a network as options that are learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def own_models(network: Network) -> dict[str, Option | None]:
    """Return the path of each prompt node's model → the model that it names; None where it asks the student."""
    return dict(_own_models(network, ""))


def models_asked(network: Network) -> list[str]:
    """Return the model strings that a run of a network asks, beside the student."""
    return list(dict.fromkeys(option.value for option in own_models(network).values() if option is not None))


def models_offered(network: Network) -> list[str]:
    """Return the model strings that a network asks, or may ask when it has learned, beside the student."""
    named = [option for option in own_models(network).values() if option is not None]
    return list(dict.fromkeys(name for own in named for name in (own.value, *(own.options if own.learnable else ()))))


def asks_student(network: Network) -> bool:
    """Whether a prompt node of a network names no model of its own."""
    return None in own_models(network).values()


def has_choice(network: Network) -> bool:
    """Whether a prompt node could be given another model than the one that it has."""
    found = own_models(network).values()
    return any(option is not None and option.learnable and len(option.options) > 1 for option in found)


def _own_models(network: Network, prefix: str) -> Iterator[tuple[str, Option | None]]:
    for node in network.nodes:
        if isinstance(node, AgentNode):
            yield from _own_models(node.agent, f"{prefix}{node.id}/")
        elif isinstance(node, PromptNode):
            model = node.parameters.get("model")
            yield f"{prefix}{node.id}/model", model if isinstance(model, Option) else None
