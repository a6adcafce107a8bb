"""The teacher's double: it blames by the values that a request shows, and mends by drawing from what it knows.

What it draws depends on the request's hash and on what the failing rows in it look like, so most of what it writes does
not help; without failing rows it writes nothing at all.
"""

from __future__ import annotations

from typing import Any

from evals.peers.forms import Schema, asks_for, fill
from evals.repair.critic import criticism, finding
from evals.repair.edits import edit, new_rule
from evals.repair.lesson import Lesson
from evals.repair.lessons import LESSONS
from evals.repair.reading import component, failures, paths_to_edit
from evals.repair.rewrites import drawn
from evals.repair.student import SAYINGS

_REWRITE = ("rewrite_code",)


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
    shown = failures(text)
    return fill(schema, criticism(finding(lesson, shown[0]) if shown else None, schema, text))


def _lesson(text: str) -> Lesson:
    found = [lesson for lesson in LESSONS.values() if any(f"`{node}" in text for node in (lesson.name, lesson.reads))]
    found += [lesson for lesson in LESSONS.values() if f"`{lesson.says}" in text]
    if not found:
        raise ValueError(f"the request is about none of the lessons; there are {', '.join(LESSONS)}")
    return found[0]


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
    return new_rule(schema, text, path, known, draw) if shown else None


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
