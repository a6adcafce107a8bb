"""The editor's double: it writes rules for what the failing runs have in them, without knowing which ones help.

A request that shows no failing run gets platitudes, since there is nothing in it to write a rule about. Where a request
tells what helped elsewhere and what did not, the double mostly goes by that, as far as it fits what fails now.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Literal, NamedTuple

from evals.plain_english.candidates import IDEAS, PLATITUDES
from evals.plain_english.english import meanings
from evals.plain_english.evidence import elsewhere, items, runs, tried
from evals.plain_english.meanings import ALWAYS, SWEEPING, Meaning, Step
from evals.plain_english.phrases import worded
from evals.plain_english.problems import asked, quantities

_MOST = 2  # edits in one reply
_HEEDS = 0.7  # how often it goes by what is said of earlier runs


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
    known, shunned = (_told(elsewhere(request, outcome), step, cases) for outcome in ("helped", "failed"))
    known = [idea for idea in known if idea not in vain and idea not in shunned]
    if shunned and rng.random() < _HEEDS:
        ideas = [idea for idea in ideas if idea not in shunned]
    doubtful = [name for meaning, name in standing.items() if meaning.case in cases]
    made: list[Edit] = []
    for _ in range(rng.randint(1, _MOST)):
        if known and rng.random() < _HEEDS:
            made.append(_rule(known.pop(0), standing, rng))
            continue
        chance = rng.random()
        kind = [idea for idea in ideas if (idea.case in SWEEPING) == (chance < 0.3)]
        if doubtful and chance > 0.75:
            made.append(Edit("drop", id=rng.choice(doubtful)))
        elif not kind or chance < 0.2:
            made.append(Edit("add", rng.choice(PLATITUDES[step])))
        else:
            idea = rng.choice(kind)
            ideas = [other for other in ideas if other.case != idea.case]
            made.append(_rule(idea, standing, rng))
    return list({edit.id or edit.text: edit for edit in made}.values())


def _rule(idea: Meaning, standing: Mapping[Meaning, str], rng: random.Random) -> Edit:
    """Return the edit that puts an idea in words, in the place of a rule for the same case where there is one."""
    known = next((name for meaning, name in standing.items() if meaning.case == idea.case), "")
    return Edit("replace" if known else "add", worded(idea, rng), known)


def _told(text: str, step: Step, cases: Collection[str]) -> list[Meaning]:
    """Return what the sentences of a list say of the cases at hand, as a reader understands them."""
    return list(dict.fromkeys(said for said in meanings(text, step) if said.holds and said.case in cases))


def _cases(step: Step, problem: str) -> set[str]:
    """Return the cases that a problem is of, as a reader sees them."""
    if step == "solve":
        return {*asked(problem), ALWAYS}
    return {case for quantity in quantities(problem) for case in quantity.cases}
