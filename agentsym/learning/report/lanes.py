"""The versions of a run as a tree whose branches stand side by side in lanes, as version control shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentsym.learning.course import VersionRecord

MOST = 60  # versions that are shown


class Place(NamedTuple):
    """Where a version stands.

    Attributes:
        record: the version.
        row: its row, from 0, in the order in which versions came to be.
        lane: its lane, from 0.
        parent: the row of its nearest ancestor that is shown; None for the first.
        skipped: ancestors between the two that are left out.
    """

    record: VersionRecord
    row: int
    lane: int
    parent: int | None = None
    skipped: int = 0


def placed(versions: Sequence[VersionRecord], important: Iterable[str]) -> list[Place]:
    """Give each version a row and a lane; of very many those are kept that matter, the first and the last ones.

    Args:
        versions: all of them, in their order.
        important: hashes of versions that are shown whatever happens, with their ancestors as far as there is room.
    """
    parents = {item.hash: item.parent for item in versions}
    shown = [item for item in versions if item.hash in _kept(versions, parents, important)]
    rows = {item.hash: row for row, item in enumerate(shown)}
    above = [_above(item.hash, parents, rows) for item in shown]
    lanes = _lanes([row for row, _ in above])
    return [
        Place(item, row, lane, parent, skipped)
        for row, (item, lane, (parent, skipped)) in enumerate(zip(shown, lanes, above, strict=True))
    ]


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


def _above(version: str, parents: dict[str, str | None], rows: dict[str, int]) -> tuple[int | None, int]:
    """Return the row of the nearest ancestor that is shown, and how many are skipped on the way."""
    parent, skipped = parents.get(version), 0
    while parent is not None and parent not in rows:
        parent, skipped = parents.get(parent), skipped + 1
    return (None if parent is None else rows[parent]), skipped


def _lanes(parents: Sequence[int | None]) -> list[int]:
    """Return the lane of each row: a first child goes on in its parent's, others branch off into a free one."""
    lanes: list[int] = []
    going_on: set[int] = set()
    starts = [_goes_on(parent, going_on) for parent in parents]
    ends = list(range(len(parents)))
    for row in reversed(range(len(parents))):
        parent = parents[row]
        if not starts[row] and parent is not None:
            ends[parent] = max(ends[parent], ends[row])
    taken: list[int] = []  # lane → the last row in which it is taken
    for row, parent in enumerate(parents):
        if parent is not None and not starts[row]:
            lanes.append(lanes[parent])
            continue
        begins = row if parent is None else parent + 1
        free = (lane for lane, last in enumerate(taken) if last < begins)
        lane = next(free, len(taken))
        taken[lane : lane + 1] = [ends[row]]
        lanes.append(lane)
    return lanes


def _goes_on(parent: int | None, going_on: set[int]) -> bool:
    """Whether a row starts a lane; its parent's lane is taken by the first child."""
    if parent is None or parent in going_on:
        return True
    going_on.add(parent)
    return False
