"""The student's double: an engine that goes by the rules of its prompt, which it reads as English.

It knows nothing but the messages of its request. Without rules it lists the numbers that stand in digits, and adds up
whatever it is given; what it can do beside that, its prompt must tell it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evals.peers.reading import contents
from evals.plain_english.arithmetic import calculated, numbers_in
from evals.plain_english.english import in_force
from evals.plain_english.meanings import ALWAYS, READ_CASES, UNITS
from evals.plain_english.problems import Quantity, asked, asks_for_minutes, quantities

_INPUT = re.compile(r"^(\w+): (.*)$", re.MULTILINE)


def answer(body: Mapping[str, Any]) -> str:
    """Answer one request: with the numbers of a problem, or where these are given with its result.

    Raises:
        ValueError: the request shows no problem.
    """
    *system, user = contents(body)
    inputs = {name: _plain(value) for name, value in _INPUT.findall(user)}
    if "problem" not in inputs:
        raise ValueError(f"the student finds no problem in {user[-200:]!r}")
    rules = "\n".join(system)
    if "numbers" in inputs:
        return str(solved(inputs["problem"], numbers_in(inputs["numbers"]), rules))
    return ", ".join(map(str, listed(inputs["problem"], rules)))


def listed(problem: str, rules: str) -> list[int]:
    """Return the numbers of a problem that its rules make the first step list."""
    asks = asks_for_minutes(problem)
    known = {case: action for case, action in in_force(rules, "read").items() if case != "hours" or asks}
    found = (_value(quantity, known) for quantity in quantities(problem))
    return [value for value in found if value is not None]


def solved(problem: str, numbers: Sequence[int], rules: str) -> int:
    """Return what the second step makes of numbers by its rules: the most specific one that fits, else their sum."""
    known = in_force(rules, "solve")
    case = next((case for case in (*asked(problem), ALWAYS) if case in known), None)
    return calculated(str(known[case]) if case else "add", numbers)


def _value(quantity: Quantity, known: Mapping[str, str | int]) -> int | None:
    """Return what a quantity counts for by the rules; None where it does not count."""
    if "words" in quantity.cases and known.get("words") != "count":
        return None
    told = (known.get(case) for case in READ_CASES if case in quantity.cases - {"words"})
    if next((action for action in told if action is not None), "count") == "ignore":
        return None
    unit = next((case for case in UNITS if case in quantity.cases), None)
    factor = known.get(unit, "") if unit else ""
    if isinstance(factor, int):
        return quantity.value * factor
    return None if "implied" in quantity.cases else quantity.value


def _plain(value: str) -> str:
    """Return the text of a field, which stands in quotes where it could be taken for something else."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value
