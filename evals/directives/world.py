"""The world of this eval: four directives, the task that needs all of them, its rows, its score, and the agent.

Nothing here knows of any model, so the world can be checked by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from agentsym import Agent, PromptNode, Rules
from agentsym.learning.protocols import Row
from agentsym.network.network import Network
from agentsym.network.parameters import Rule

LETTERS = "abcdefgh"
SHORTEST, LONGEST = 5, 8
MOST_DIRECTIVES = 2  # in one prompt
NODES = ("first", "second")
READS = {"first": "text", "second": "draft"}
WRITES = {"first": "draft", "second": "answer"}
HIDDEN = {"first": ("reverse", "drop-last"), "second": ("upper", "swap-ends")}


def _swap_ends(text: str) -> str:
    return text[-1] + text[1:-1] + text[0] if len(text) > 1 else text


DIRECTIVES: dict[str, Callable[[str], str]] = {
    "reverse": lambda text: text[::-1],
    "upper": str.upper,
    "drop-last": lambda text: text[:-1],
    "swap-ends": _swap_ends,
}
REMEDIES = {"case": ("upper",), "length": ("drop-last",), "order": ("reverse", "swap-ends")}


def follow(directives: Sequence[str], text: str) -> str:
    """Return what following the directives, one after the other, makes of a text."""
    for directive in directives:
        text = DIRECTIVES[directive](text)
    return text


def wanted(text: str) -> str:
    """Return what the hidden task makes of a text."""
    for node in NODES:
        text = follow(HIDDEN[node], text)
    return text


def symptoms(answer: str, expected: str) -> tuple[str, ...]:
    """Return what is wrong with an answer: its case, its length, the order of its letters (as far as both go)."""
    found = {
        "case": answer.isupper() != expected.isupper(),
        "length": len(answer) != len(expected),
        "order": any(a != b for a, b in zip(answer.lower(), expected.lower(), strict=False)),
    }
    return tuple(name for name, holds in found.items() if holds)


def levenshtein(first: str, second: str) -> int:
    """Return the fewest insertions, deletions and replacements that turn one text into the other."""
    costs = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        diagonal, costs[0] = costs[0], i
        for j, b in enumerate(second, 1):
            replaced = diagonal + (a != b)
            diagonal, costs[j] = costs[j], min(replaced, costs[j] + 1, costs[j - 1] + 1)
    return costs[-1]


def similarity(answer: str, expected: str) -> float:
    """Return 1 − Levenshtein distance / length of the longer text."""
    return 1.0 - levenshtein(answer, expected) / max(len(answer), len(expected), 1)


def texts(seed: int, name: str, count: int) -> list[str]:
    """Draw texts of five to eight letters."""
    chance = random.Random(f"{name}/{seed}")
    return ["".join(chance.choices(LETTERS, k=chance.randint(SHORTEST, LONGEST))) for _ in range(count)]


def rows(seed: int, name: str, count: int) -> list[Row]:
    """Draw rows: a text, and what the hidden task makes of it."""
    return [
        Row(id=f"{name}-{number}", inputs={"text": text}, expected={"answer": wanted(text)})
        for number, text in enumerate(texts(seed, name, count))
    ]


def rules_at(network: Network, node: str) -> tuple[Rule, ...]:
    """Return the rules of a node, which are its directives in the order in which they are followed."""
    rules = network.parameter(f"{node}/rules")
    assert isinstance(rules, Rules)
    return rules.value


def chain(directives: Mapping[str, Sequence[str]] | None = None) -> Agent:
    """Return the agent: two prompt nodes, whose rules are their directives; none, if none are given."""
    nodes = [
        PromptNode(
            node,
            "Follow your rules.",
            inputs=[READS[node]],
            output={WRITES[node]: str},
            rules=Rules((directives or {}).get(node, ()), max_per_label=MOST_DIRECTIVES),
        )
        for node in NODES
    ]
    frozen = [f"{node}/{name}" for node in NODES for name in ("instructions", "examples")]
    return Agent("directives", nodes, [NODES], outputs=("answer",)).freeze(*frozen)
