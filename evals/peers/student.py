"""The student's double: it answers as the rules of its prompt tell it to, and knows nothing else.

The first node reads the ticket's kind, each other one reads what the node before it reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from evals.peers.reading import Shown, contents, shown
from evals.peers.world import World

_FACT = re.compile(r"fact=(?:f(\d+)|unknown) ref=(\d+)")
_NUMBER = re.compile(r"Ticket (\d+):")


class _Told(NamedTuple):
    kind: int | None
    ref: int


def answer(body: Mapping[str, Any], world: World, rollout: int) -> str:
    """Answer one request of the student.

    Args:
        body: the request.
        world: the server's configuration.
        rollout: how often the same request came before; it draws other flips.

    Raises:
        ValueError: the request shows no prompt of a node, or nothing that the node can read.
    """
    texts = contents(body)
    prompts = shown("\n".join(texts), world)
    if not prompts:
        raise ValueError("the student's request shows no prompt of a node")
    node, prompt = max(prompts.items(), key=lambda item: len(item[1].text))
    told = _told(texts, prompt, world, is_first=node == world.nodes[0])
    kind = told.kind if told.kind is not None and _is_met(world, node, prompt, told.kind) else None
    if node != world.nodes[-1]:
        return f"fact={'unknown' if kind is None else f'f{kind}'} ref={told.ref}"
    if _flips(texts, world, rollout):
        kind = told.kind if kind is None else None
    return "general" if kind is None else f"label_{kind}"


def _is_met(world: World, node: str, prompt: Shown, kind: int) -> bool:
    """Say whether a node does its part for a kind."""
    if world.is_free(kind):
        return not prompt.bad
    return node not in world.needs[str(kind)] or kind in prompt.rules


def _told(texts: Sequence[str], prompt: Shown, world: World, *, is_first: bool) -> _Told:
    given = texts[-1].replace(prompt.text, "")
    if is_first:
        kinds, numbers = re.findall(rf"{re.escape(world.markers.cue)}k(\d+)", given), _NUMBER.findall(given)
        if kinds and numbers and kinds[-1] in world.needs:
            return _Told(int(kinds[-1]), int(numbers[-1]))
    elif facts := _FACT.findall(given):
        kind, ref = facts[-1]
        return _Told(int(kind) if kind else None, int(ref))
    raise ValueError(f"the student finds no {'ticket' if is_first else 'fact'} in {given[-200:]!r}")


def _flips(texts: Sequence[str], world: World, rollout: int) -> bool:
    """Say whether this answer is flipped: right to `general`, and `general` to right where the fact is known."""
    digest = sha256("\0".join([*texts, str(rollout)]).encode()).hexdigest()
    return int(digest, 16) % 100 < world.flip_pct
