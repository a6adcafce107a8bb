"""The versions of a run as a tree: the way to the best version goes straight down, what led nowhere stands aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agentsym.learning.course import VersionRecord

MOST = 60  # versions that are shown


class Place(NamedTuple):
    """Where a version stands.

    Attributes:
        record: the version.
        row: its row, from 0. Children that stand aside come before the one that goes on below its parent.
        lane: how often one has to turn aside on the way to it.
        parent: the row of its nearest ancestor that is shown; None for the first.
        skipped: ancestors between the two that are left out.
    """

    record: VersionRecord
    row: int
    lane: int
    parent: int | None = None
    skipped: int = 0


def placed(versions: Sequence[VersionRecord], best: str, important: Iterable[str] = ()) -> list[Place]:
    """Give each version a row and a lane; of very many those are kept that matter, the first and the last ones.

    Args:
        versions: all of them, in their order.
        best: hash of the version that the straight way leads to.
        important: hashes of others that are shown whatever happens, with their ancestors as far as there is room.
    """
    parents = {item.hash: item.parent for item in versions}
    kept = _kept(versions, parents, [best, *important])
    above = {item.hash: _above(item.hash, parents, kept) for item in versions if item.hash in kept}
    children: dict[str | None, list[str]] = {}
    for name, (parent, _) in above.items():
        children.setdefault(parent, []).append(name)
    records, rows = {item.hash: item for item in versions}, dict[str, int]()
    places = []
    for row, (name, lane) in enumerate(_walk(children, None, 0, _weights(versions, above, best))):
        parent, skipped = above[name]
        rows[name] = row
        places.append(Place(records[name], row, lane, None if parent is None else rows[parent], skipped))
    return places


def _weights(
    versions: Sequence[VersionRecord], above: Mapping[str, tuple[str | None, int]], best: str
) -> dict[str, int]:
    """Return for each version how many come from it; whoever leads to the best one counts for more than all."""
    weights = dict.fromkeys(above, 1)
    weights[best] = 2 * len(versions)
    for item in reversed(versions):
        parent = above[item.hash][0] if item.hash in above else None
        if parent is not None:
            weights[parent] += weights[item.hash]
    return weights


def _walk(
    children: Mapping[str | None, list[str]], parent: str | None, lane: int, weights: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    """Yield all versions below one, with their lanes: the lighter branches first, then the one that goes on."""
    own = children.get(parent, ())
    main = max(own, key=lambda name: weights[name], default=None)
    for name in (*(name for name in own if name != main), *([main] if main else [])):
        below = lane if name == main else lane + 1
        yield name, below
        yield from _walk(children, name, below, weights)


def _kept(versions: Sequence[VersionRecord], parents: dict[str, str | None], important: Iterable[str]) -> set[str]:
    if len(versions) <= MOST:
        return set(parents)
    kept = {versions[0].hash, *important}
    for name in list(kept):
        while (parent := parents.get(name)) and len(kept) < MOST * 3 // 4:
            kept.add(parent)
            name = parent
    for item in reversed(versions):
        if len(kept) >= MOST:
            break
        kept.add(item.hash)
    return kept


def _above(version: str, parents: Mapping[str, str | None], kept: set[str]) -> tuple[str | None, int]:
    """Return the nearest ancestor that is shown, and how many are skipped on the way."""
    parent, skipped = parents.get(version), 0
    while parent is not None and parent not in kept:
        parent, skipped = parents.get(parent), skipped + 1
    return parent, skipped
