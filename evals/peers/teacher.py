"""The teacher's double: critic and optimizer in one, for libraries that ask one model for both with a JSON form.

Which of them is asked is seen from the form: one with operations is the optimizer's, one with comments judges a run,
all others are the critic's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from evals.peers.critic import Finding, findings, said
from evals.peers.editor import Change, changes, rewritten
from evals.peers.forms import Given, Schema, asks_for, fill, offered
from evals.peers.reading import Shown, shown, target
from evals.peers.world import World

_STEP = re.compile(r"^# The step\n\nStep \d+ \(node `(\w+)`", re.MULTILINE)
_COMPONENT = re.compile(r"^# The component to edit\n\n`(\w+)/([^`]+)`", re.MULTILINE)
_ADD = ("add", "add_rule", "add_item", "insert")
_DROP = ("drop", "drop_rule", "drop_item", "delete", "remove")
_WHOLE = ("set", "set_text", "set_parameter", "rewrite", "replace")
_PREFERRED = ("/rules", "/instructions")


def role(schema: Schema) -> str:
    """Return what a form is for: `optimizer`, `loss` or `backward`."""
    if asks_for(schema, "op"):
        return "optimizer"
    return "loss" if "comments" in schema.get("properties", ()) else "backward"


def answer(role: str, schema: Schema, text: str, world: World) -> Any:
    """Fill a form of one of the teacher's roles.

    Args:
        role: `loss`, `backward` or `optimizer`.
        schema: the form.
        text: all that the request says.
        world: the server's configuration.

    Raises:
        ValueError: the request shows no prompt to edit.
    """
    say = {"loss": _judged, "backward": _criticised, "optimizer": _edited}[role]
    return fill(schema, say(schema, text, world))


def _judged(schema: Schema, text: str, world: World) -> Given:
    found = findings(text, world)
    demand = said(found, world) if found else ""
    values = {"satisfied": not found, "score": 0 if found else 10, "requirement_for_last": demand}
    return Given(said(found, world), values)


def _criticised(schema: Schema, text: str, world: World) -> Given:
    """Blame, suggest a change of what is at hand, and pass on what lies before it."""
    paths = [path for name in ("parameter", "path") for path in offered(schema, name)]
    step = _STEP.search(text)
    asked = step[1] if step else paths[0].partition("/")[0] if paths else None
    if asked not in world.nodes:
        asked = None
    found = findings(text, world, asked=asked)
    mine = [finding for finding in found if asked is None or asked in finding.blamed]
    earlier = [finding for finding in found if set(finding.blamed) - {asked}]
    values = {
        "satisfied": not mine,
        "blame": float(bool(mine)),
        "requirement_for_previous": said(earlier, world) if earlier else None,
    }
    suggestions = [
        Given(finding.written(world), {"parameter": path, "path": path, "node": node, "severity": 3})
        for finding in mine
        for node in finding.blamed
        if asked in (None, node) and (path := _path(paths, node))
    ]
    nodes = {node: _of_node(node, found, world) for node in world.nodes}
    return Given(said(found, world), values, nodes, suggestions)


def _of_node(node: str, found: list[Finding], world: World) -> Given:
    own = [finding for finding in found if node in finding.blamed]
    share = max((1 / len(finding.blamed) for finding in own), default=0.0)
    return Given(said(own, world) if own else "", {"node": node, "blame": share, "satisfied": not own})


def _path(paths: list[str], node: str) -> str:
    """Return which of a node's components is to change: its rules, else its instructions, else any."""
    own = [path for path in paths if path.startswith(f"{node}/")]
    return min(
        own, key=lambda path: next((at for at, end in enumerate(_PREFERRED) if path.endswith(end)), 9), default=""
    )


def _edited(schema: Schema, text: str, world: World) -> Given:
    prompts = shown(text, world)
    component = _COMPONENT.search(text)
    if component and component[1] in prompts:
        asked = {component[1]: component[2]}
    else:
        named = [node for node in offered(schema, "node") if node in prompts]
        asked = {node: _component(prompts[node]) for node in named or [target(text, prompts)]}
    edits = [edit for node, part in asked.items() for edit in _edits(schema, text, node, part, prompts[node], world)]
    return Given("The failing tickets need a rule." if edits else "Nothing is to be changed.", edits=edits)


def _edits(schema: Schema, text: str, node: str, part: str, prompt: Shown, world: World) -> Iterator[Given]:
    """Yield a node's changes in the operations that the form has: of single rules, else the whole text anew."""
    made, ops = changes(node, prompt, text, world), offered(schema, "op")
    whole = prompt.parts.get(part, prompt.text)
    where = {"node": node, "path": f"{node}/{part}", "parameter": f"{node}/{part}", "why": "Some tickets fail."}
    for change in made:
        op = next((op for op in (_DROP if change.is_removal else _ADD) if op in ops), None)
        if op is None:
            op = next((op for op in _WHOLE if op in ops), None)
            yield Given(rewritten(whole, made), {**where, "op": op})
            return
        found = _identifier(whole, change)
        yield Given(change.text, {**where, "op": op, **({"id": found, "rule": found} if change.is_removal else {})})


def _identifier(whole: str, change: Change) -> str:
    found = re.search(rf"^\[([^\]\n]+)\] .*{re.escape(change.text)}", whole, re.MULTILINE)
    return found[1] if found else ""


def _component(prompt: Shown) -> str:
    return min(
        prompt.parts, key=lambda name: _PREFERRED.index(f"/{name}") if f"/{name}" in _PREFERRED else 9, default=""
    )
