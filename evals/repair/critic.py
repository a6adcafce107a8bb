"""The critic's double: it compares what each node of a shown run wrote with what it should have written.

What it goes by are the values in the request; the node that went wrong first is to blame, those behind it are not.
"""

from __future__ import annotations

from typing import NamedTuple

from evals.peers.forms import Given, Schema, offered
from evals.repair.lesson import Lesson
from evals.repair.reading import Failure, step_asked_for


class Finding(NamedTuple):
    """One node that went wrong in a run, and what is wrong."""

    node: str
    text: str


def finding(lesson: Lesson, shown: Failure) -> Finding | None:
    """Return the first node that went wrong as far as a request shows it; None where nothing wrong is seen."""
    values = shown.values
    given = {name: values[name] for name in lesson.fields if name in values}
    complete = len(given) == len(lesson.fields)
    if complete and "note" in values:
        reading = lesson.reading(values["note"])
        if reading != given:
            return Finding(lesson.reads, f"Of “{values['note']}” {_told(reading)} should have been read.")
    if complete and lesson.result in values:
        right = lesson.right(given)
        if right != values[lesson.result]:
            return Finding(lesson.name, f"{_told(given)} should have made {lesson.result} {right}.")
    if lesson.result in values and "reply" in values:
        reply = lesson.saying(values[lesson.result])
        if reply != values["reply"]:
            return Finding(lesson.says, f"The reply should have been “{reply}”.")
    return None


def criticism(found: Finding | None, schema: Schema, text: str) -> Given:
    """Say what went wrong first: as the blame of nodes, as advice for the step asked for, or as a judgement.

    Args:
        found: what is wrong; None for nothing.
        schema: the form that the request asks for.
        text: all that the request says.
    """
    if found is None:
        return Given("Nothing is wrong.", {"satisfied": True, "requirement_for_last": "", "score": 10})
    asked = step_asked_for(text)
    mine = asked in ("", found.node)
    values = {
        "satisfied": bool(asked) and not mine,
        "score": 0,
        "requirement_for_last": found.text,
        "requirement_for_previous": None if mine else found.text,
    }
    paths = [path for path in offered(schema, "parameter") if path.endswith(("/rules", "/code")) and mine]
    advice = [Given(found.text, {"parameter": path, "severity": 3}) for path in paths]
    return Given(found.text, values, {found.node: Given(found.text, {"node": found.node, "blame": 1.0})}, advice)


def _told(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
