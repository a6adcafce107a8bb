"""The two variants: a sum that is slipped on until a node checks it, and quotations that must go round a node.

Each is a chain of two prompt nodes whose second one is not to blame; 45 of 100 rows fail until the pipeline changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from agentsym import Agent, Choice, PromptNode, as_tool
from agentsym.network.parameters import Structure
from evals.structure import subjects

FAILING, OF = 9, 20
"""So many of so many rows fail before the pipeline changes."""


@dataclass(frozen=True)
class Variant:
    """One agent.

    Attributes:
        name: `node` or `edge`.
        nodes: its two prompt nodes.
        hard: source of chance and whether the row is one of those that fail → (field, text, reply).
    """

    name: str
    nodes: tuple[PromptNode, PromptNode]
    hard: Callable[[Random, bool], tuple[str, str, str]]

    @property
    def ids(self) -> tuple[str, str]:
        """The ids of the two nodes."""
        first, second = self.nodes
        return first.id, second.id

    def agent(self) -> Agent:
        """Return the agent before it has learned."""
        return Agent(
            self.name,
            nodes=self.nodes,
            edges=[self.ids],
            outputs=["reply"],
            tools=[as_tool(word_count)],
            structure=Structure(learnable=True),
        )

    def rows(self, name: str, seed: int, count: int) -> list[dict[str, Any]]:
        """Return rows of a data set.

        Args:
            name: the set, such as `train`; other sets have other rows.
            seed: draws them.
            count: how many; a multiple of 20 has the exact share that fails.
        """
        chance = Random(f"{self.name} {name} {seed}")
        made: dict[str, dict[str, Any]] = {}
        while len(made) < count:
            field, text, reply = self.hard(chance, len(made) % OF < FAILING)
            made.setdefault(text, {field: text, "reply": reply})
        rows = list(made.values())
        chance.shuffle(rows)
        return rows


def word_count(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


def _order(chance: Random, is_hard: bool) -> tuple[str, str, str]:
    while True:
        order = subjects.order(chance)
        if subjects.has_carry(order) == is_hard:
            return "order", order, subjects.sentence(str(subjects.total(order)))


def _message(chance: Random, is_hard: bool) -> tuple[str, str, str]:
    text = subjects.quotation(chance) if is_hard else subjects.remark(chance)
    reply = text if is_hard else subjects.polished(text)
    return "message", f"{subjects.QUOTE if is_hard else subjects.SAY}: {text}", reply


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            "node",
            (
                PromptNode("work", "Work out the total of the order.", inputs=["order"], output={"figure": str}),
                PromptNode("say", "Put the total into a sentence.", inputs=["figure"], output={"reply": str}),
            ),
            _order,
        ),
        Variant(
            "edge",
            (
                PromptNode(
                    "answer",
                    "Find what is to be sent, and of which kind it is.",
                    inputs=["message"],
                    output={"kind": Choice([subjects.QUOTE, subjects.SAY]), "reply": str},
                ),
                PromptNode("polish", "Polish the text.", inputs=["reply"], output={"reply": str}),
            ),
            _message,
        ),
    )
}
"""Name → the variant."""
