"""`Lesson`: an edit of an earlier run, the situation that it was for, and how much better than its rivals it did.

An edit is judged against those that answered the same failure, as in arXiv 2604.20714 (Group Relative Agent
Optimization): where any edit would have helped, one that did is no news, and where all others failed, it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from agentsym.network.canonical import Frozen

LOSS = -1.0
"""What an edit that broke something counts for, whatever it mended: the row that it cost, at the least."""


class Situation(Frozen):
    """When an edit was asked for, in words that can be compared.

    Attributes:
        task: what the node is for, reads and writes, and what its prompt asks of it.
        kind: of the parameter that was edited.
        fault: what was said of the node in a run of a train row that failed.
    """

    task: str
    kind: str
    fault: str


class Lesson(Frozen):
    """What a run teaches of one edit.

    Attributes:
        run: the run.
        agent: the agent's name.
        situation: what the edit was for.
        edit: what it did.
        fate: `kept`; `vain` where the failure stayed; `harmful` where it broke rows of train that were right; `taken
            back` where it broke rows of validation (of which nothing but that is known here).
        credit: what it added to the scores of the failures that it answers, on average.
        advantage: its credit beside that of its rivals, in standard deviations.
        times: how often it was tried, where several tries of the same edit are joined.
    """

    run: str
    agent: str
    situation: Situation
    edit: str
    fate: Literal["kept", "vain", "harmful", "taken back"]
    credit: float
    advantage: float
    times: int = 1

    @property
    def helped(self) -> bool:
        """Whether it mended something and was kept, more often than not."""
        return self.fate == "kept" and self.credit > 0

    @property
    def warns(self) -> bool:
        """Whether it did harm, or again and again nothing where others helped.

        Once proves nothing: what is tried together with it may have hidden that it helps.
        """
        if self.fate == "vain":
            return self.times > 1 and self.advantage < 0
        return self.fate in ("harmful", "taken back")


class Group(NamedTuple):
    """The credits of edits that answered the same: their mean, and their standard deviation."""

    mean: float
    spread: float

    @classmethod
    def of(cls, credits: Sequence[float]) -> Group:
        """Sum up a group; there is no empty one."""
        mean = fmean(credits)
        return cls(mean, fmean((credit - mean) ** 2 for credit in credits) ** 0.5)

    def advantage(self, own: float) -> float:
        """Return how far a credit lies above the mean, in standard deviations; 0 where all are alike."""
        return (own - self.mean) / self.spread if self.spread > 1e-9 else 0.0


def joined(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Join the tries of the same edit of like parameters: what came of most of them, mean credit and advantage.

    The first of them says in which situation it was; of fates that are equally frequent the first counts.
    """
    same: dict[tuple[str, str], list[Lesson]] = {}
    for lesson in lessons:
        same.setdefault((lesson.situation.kind, lesson.edit.casefold()), []).append(lesson)
    return [_joined(tries) if len(tries) > 1 else tries[0] for tries in same.values()]


def _joined(tries: Sequence[Lesson]) -> Lesson:
    fate = Counter(lesson.fate for lesson in tries).most_common(1)[0][0]
    means = {name: round(fmean(getattr(lesson, name) for lesson in tries), 3) for name in ("credit", "advantage")}
    first = next(lesson for lesson in tries if lesson.fate == fate)
    return first.model_copy(update={"times": len(tries), **means})
