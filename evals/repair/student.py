"""The student's double: it reads notes and says results as the prompt of a node tells it to, and knows nothing else.

Of several values in a note it takes the first, unless a rule tells it to take the last; rules that spoil an answer are
obeyed like all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentsym.network.prompt import read_inputs, read_system
from evals.repair.lesson import Lesson
from evals.repair.lessons import LESSONS

_LAST = re.compile(r"\b(last|later|latter|final)\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(not|never|no)\b", re.IGNORECASE)
SAYINGS = (
    "Begin with a word of thanks.",
    "Write all in capitals.",
    "Leave out the full stop and what stands before it.",
    "Be friendly.",
    "Use the result as it is given.",
    "Do not explain the result.",
    "Write for a hurried reader.",
    "Invent nothing.",
)
"""Sentences that a teacher might tell the last node; none mends anything, some spoil the reply."""
SPOILING: Mapping[str, Callable[[str], str]] = {
    r"word of thanks": lambda reply: f"Thank you. {reply}",
    r"in capitals": lambda reply: reply.upper(),
    r"Leave out the full stop": lambda reply: reply.rpartition(" ")[0],
}
"""Pattern of a sentence → what it makes of a text; the other sentences change nothing."""


def answer(messages: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    """Answer one request with an object.

    Args:
        messages: the request's messages, of a rendered prompt node.
        fields: the fields of the answer.

    Raises:
        ValueError: no lesson has a node with such fields.
    """
    system, user = (message["content"] for message in messages[:2])
    rules, given = read_system(system).rules, read_inputs(user)
    for lesson in LESSONS.values():
        if list(fields) == list(lesson.fields):
            return _read(lesson, str(given["note"]), rules)
        if lesson.result in given and list(fields) == ["reply"]:
            return {"reply": spoilt(lesson.saying(given[lesson.result]), rules, SPOILING)}
    raise ValueError(f"no lesson has a node that reads {', '.join(given)} and writes {', '.join(fields)}")


def takes_last(rules: Sequence[str]) -> bool:
    """Say whether rules tell to take the last of several values."""
    return any(_LAST.search(rule) and not _NEGATED.search(rule) for rule in rules)


def spoilt(text: str, rules: Sequence[str], habits: Mapping[str, Callable[[str], str]]) -> str:
    """Do to a text what rules ask for; `habits`: pattern of a rule → what it makes of the text."""
    for pattern, change in habits.items():
        if any(re.search(pattern, rule) for rule in rules):
            text = change(text)
    return text


def _read(lesson: Lesson, note: str, rules: Sequence[str]) -> dict[str, Any]:
    value = lesson.values(note)[-1 if takes_last(rules) else 0]
    return {lesson.value: spoilt(value, rules, lesson.habits), **lesson.rest(note)}
