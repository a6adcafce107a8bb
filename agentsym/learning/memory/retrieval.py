"""Finds the lessons that fit: some for a run when it begins, and of these a few for each node that is to be mended.

A lesson fits when its node had a like task, when the like was said of it, and when its edit speaks of what fails now.
What is shown is weighed by advantage and bounded, since every line is paid for with every request.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from agentsym.learning.memory.history import Bases, lessons_of, task_of
from agentsym.learning.memory.lesson import Lesson, Situation, joined
from agentsym.learning.protocols import Repair
from agentsym.models.secrets import scrub
from agentsym.network.network import Network
from agentsym.network.parameters import owner_of
from agentsym.store.store import Store

RUNS = 50  # earlier runs that are read
POOL = 48  # lessons of each sort that a run takes along
HELPED, FAILED = 4, 2  # lessons of each sort that one request shows at most
LIKE = 0.25  # cosine of two tasks below which a lesson is of another kind of node
SAME = 0.6  # cosine of two edits above which they say the same
MOST = 1.0  # standard deviations: whoever is further from its rivals does not fit any better for that
_NUMBER = re.compile(r"\d+")


def recalled(
    store: Store, agent: Network, config: Mapping[str, Any], held_out: Container[str] = ()
) -> tuple[Lesson, ...]:
    """Return what earlier runs in a store teach a run of an agent, the fittest first.

    Runs that began as this one does are left out, so that doing a run again gives the same run.

    Args:
        store: where the runs are.
        agent: the version that the run begins with.
        config: what the run is made of.
        held_out: rows that the run decides or reports by; what was learned from one of these in another run is left
            out, so that no score of this run is better for it.
    """
    bases, own = Bases(store), _made_of(config)
    runs = store.ended_runs(agent.name, having="blame", lacking="forget", most=RUNS)
    lessons = joined(x for run in runs if _made_of(run.config) != own for x in lessons_of(store, run, bases, held_out))
    lessons = [lesson for lesson in lessons if lesson.helped or lesson.warns]
    nodes = dict.fromkeys(map(owner_of, agent.parameters()))
    tasks = [task for node in nodes if (task := task_of(agent, node))]
    if not lessons or not tasks:
        return ()
    theirs = [lesson.situation.task for lesson in lessons]
    like = [max(row) for row in Likeness([*theirs, *tasks])(theirs, tasks)]
    fit = [at for at, value in enumerate(like) if value >= LIKE]
    ranked = [lessons[at] for at in sorted(fit, key=lambda at: (-like[at] * _weight(lessons[at]), at))]
    return tuple(_scrubbed(x) for sort in (True, False) for x in [x for x in ranked if x.helped == sort][:POOL])


class Memory:
    """The lessons of a run, and what of them is shown to whom.

    Args:
        lessons: as `recalled` has chosen them when the run began.
    """

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self._lessons = lessons

    def remind(self, repair: Repair) -> Repair:
        """Return what is asked for with the lessons that fit it, without those that the node has had already."""
        components = [repair.network.parameter(path) for path in repair.paths]
        kinds = {component.kind for component in components}
        had = "\n".join([*(str(component.content) for component in components), *repair.tried])
        lessons = [x for x in self._lessons if x.situation.kind in kinds and _said_by(x) not in had]
        if not lessons:
            return repair
        ranked = _fitting(lessons, repair)
        helped, failed = [x for x in ranked if x.helped][:HELPED], [x for x in ranked if x.warns][:FAILED]
        return repair.model_copy(update={"helped": tuple(map(line, helped)), "failed": tuple(map(line, failed))})


def line(lesson: Lesson) -> str:
    """Say what an edit did and what became of it, with what was measured; nothing of the rows that it was for."""
    outcome = {
        "kept": f"credit {lesson.credit:+.2g}",
        "vain": "the failure stayed",
        "harmful": "it broke what was right",
        "taken back": "taken back, since it broke what was right on other inputs",
    }[lesson.fate]
    times = f" in {lesson.times} tries" if lesson.times > 1 else ""
    return f"{lesson.edit} ({outcome}{times}, advantage {lesson.advantage:+.1f})"


class Likeness:
    """Compares texts by the words that they share, and rare ones count above all; numbers are all alike.

    Args:
        texts: by these it is known which words are rare.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        from agentsym.models.lexical import Grams, Space

        self._space = Space(list(dict.fromkeys(map(_masked, texts))), Grams())

    def __call__(self, texts: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """Return texts × others, the cosine of each pair."""
        one, two = (self._space.vectors([_masked(text) for text in side]) for side in (texts, others))
        return [[round(float(value), 3) for value in row] for row in (one @ two.T).toarray()]


def _fitting(lessons: Sequence[Lesson], repair: Repair) -> list[Lesson]:
    """Return the lessons that fit a node and its failures, the fittest first, and none that says what another says."""
    asked, said, given = task_of(repair.network, repair.node), "\n".join(repair.critiques), _given(repair)
    tasks, faults = ([getattr(x.situation, name) for x in lessons] for name in ("task", "fault"))
    edits = [_said_by(lesson) for lesson in lessons]
    like = Likeness([*tasks, *faults, *edits, asked, said, given])
    compared = ((tasks, asked), (faults, said), (edits, f"{said}\n{given}"), (edits, given))
    task, fault, *speaks = ([row[0] for row in like(texts, [own])] for texts, own in compared)
    apt = [max(each) for each in zip(*map(_of_most, speaks), strict=True)]
    fits = [task[at] * (fault[at] + 2 * apt[at]) * _weight(lesson) for at, lesson in enumerate(lessons)]
    alike = like(edits, edits)
    chosen: list[int] = []
    for at in sorted(range(len(lessons)), key=lambda at: (-fits[at], at)):
        same = (alike[at][other] >= SAME and lessons[at].helped == lessons[other].helped for other in chosen)
        if task[at] >= LIKE and not any(same):
            chosen.append(at)
    return [lessons[at] for at in chosen]


def _given(repair: Repair) -> str:
    """Return what the node was given in the failing runs."""
    visits = (step for item in repair.evidence for step in item.trajectory.steps if step.node == repair.node)
    return "\n".join(str(value) for step in visits for value in step.inputs.values())


def _weight(lesson: Lesson) -> float:
    ahead = lesson.advantage if lesson.helped else -lesson.advantage
    return 1.0 + min(max(ahead, 0.0), MOST)


def _of_most(values: Sequence[float]) -> list[float]:
    """Return values as shares of the largest: edits are short, so they have little in common with what fails."""
    most = max(values) or 1.0
    return [value / most for value in values]


def _said_by(lesson: Lesson) -> str:
    """Return the text of an edit without the name of its operation."""
    return lesson.edit.partition(": ")[2]


def _scrubbed(lesson: Lesson) -> Lesson:
    """Return a lesson in which nothing looks like a key."""
    situation = {name: scrub(text) for name, text in lesson.situation.model_dump().items()}
    return lesson.model_copy(update={"edit": scrub(lesson.edit), "situation": Situation(**situation)})


def _made_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "origin"}


def _masked(text: str) -> str:
    return _NUMBER.sub("#", text)
