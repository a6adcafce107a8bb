"""The student's double: it does what a node's instructions say in words, with the fields that the node is given.

It forgets to carry when it adds up, whatever rules tell it to mind; only a node that is told to check, and that is
given the order beside the sum, adds up again and corrects it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentsym.network.prompt import read_inputs, read_system
from evals.repair.student import SPOILING, spoilt
from evals.structure import subjects

_KIND = re.compile(rf"^({subjects.QUOTE}|{subjects.SAY}): (.*)$")
Given = Mapping[str, Any]


def answer(messages: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    """Answer one request with an object.

    Args:
        messages: the request's messages, of a rendered prompt node.
        fields: the fields of the answer.
    """
    system, user = (message["content"] for message in messages[:2])
    prompt, given = read_system(system), read_inputs(user)
    task = next((task for words, task in _TASKS.items() if re.search(words, prompt.task, re.IGNORECASE)), _copied)
    return {name: _written(task, name, given, prompt.rules) for name in fields}


def _written(task: Callable[[str, Given], str], name: str, given: Given, rules: Sequence[str]) -> str:
    text = task(name, given)
    return text if name == "kind" else spoilt(text, rules, SPOILING)


def _copied(name: str, given: Given) -> str:
    """Return a field as it was given; one that was not given is what was given last."""
    return str(given.get(name, [*given.values()][-1] if given else ""))


def _checked(name: str, given: Given) -> str:
    """Correct a sum that does not fit the order, and a quotation that is not to the letter, where both are given."""
    text = _copied(name, given)
    for source in map(str, given.values()):
        if subjects.is_order(source) and len(given) < 2:
            return str(subjects.slipped(source))  # there is nothing to check but the order itself
        if subjects.is_order(source):
            return re.sub(r"\d+", str(subjects.total(source)), text) if text != source else str(subjects.total(source))
        if (quoted := _KIND.match(source)) and quoted[1] == subjects.QUOTE:
            return quoted[1] if name == "kind" else quoted[2]
    return text


def _worked_out(name: str, given: Given) -> str:
    found = next((str(value) for value in given.values() if subjects.is_order(str(value))), "")
    return str(subjects.slipped(found)) if found else _copied(name, given)


def _said(name: str, given: Given) -> str:
    return subjects.sentence(str(given.get("figure", next(iter(given.values()), ""))))


def _found(name: str, given: Given) -> str:
    found = next((match for value in given.values() if (match := _KIND.match(str(value)))), None)
    if found is None:
        return subjects.SAY if name == "kind" else _copied(name, given)
    return found[1] if name == "kind" else found[2]


_TASKS: Mapping[str, Callable[[str, Given], str]] = {
    r"\b(check|verif|correct|compar|recalculat|recomput|recount|re-?check|proofread|anew\b|again\b)": _checked,
    r"\bwork out|\badd up": _worked_out,
    r"\bfind what is to be sent": _found,
    r"\binto a sentence": _said,
    r"\bpolish": lambda name, given: subjects.polished(_copied(name, given)),
    r"\bother words|\brephrase": lambda name, given: f"In other words: {_copied(name, given)}",
    r"\bsum up|\bshorten": lambda name, given: " ".join(_copied(name, given).split()[:3])[:4],
    r"\btranslate": lambda name, given: _copied(name, given).replace("total", "Summe").swapcase(),
    r"\bkindly|\bgreet": lambda name, given: f"Dear customer, {_copied(name, given)}",
    r"\bplan|\bnote": lambda name, given: "First read, then think, then write.",
}
"""Words of the instructions → what the node does; the first that are found decide, without any it copies."""
