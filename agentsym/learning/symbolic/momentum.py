"""What was said of each node in the last steps, fading: advice that keeps coming back weighs more than the latest.

It goes into the request for a mend, so a teacher that sees one failure knows which others the node has had.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentsym.network.canonical import Frozen

DECAY = 0.8
LEAST = 0.05  # a critique that was heard once is forgotten after 14 steps


class Memory(Frozen):
    """One critique of one node: as it was first worded, and its weight (1 for each time it was said, fading)."""

    node: str
    text: str
    weight: float


class Momentum(Frozen):
    """The critiques that are remembered: m ← 0.8·m + new evidence, for each node and critique.

    Attributes:
        memories: in the order in which they were first heard.
    """

    memories: tuple[Memory, ...] = ()

    def after(self, evidence: Iterable[tuple[str, str]]) -> Momentum:
        """Let what is remembered fade by one step and add what was said in it.

        Critiques that differ in case and blanks only are the same. Without a text nothing was said.

        Args:
            evidence: (node, critique), once for each time it was said.
        """
        faded = {_key(m.node, m.text): m.model_copy(update={"weight": DECAY * m.weight}) for m in self.memories}
        for node, text in evidence:
            if text.strip():
                known = faded.get(_key(node, text)) or Memory(node=node, text=text.strip(), weight=0.0)
                faded[_key(node, text)] = known.model_copy(update={"weight": known.weight + 1.0})
        return Momentum(memories=tuple(memory for memory in faded.values() if memory.weight >= LEAST))

    def of(self, node: str) -> list[tuple[str, float]]:
        """Return the critiques of a node with their weights, heaviest first; of equals the one that was heard first."""
        own = [(memory.text, memory.weight) for memory in self.memories if memory.node == node]
        return sorted(own, key=lambda memory: -memory[1])


def _key(node: str, text: str) -> tuple[str, str]:
    return node, " ".join(text.casefold().split())
