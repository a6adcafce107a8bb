"""The student's double for HotPotQA: it guesses from the words of the question, knows nothing, and obeys its rules.

A yes-or-no question it answers with yes, a choice with the first of the two, and anything else with the longest name in
the question; it puts a sentence around that until a rule tells it to give only the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentsym.network.prompt import read_inputs, read_system

RULES = {
    "think": ("Mention the names in the question.", "Consider that the question may be about two things."),
    "answer": (
        "Give only the answer itself, with no sentence around it.",
        "Answer politely.",
        "Explain in one sentence how sure you are.",
    ),
}
"""What the teacher's double may tell each node; the first one of `answer` is what this student lacks."""
_CLOSED = re.compile(r"^\s*(are|is|was|were|do|does|did|has|have|had|can)\b", re.IGNORECASE)
_CHOICE = re.compile(r"(?:,|\bfirst\b|\bbetween\b|\bof\b)?\s*([A-Z][\w'.&-]*(?: [A-Z\d][\w'.&-]*)*),? or ")
_NAME = re.compile(r"[A-Z][\w'.&-]*(?: (?:(?:of|the|and|for) )?[A-Z\d][\w'.&-]*)*")
_SAID = re.compile(r"^The answer may be (.*)\.$")


def answer(messages: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    """Answer one request of the agent."""
    system, user = (str(message["content"]) for message in messages[:2])
    rules, given = read_system(system).rules, read_inputs(user)
    if "notes" in fields:
        return {name: f"The answer may be {guess(str(given.get('question', '')))}." for name in fields}
    said = _SAID.match(str(given.get("notes", "")))
    bare = said[1] if said else guess(str(given.get("question", "")))
    short = any("only the answer" in rule.casefold() for rule in rules)
    return dict.fromkeys(fields, bare if short else f"I would say that the answer is {bare}, as far as I can tell")


def guess(question: str) -> str:
    """Return what the words of a question suggest."""
    if chosen := _CHOICE.search(question):
        return chosen[1]
    if _CLOSED.match(question):
        return "yes"
    rest = question.strip()[1:]  # the first word has a capital anyway
    return max(_NAME.findall(rest), key=len, default="unknown")
