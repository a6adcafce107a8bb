"""The critic's double: it compares what each node of a shown run wrote with what it should have written.

What it goes by are the values in the request; the node that went wrong first is to blame, those behind it are not.
"""

from __future__ import annotations

from typing import NamedTuple

from evals.repair.lesson import Lesson
from evals.repair.reading import Failure


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


def _told(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
