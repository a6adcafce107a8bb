"""How many model calls a run will make at most, phase by phase, before the first one is paid for.

The formula is the cost model of symbolic learning; a run of a chain without retries and tool calls meets it exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentsym.learning.backward import learnable_at
from agentsym.learning.gate import Rows
from agentsym.learning.optimizers.limits import parameters_allowed
from agentsym.learning.settings import Settings
from agentsym.models.protocol import Phase
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode
from agentsym.network.parameters import Choices, Examples, Rules, Text


def estimate_calls(
    network: Network,
    rows: Mapping[str, int],
    batch: int,
    settings: Settings,
    *,
    lr: float,
    looks_at: frozenset[Rows],
    teacher_asks: bool,
    judged: bool,
) -> dict[Phase, int]:
    """Return phase → model calls, if every step is done, every component gets suggestions and nothing is cached.

    With n prompt nodes, B rows a step, c learnable components, k samples, and p = 1 where the teacher scores (else 0),
    a step costs: forward nB, loss B, backward one call for each row and node that can still improve something, updates
    ⌈lr c⌉, gate k(n + p) for each row that it looks at. Once a run, the gate's held-out rows (`gate`) and twice the
    test rows (`test`) are scored. Retries and tool calls come on top, conditional edges take off.

    Args:
        network: the agent.
        rows: rows of `train`, `val`, `test` and `must_pass`.
        batch: rows a step.
        settings: of the run.
        lr: the learning rate it begins with.
        looks_at: what the gate looks at.
        teacher_asks: whether the teacher is a language model; the embedded one makes no calls.
        judged: whether the teacher gives the scores.
    """
    nodes = sum(1 for _ in _prompt_nodes(network))
    once = settings.samples * (nodes + judged)
    held_out = sum(rows.get(name, 0) for name in ("val", "must_pass") if name in looks_at)
    tried = held_out + (batch if "batch" in looks_at else 0)
    rescored = 1 + (settings.rescore_base or settings.samples > 1)
    comments = teacher_asks and (judged or settings.comments == "teacher")
    return {
        "forward": settings.steps * batch * nodes,
        "loss": settings.steps * batch * comments,
        "backward": settings.steps * batch * _reached(network) * teacher_asks,
        "optimizer": settings.steps * parameters_allowed(_components(network), lr) * teacher_asks,
        "gate": once * (held_out + settings.steps * rescored * tried),
        "test": 2 * once * (rows.get("test", 0) or rows.get("val", 0)),
    }


def _prompt_nodes(network: Network) -> Iterator[PromptNode]:
    for node in network.nodes:
        if isinstance(node, AgentNode):
            yield from _prompt_nodes(node.agent)
        elif isinstance(node, PromptNode):
            yield node


def _components(network: Network) -> int:
    """Return how many parameters an update of the prompts can touch."""
    learned = (Text, Rules, Choices, Examples)
    return sum(item.learnable and isinstance(item, learned) for item in network.parameters().values())


def _reached(network: Network) -> int:
    """Return how many nodes have a learnable parameter, or come after one that has."""
    waiting = [node.id for node in network.nodes if learnable_at(network, node.id)]
    found = set(waiting)
    while waiting:
        source = waiting.pop()
        for edge in network.edges:
            if edge.source == source and edge.target not in found:
                found.add(edge.target)
                waiting.append(edge.target)
    return sum(_steps_of(network, node) for node in found)


def _steps_of(network: Network, node_id: str) -> int:
    """Return how many steps a visit of a node makes: an agent node's are those of its inner nodes."""
    for node in network.nodes:
        if node.id == node_id:
            return len(node.agent.nodes) if isinstance(node, AgentNode) else 1
    return 0  # END
