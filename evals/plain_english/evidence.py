"""What the teacher's double reads in a request: runs, what was wanted of them, and the rules that stand.

It has the text and nothing else, so what a request leaves out it cannot know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from evals.openai_server.quotes import blocks, fields

_RUN = re.compile(r"(?:run|step|failure|gradient \d+)")
_LINE = re.compile(r"^\s*(?:input|output) (problem|numbers|answer): (.*)$", re.MULTILINE)
_WANTED = re.compile(r"expected answer: (-?\d+)|answer: wanted (-?\d+)|(-?\d+) was wanted")
_ITEM = re.compile(r"^\[([^\]\n]+)\] (.*)$", re.MULTILINE)
_BLOCK = re.compile(r'^<data name="([^"\n]*)">\n(.*?)\n</data>$', re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    """A run, or a visit of a step, as far as a request shows it.

    Attributes:
        problem: the problem's text.
        numbers: what the first step wrote; None where that is not shown.
        answer: what the second step wrote; None where that is not shown.
        wanted: the right answer; None where that is not shown.
    """

    problem: str
    numbers: str | None
    answer: str | None
    wanted: int | None


def runs(text: str) -> list[Shown]:
    """Return the runs that a request shows; of several the wanted answers are looked for where each of them stands."""
    expected = fields(blocks(text).get("expected output", "")).get("answer")
    found = []
    places = [match for match in _BLOCK.finditer(text) if _RUN.fullmatch(match[1])]
    for at, place in enumerate(places):
        values = {name: _plain(value) for name, value in _LINE.findall(place[2])}
        if "problem" not in values:
            continue
        own = (
            text if len(places) == 1 else text[place.start() : places[at + 1].start() if at + 1 < len(places) else None]
        )
        wanted = expected or next((group for match in _WANTED.findall(own) for group in match if group), None)
        found.append(
            Shown(
                values["problem"], values.get("numbers"), values.get("answer"), None if wanted is None else int(wanted)
            )
        )
    return found


def component(text: str, path: str) -> str:
    """Return what a request shows of a component; "" where it is empty or not shown."""
    shown = blocks(text).get(path, "")
    return "" if shown == "(empty)" else shown


def items(shown: str) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of the rules in a component."""
    yield from _ITEM.findall(shown)


def tried(text: str) -> str:
    """Return what a request says was tried in vain; "" where it says nothing of the kind."""
    return blocks(text).get("tried", "")


def elsewhere(text: str, outcome: str) -> str:
    """Return what a request says of edits in earlier runs that `helped` or `failed`; "" where it says nothing."""
    return blocks(text).get(f"{outcome} elsewhere", "")


def _plain(value: str) -> str:
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value
