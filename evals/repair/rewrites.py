"""Candidate rewrites of a tool, composed of patches of its functions.

A quarter of them help; the rest change nothing, break what works, or are no working code at all, as what a language
model writes now and then is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_BETWEEN = "\n\n\n"
_NAME = re.compile(r"def (\w+)\(")


@dataclass(frozen=True)
class Patches:
    """What a teacher might do about one symptom; each patch is a function in full.

    Attributes:
        right: two ways to remove the cause.
        wrong: two that do not, or that break other inputs.
        odd: one that is not even a working tool: it does not compile, does not end, or takes other arguments.
    """

    right: tuple[str, str]
    wrong: tuple[str, str]
    odd: str


class Rewrite(NamedTuple):
    """One candidate: the symptom that it is meant for, and the functions that it puts in place."""

    symptom: str
    functions: tuple[str, ...]

    def of(self, source: str) -> str:
        """Return a module with the functions put in place of those of the same names."""
        parts = source.strip().split(_BETWEEN)
        for function in self.functions:
            name = _name(function)
            parts = [function.strip() if _name(part) == name else part for part in parts]
        return _BETWEEN.join(parts) + "\n"


def rewrites(patches: Mapping[str, Patches], slips: tuple[str, str], idle: str) -> tuple[Rewrite, ...]:
    """Compose the candidates: eight for each symptom, of which two help.

    Args:
        patches: symptom → what might be done about it.
        slips: patches of another function that break what works; no candidate undoes them.
        idle: a patch of yet another function that changes nothing.
    """
    return tuple(
        Rewrite(symptom, functions)
        for symptom, own in patches.items()
        for functions in (
            (own.right[0],),
            (own.right[1], idle),
            (own.right[0], slips[0]),
            (own.right[1], slips[1]),
            (own.wrong[0],),
            (own.wrong[1], idle),
            (idle,),
            (own.odd,),
        )
    )


def drawn(choices: Sequence[T], request: str) -> T:
    """Choose one by the hash of a request."""
    return choices[int(sha256(request.encode()).hexdigest(), 16) % len(choices)]


def _name(function: str) -> str:
    found = _NAME.match(function.strip())
    return found[1] if found else ""
