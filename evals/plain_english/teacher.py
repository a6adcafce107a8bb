"""The teacher's double: it fills whatever form is asked for, as critic or as editor, from the request alone.

Which of the two is asked is seen from the form: one with operations wants edits, all others want a judgement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evals.peers.forms import Given, Schema, asks_for, fill, offered
from evals.plain_english.critic import Finding, finding
from evals.plain_english.editor import Edit, edits
from evals.plain_english.evidence import component, runs
from evals.plain_english.meanings import Step

_STEPS: tuple[Step, ...] = ("read", "solve")
_ASKED_STEP = re.compile(r"^# The step\n\nStep \d+ \(node `(\w+)`", re.MULTILINE)
_ASKED_COMPONENT = re.compile(r"^# The component to edit\n\n`([^`]+)`", re.MULTILINE)
_OPS: Mapping[str, tuple[str, ...]] = {
    "add": ("add_rule", "add"),
    "replace": ("replace_rule", "replace"),
    "drop": ("drop_rule", "drop"),
    "set": ("set_text", "set"),
}
_NOTHING = "Nothing is wrong, as far as can be seen."


def teacher(schema: Schema, text: str) -> Any:
    """Answer one request of the teacher with a filled form.

    Args:
        schema: the form.
        text: all that the request says.
    """
    say = _edited if asks_for(schema, "op") else _judged
    return fill(schema, say(schema, text))


def _judged(schema: Schema, text: str) -> Given:
    """Judge a run, or in back-propagation one step of it."""
    shown = runs(text)
    found = finding(shown[0]) if shown else None
    told = _ASKED_STEP.search(text)
    paths = [path for path in offered(schema, "parameter") if path.endswith("/rules")] or offered(schema, "parameter")
    own = found is not None and (told is None or told[1] == found.step)
    earlier = found is not None and told is not None and _STEPS.index(found.step) < _STEPS.index(_step(told[1]))
    reason = found.text if found else _NOTHING
    values = {
        "satisfied": not own,
        "score": 0 if found else 10,
        "requirement_for_last": found.text if found else "",
        "requirement_for_previous": reason if earlier else None,
    }
    suggestions = [Given(reason, {"parameter": paths[0], "severity": 3})] if own and paths else []
    return Given(reason, values, _blamed(found), suggestions)


def _blamed(found: Finding | None) -> dict[str, Given]:
    return {found.step: Given(found.text, {"node": found.step, "blame": 1.0})} if found else {}


def _edited(schema: Schema, text: str) -> Given:
    """Edit the rules of the node that the form or the request names; where it has none, its instructions."""
    named = _ASKED_COMPONENT.search(text)
    paths = [named[1]] if named else offered(schema, "path")
    path = min(paths, key=lambda path: (not path.endswith("/rules"), not path.endswith("/instructions")), default="")
    node, _, part = path.partition("/")
    if node not in _STEPS or part not in ("rules", "instructions"):
        return Given("There is nothing to be changed here.")
    rules = component(text, path)
    made = edits(_step(node), rules, text)
    given = (
        _whole(schema, path, rules, made) if part == "instructions" else [_item(schema, path, edit) for edit in made]
    )
    return Given("The failing problems have this in common.", edits=given)


def _item(schema: Schema, path: str, edit: Edit) -> Given:
    return Given(edit.text, {"op": _op(schema, edit.op), "path": path, "id": edit.id, "why": "It failed without."})


def _whole(schema: Schema, path: str, text: str, made: list[Edit]) -> list[Given]:
    """Return a text with sentences added to it."""
    value = " ".join([text, *(edit.text for edit in made if edit.text)]).strip()
    return [Given(value, {"op": _op(schema, "set"), "path": path, "why": "It failed without."})]


def _op(schema: Schema, kind: str) -> str:
    ops = offered(schema, "op")
    return next((op for op in _OPS[kind] if op in ops), _OPS[kind][0])


def _step(node: str) -> Step:
    return "read" if node == "read" else "solve"
