"""The editor's double: it writes rules for what the failing runs have in them, without knowing which ones help.

A request that shows no failing run gets platitudes, since there is nothing in it to write a rule about.
"""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Literal, NamedTuple

from evals.plain_english.candidates import IDEAS, PLATITUDES
from evals.plain_english.english import meanings
from evals.plain_english.evidence import items, runs, tried
from evals.plain_english.meanings import ALWAYS, SWEEPING, Step
from evals.plain_english.phrases import worded
from evals.plain_english.problems import asked, quantities

_MOST = 2  # edits in one reply


class Edit(NamedTuple):
    """An edit of a list of rules; `id` names the rule that is replaced or dropped."""

    op: Literal["add", "replace", "drop"]
    text: str = ""
    id: str = ""


def edits(step: Step, rules: str, request: str) -> list[Edit]:
    """Return the edits of a step's rules, one or two, drawn by the hash of the request.

    Args:
        step: the step.
        rules: its rules as the request shows them, each with its id where they have ids.
        request: the whole text of the request.
    """
    rng = random.Random(sha256(request.encode()).hexdigest())
    cases = {case for run in runs(request) for case in _cases(step, run.problem)}
    standing = {meaning: name for name, text in items(rules) for meaning in meanings(text, step)}
    vain = {*meanings(tried(request), step), *meanings(rules, step)}
    ideas = [idea for idea in IDEAS[step] if idea.case in cases and idea not in vain]
    doubtful = [name for meaning, name in standing.items() if meaning.case in cases]
    made: list[Edit] = []
    for _ in range(rng.randint(1, _MOST)):
        chance = rng.random()
        kind = [idea for idea in ideas if (idea.case in SWEEPING) == (chance < 0.3)]
        if doubtful and chance > 0.75:
            made.append(Edit("drop", id=rng.choice(doubtful)))
        elif not kind or chance < 0.2:
            made.append(Edit("add", rng.choice(PLATITUDES[step])))
        else:
            idea = rng.choice(kind)
            ideas = [other for other in ideas if other.case != idea.case]
            known = next((name for meaning, name in standing.items() if meaning.case == idea.case), "")
            made.append(Edit("replace" if known else "add", worded(idea, rng), known))
    return list({edit.id or edit.text: edit for edit in made}.values())


def _cases(step: Step, problem: str) -> set[str]:
    """Return the cases that a problem is of, as a reader sees them."""
    if step == "solve":
        return {*asked(problem), ALWAYS}
    return {case for quantity in quantities(problem) for case in quantity.cases}
