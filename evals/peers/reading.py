"""What the programs behind the server read in a request: prompts between their tags, rules, and failing kinds.

All of it is text that a language model would get, too; nothing else of a library is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from evals.peers.world import World

_SPAN = re.compile(r"\[\[node:(\w+)\]\].*?\[\[end\]\]", re.DOTALL)
_ROLE = re.compile(r"\[\[role:(\w+)\]\]")
_CURRENT = re.compile(r"^\[\[ ## \w*instruction ## \]\]\n\[\[node:(\w+)\]\]", re.MULTILINE)
_RULES = re.compile(r"^# Rules\n(.*?)(?=^# |\Z)", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r'^<data name="(\w+)/([^"\n]+)">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)
_STEP = re.compile(r'^<data name="step">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    """What a request shows of one node's prompt.

    Attributes:
        text: the longest whole prompt between its tags; "" where there is none.
        parts: component → its text, where the prompt is quoted in components.
        rules: the kinds that have a rule.
        bad: whether a harmful rule stands in it.
    """

    text: str
    parts: dict[str, str]
    rules: frozenset[int]
    bad: bool


def contents(body: Mapping[str, Any]) -> list[str]:
    """Return the texts of a request's messages."""
    return [_text(message.get("content") or "") for message in body["messages"]]


def shown(text: str, world: World) -> dict[str, Shown]:
    """Return node → what a text shows of its prompt: the longest span between its tags, and quoted components.

    Rules that stand in a section of their own, as a rendered prompt has them, belong to the prompt before them.
    """
    spans: dict[str, str] = {}
    for found in _SPAN.finditer(text):
        if len(found[0]) > len(spans.get(found[1], "")):
            spans[found[1]] = found[0]
    parts: dict[str, dict[str, str]] = {}
    for node, component, value in _QUOTED.findall(text):
        if node in world.nodes:
            parts.setdefault(node, {})[component] = value
    sections = "\n".join(_RULES.findall(text)) if len(spans) == 1 and not parts else ""
    return {
        node: _shown(spans.get(node, ""), parts.get(node, {}), sections, world)
        for node in world.nodes
        if node in spans or node in parts
    }


def target(text: str, prompts: Mapping[str, Shown]) -> str:
    """Return the node that a request is about.

    That is the one that a role tag names, else the one in a field of the current instruction, else the first one shown.

    Raises:
        ValueError: the request shows no prompt.
    """
    if tagged := _ROLE.search(text) or _CURRENT.search(text):
        return tagged[1]
    if first := _SPAN.search(text):
        return first[1]
    if not prompts:
        raise ValueError("the request shows no prompt: no [[node:NAME]] … [[end]] and no quoted component")
    return next(iter(prompts))


def wrong_kinds(text: str, world: World) -> list[int]:
    """Return the kinds that a text says were answered wrongly, each once, in the order of the text."""
    found = re.findall(rf"WRONG\({re.escape(world.markers.cue)}k(\d+)\)", text)
    return [kind for kind in dict.fromkeys(map(int, found)) if str(kind) in world.needs]


def was_told_unknown(text: str) -> bool | None:
    """Say whether the step that a request is about was given an unknown fact; None where that is not shown."""
    step = _STEP.search(text)
    if step is None:
        return None
    return any(line.startswith("input ") and "fact=unknown" in line for line in step[1].split("\n"))


def _shown(span: str, parts: dict[str, str], section: str, world: World) -> Shown:
    whole = "\n".join([span, *parts.values(), section])
    rules = re.findall(rf"{re.escape(world.markers.rule)}k(\d+)", whole)
    return Shown(span, parts, frozenset(map(int, rules)), world.markers.bad in whole)


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
