"""The students' doubles: two models of which the dear one adds up well and minds every correction.

Both know nothing but the request, and do as its rules say; what the cheap one cannot do no rule teaches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agentsym.network.prompt import read_inputs, read_system
from evals.repair.student import SPOILING, spoilt, takes_last
from evals.structure import subjects


class Skill(NamedTuple):
    """What a model can do: whether it carries when it adds up, and how many corrections of an order it takes in."""

    carries: bool
    corrections: int


LARGE, SMALL = Skill(carries=True, corrections=9), Skill(carries=False, corrections=1)
HABITS: Mapping[str, Callable[[str], str]] = {
    r"first thing that": lambda order: order.partition(" and ")[0],
    r"Round the prices": lambda order: re.sub(r"at (\d)\d each", r"at \g<1>0 each", order),
    r"one piece of each": lambda order: re.sub(r"\d+ (\w+) at", r"1 \1 at", order),
}
"""Pattern of a rule that spoils the reading of an order → what it makes of it."""


def answer(skill: Skill, messages: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
    """Answer one request with an object.

    Args:
        skill: of the model that is asked.
        messages: the request's messages, of a rendered prompt node.
        fields: the fields of the answer.

    Raises:
        ValueError: the request is for none of the agent's nodes.
    """
    system, user = (message["content"] for message in messages[:2])
    rules, given = read_system(system).rules, read_inputs(user)
    match list(fields):
        case ["order"]:
            return {"order": spoilt(_read(skill, str(given["mail"]), rules), rules, HABITS)}
        case ["figure"]:
            add = subjects.total if skill.carries else subjects.slipped
            return {"figure": spoilt(str(add(str(given["order"]))), rules, SPOILING)}
        case ["reply"]:
            return {"reply": spoilt(subjects.sentence(str(given["figure"])), rules, SPOILING)}
    raise ValueError(f"no node reads {', '.join(given)} and writes {', '.join(fields)}")


def _read(skill: Skill, mail: str, rules: Sequence[str]) -> str:
    """Return the first order of a mail, or the last one where a rule says so: as far as the model minds corrections."""
    orders = subjects.orders(mail)
    return orders[min(len(orders) - 1, skill.corrections)] if takes_last(rules) else orders[0]
