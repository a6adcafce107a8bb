"""The teacher's double: it blames by the values that a request shows, and mends by drawing from what it knows.

What it draws depends on the request's hash and on what the failing rows in it look like, so most of what it writes does
not help; without failing rows it writes nothing at all.
"""

from __future__ import annotations

from typing import Any

from evals.openai_server.several import each
from evals.peers.forms import Given, Schema, asks_for, fill, offered
from evals.repair.critic import finding
from evals.repair.edits import edit
from evals.repair.lesson import Lesson
from evals.repair.lessons import LESSONS
from evals.repair.reading import component, failures, paths_to_edit, step_asked_for
from evals.repair.rewrites import drawn
from evals.repair.student import SAYINGS

_REWRITE, _ADD = ("rewrite_code",), ("add_rule", "add", "add_item")


def answer(schema: Schema, text: str, draw: str = "") -> Any:
    """Fill a form of the teacher's.

    Args:
        schema: the form: for edits, for the blame of a run, for the gradient of a step, or for a judgement.
        text: all that the request says.
        draw: tells apart independent answers to the same request.

    Raises:
        ValueError: the request is about none of the lessons.
    """
    lesson = _lesson(text)
    if asks_for(schema, "op"):
        return {"analysis": "The failures have a cause in common.", "edits": _edits(lesson, schema, text, draw)}
    return each(schema, text, lambda form, request: fill(form, _criticised(lesson, form, request)))


def _lesson(text: str) -> Lesson:
    found = [lesson for lesson in LESSONS.values() if any(f"`{node}" in text for node in (lesson.name, lesson.reads))]
    found += [lesson for lesson in LESSONS.values() if f"`{lesson.says}" in text]
    if not found:
        raise ValueError(f"the request is about none of the lessons; there are {', '.join(LESSONS)}")
    return found[0]


def _criticised(lesson: Lesson, schema: Schema, text: str) -> Given:
    """Say what went wrong first: as the blame of nodes, as advice for the step asked for, or as a judgement."""
    shown = failures(text)
    found = finding(lesson, shown[0]) if shown else None
    if found is None:
        return Given("Nothing is wrong.", {"satisfied": True, "requirement_for_last": "", "score": 10})
    asked = step_asked_for(text)
    mine = asked in ("", found.node)
    values = {
        "satisfied": False if not asked else not mine,
        "score": 0,
        "requirement_for_last": found.text,
        "requirement_for_previous": None if mine else found.text,
    }
    paths = [path for path in offered(schema, "parameter") if path.endswith(("/rules", "/code"))]
    advice = [Given(found.text, {"parameter": path, "severity": 3}) for path in paths if mine]
    return Given(found.text, values, {found.node: Given(found.text, {"node": found.node, "blame": 1.0})}, advice)


def _edits(lesson: Lesson, schema: Schema, text: str, draw: str) -> list[dict[str, Any]]:
    """Return one edit of the node that is to be mended, or none."""
    for path in paths_to_edit(schema, text):
        made = None
        if path.endswith("/code"):
            made = _rewritten(lesson, schema, text, path, draw)
        elif path.endswith("/rules"):
            made = _told(lesson, schema, text, path, draw)
        if made:
            return [made]
    return []


def _told(lesson: Lesson, schema: Schema, text: str, path: str, draw: str) -> dict[str, Any] | None:
    """Add a rule that the request does not show: to the first node where a failing note names several values."""
    shown = failures(text)
    known = lesson.rules if path.startswith(f"{lesson.reads}/") else SAYINGS
    if known is lesson.rules:
        shown = [item for item in shown if len(lesson.values(str(item.values.get("note", "")))) > 1]
    left = [rule for rule in known if rule not in text]
    if not shown or not left:
        return None
    return edit(schema, _ADD, {"path": path, "text": drawn(left, text + draw), "why": "It may be this."})


def _rewritten(lesson: Lesson, schema: Schema, text: str, path: str, draw: str) -> dict[str, Any] | None:
    """Rewrite the tool by one of the candidates for a symptom that the failing rows show."""
    seen = {
        symptom
        for symptom, pattern in lesson.symptoms.items()
        if any(pattern.search(item.text) for item in failures(text))
    }
    known = [rewrite for rewrite in lesson.rewrites() if rewrite.symptom in seen]
    source = component(text, path)
    if not known or not source:
        return None
    chosen = drawn(known, text + draw)
    return edit(
        schema, _REWRITE, {"path": path, "source": chosen.of(source), "why": f"It is about the {chosen.symptom}."}
    )
