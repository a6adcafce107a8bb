"""Crossover: two versions that are best on different rows, joined parameter by parameter (GEPA's system-aware merge).

It costs no call of the teacher, and its result is a candidate like any other: validation decides what it is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TypeVar

from agentsym.errors import NetworkError
from agentsym.learning.gate import mean
from agentsym.network.network import Network

N = TypeVar("N", bound=Network)


def pairs(pool: Mapping[str, Mapping[str, float]], parents: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (better, other, nearest common ancestor) of each two versions of which none comes from the other.

    Pairs with more to gain come first: by the mean of the better score on each row.
    """
    found = []
    for one, other in combinations(pool, 2):
        above_one, above_other = _ancestors(one, parents), _ancestors(other, parents)
        shared = next((version for version in above_one if version in above_other), None)
        if shared is None or shared in (one, other):
            continue
        better, worse = sorted((one, other), key=lambda version: (-mean(pool[version].values()), version))
        reach = mean(max(pool[one][row], pool[other].get(row, 0.0)) for row in pool[one])
        found.append((reach, better, worse, shared))
    return [
        (better, worse, shared) for _, better, worse, shared in sorted(found, key=lambda item: (-item[0], item[1:]))
    ]


def crossed(better: N, other: Network, ancestor: Network) -> N | None:
    """Return the better version with every parameter that only the other one has changed since their ancestor.

    Returns None where the pipelines differ, nothing would change, or the result would not be legal.
    """
    if (better.edges, [node.id for node in better.nodes]) != (other.edges, [node.id for node in other.nodes]):
        return None
    mine, theirs, old = better.parameters(), other.parameters(), ancestor.parameters()
    if not mine.keys() == theirs.keys() == old.keys():
        return None
    made = better
    try:
        for path, value in theirs.items():
            if value.learnable and mine[path] == old[path] != value:
                made = made.with_parameter(path, value)
        made.check()
    except NetworkError:
        return None
    return made if made.version != better.version else None


def _ancestors(version: str, parents: Mapping[str, str]) -> list[str]:
    """Return a version and those that it comes from, the nearest first."""
    found = [version]
    while (parent := parents.get(found[-1])) is not None and parent not in found:
        found.append(parent)
    return found
