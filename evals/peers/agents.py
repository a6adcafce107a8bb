"""The task's agent as one of agentsym: a chain of prompt nodes, each with one learnable component.

Other libraries tune one text a node, so exactly one component of a node learns here, too: its list of rules, which is
where this library keeps such sentences, or (`text`) the instructions, tags and all, as the others have them.
"""

from __future__ import annotations

from typing import Literal

from agentsym import Agent, PromptNode
from agentsym.network.parameters import Examples, Rules, Text
from evals.peers.task import Task

Learns = Literal["rules", "text"]
_MOST_RULES = 100  # of one node: the rules name no label in backticks, so all of them count for every label
_MOST_CHARS = 20_000  # of one text that holds as many


def agent(task: Task, learns: Learns = "rules") -> Agent:
    """Return the agent before it has learned.

    With `rules` the rendered prompt holds them in a section after the tagged text instead of inside of it; the student
    reads both, and no message differs by more than that.

    Args:
        task: the task.
        learns: the component that may be changed.
    """
    reports = [f"fact_{number}" for number in range(1, task.chain)]
    fields = ["ticket", *reports, "label"]
    nodes = [
        PromptNode(
            node,
            Text(task.prompts[node], learnable=learns == "text", max_chars=_MOST_CHARS, role="what the node is to do"),
            inputs=[fields[at]],
            output={fields[at + 1]: str},
            rules=Rules(learnable=learns == "rules", max_per_label=_MOST_RULES, role="what holds for certain tickets"),
            examples=Examples(learnable=False),
        )
        for at, node in enumerate(task.nodes)
    ]
    edges = list(zip(task.nodes, task.nodes[1:], strict=False))
    return Agent("tickets", nodes=nodes, edges=edges, outputs=["label"])
