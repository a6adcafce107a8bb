"""The critic's double: it names every failing kind that its request shows, and the nodes that miss its rule.

It blames by what the request shows of prompts and inputs; what is not shown it takes to miss the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evals.peers.reading import Shown, shown, was_told_unknown, wrong_kinds
from evals.peers.world import World


class Finding(NamedTuple):
    """One failing kind, and the nodes that are to blame for it."""

    kind: int
    blamed: tuple[str, ...]

    def written(self, world: World) -> str:
        """Return the finding as it is said."""
        blame = "".join(f" blame={node}" for node in self.blamed)
        return f"WRONG({world.markers.cue}k{self.kind}){blame}"


def findings(text: str, world: World, *, asked: str | None = None) -> list[Finding]:
    """Return what is wrong by a request's text.

    Args:
        text: the request.
        world: the server's configuration.
        asked: the one node that the request is about, if it is about one; then nodes behind it are not blamed, and
            nodes before it only where it was given an unknown fact.
    """
    prompts = shown(text, world)
    nodes = world.nodes
    if asked is not None:
        before = nodes[: nodes.index(asked)]
        nodes = (*(before if was_told_unknown(text) is not False else ()), asked)
    return [
        Finding(kind, tuple(node for node in nodes if _misses(world, prompts, node, kind, is_asked=node == asked)))
        for kind in wrong_kinds(text, world)
    ]


def said(found: list[Finding], world: World) -> str:
    """Return the critique in words."""
    return "\n".join(finding.written(world) for finding in found) or "Nothing is wrong."


def _misses(world: World, prompts: Mapping[str, Shown], node: str, kind: int, *, is_asked: bool) -> bool:
    prompt = prompts.get(node)
    if world.is_free(kind):
        return prompt.bad if prompt is not None else not is_asked
    return node in world.needs[str(kind)] and (prompt is None or kind not in prompt.rules)
