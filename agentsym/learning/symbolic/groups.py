"""Failure groups: failing rows of which the same is said are one failure, and one of them stands for all.

Rows of one group cost one call for the blame and one run at the gate, which is where most of the saving comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agentsym.learning.loss import PERFECT
from agentsym.learning.protocols import Evidence
from agentsym.network.canonical import Frozen, content_hash

_NUMBER = re.compile(r"(?<!\w)[-+]?\d+(?:[.,:/]\d+)*(?!\w)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”")


class Group(Frozen):
    """Failing rows with the same feedback.

    Attributes:
        family: what groups share that differ in numbers and quotations only; groups of one family are likely one fault.
        feedback: what is said of each of its rows.
        rows: ids of the rows.
        tried: how often an edit was asked for.
    """

    family: str
    feedback: str
    rows: tuple[str, ...]
    tried: int = 0

    @property
    def key(self) -> str:
        """What tells a group from all others, short enough to be kept for each."""
        return content_hash([self.family, self.feedback])[:16]

    @property
    def representative(self) -> str:
        """The row that stands for the group: another one at each try."""
        return self.rows[self.tried % len(self.rows)]


def is_failing(item: Evidence) -> bool:
    """Whether there is something to learn from a run."""
    return item.loss.score < PERFECT


def grouped(evidence: Iterable[Evidence], known: Sequence[Group] = ()) -> tuple[Group, ...]:
    """Group the failing runs by the node where they go wrong first and by what is said of them.

    Args:
        evidence: runs; those that pass are left out.
        known: groups of before, whose count of tries goes on.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for item in evidence:
        if is_failing(item):
            said = " ".join((item.trajectory.error or item.loss.requirement or item.loss.text).lower().split())
            node = deviating(item)
            masked = _NUMBER.sub("#", _QUOTED.sub("…", said))
            found.setdefault((f"{node}: {masked}", said), []).append(item.row.id)
    tried = {(group.family, group.feedback): group.tried for group in known}
    return tuple(
        Group(family=family, feedback=said, rows=tuple(dict.fromkeys(rows)), tried=tried.get((family, said), 0))
        for (family, said), rows in found.items()
    )


def deviating(item: Evidence) -> str:
    """Return the first node whose output is not what the row is labeled with; else the last node that ran."""
    expected = item.loss.expected or {}
    for step in item.trajectory.steps:
        if step.error or any(name in expected and value != expected[name] for name, value in step.output.items()):
            return step.node
    return item.trajectory.steps[-1].node if item.trajectory.steps else ""


def chosen(groups: Iterable[Group], most: int) -> tuple[Group, ...]:
    """Return at most so many groups: one of each family before a second of any, the least tried and largest first."""
    families: dict[str, list[Group]] = {}
    for group in sorted(groups, key=lambda group: (group.tried, -len(group.rows))):
        families.setdefault(group.family, []).append(group)
    ranked = [(rank, group) for own in families.values() for rank, group in enumerate(own)]
    return tuple(group for _, group in sorted(ranked, key=lambda pair: (pair[0], pair[1].tried))[:most])
