"""A teacher that reads all rows at once learns the same from rows that are remembered, and a killed run ends alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent, Choice, PromptNode
from agentsym.errors import UsageError
from agentsym.learning.protocols import Task
from agentsym.learning.run import Run
from agentsym.learning.teacher.contrastive import ContrastiveTeacher
from agentsym.learning.trainer import Trainer
from agentsym.network.edits import Edit, SetParameter
from agentsym.store.store import Store

TEAMS = {
    "plumbing": ("tap", "drain", "toilet", "pipe"),
    "heating": ("radiator", "boiler", "thermostat", "stove"),
    "doors": ("lock", "hinge", "key", "handle"),
}
SAYINGS = ("the {} is broken", "please look at our {}", "{} again, third time", "who mends a {}")
ROWS = [
    {"message": saying.format(thing), "team": team}
    for team, things in TEAMS.items()
    for thing in things
    for saying in SAYINGS
]
TRAIN = [row for at, row in enumerate(ROWS) if at % 4 != 3]
VAL = [row for at, row in enumerate(ROWS) if at % 4 == 3]


def start() -> Agent:
    node = PromptNode("sort", "Decide who takes care of it.", inputs=["message"], output={"team": Choice(list(TEAMS))})
    return Agent("maintenance", [node]).freeze("sort/instructions")


def train(store: Store, resume: str | None = None, **changes: Any) -> Run[Agent]:
    settings: dict[str, Any] = {"val": VAL, "student": "embedded", "teacher": "embedded", "steps": 6, "store": store}
    return Trainer(start(), TRAIN, **{**settings, **changes}).fit(resume)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def ran(store: Store, run: Run[Agent]) -> list[int]:
    """Return how many rows each step has run."""
    return [len(event.data["losses"]) for event in store.events(run.id, kind="forward")]


def test_the_same_version_is_learned_from_fewer_runs(store):
    thrifty, paper = train(store), train(store, optimizer="paper")
    assert thrifty.best.version == paper.best.version != thrifty.first.version
    assert set(ran(store, paper)) == {len(TRAIN)}
    assert ran(store, thrifty)[0] == len(TRAIN) and sum(ran(store, thrifty)) < sum(ran(store, paper))
    assert thrifty.val == paper.val


class Watching(ContrastiveTeacher):
    """The embedded teacher; it remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Task] = []

    async def propose(self, task: Task) -> Sequence[Edit]:
        self.shown.append(task)
        return await super().propose(task)


def test_the_teacher_is_shown_all_rows_whether_they_ran_or_not(store):
    teacher = Watching()
    run = train(store, teacher=teacher)
    assert min(ran(store, run)) < len(TRAIN)
    assert {len(task.evidence) for task in teacher.shown} == {len(TRAIN)}
    assert all(item.gradients for task in teacher.shown for item in task.evidence)


def test_nothing_is_left_to_propose_only_when_every_row_was_run_with_the_last_version(store):
    run = train(store, steps=20, patience=None)
    assert run.reason == "there is nothing left to propose"
    last = {}
    for recorded in store.trajectories(run.id, phase="forward"):
        last[recorded.trajectory.example_id] = recorded.trajectory.version
    assert len(last) == len(TRAIN) and set(last.values()) == {run.head.version}


class Spoiler(Watching):
    """Learns one step, then destroys, in words of its own at each step, so that every proposal is another version."""

    async def propose(self, task: Task) -> Sequence[Edit]:
        if task.parameter.endswith("rules") and self.shown:
            self.shown.append(task)
            return [SetParameter(path=task.parameter, value=[f"Choose `doors` for {len(self.shown)} things."])]
        return await super().propose(task)


def test_a_version_that_stays_is_not_run_again_on_the_same_rows(store):
    run = train(store, gate=Rejecting(), patience=None)
    assert not run.accepted and ran(store, run)[1:] == [0] * 5


class Rejecting:
    """A gate that turns everything down."""

    looks_at = frozenset({"val"})

    def decide(self, before, after):
        from agentsym.learning.protocols import Decision

        return Decision(accept=False, reason="no")


@pytest.mark.parametrize("changes", [{"val": ()}, {"gate": "validated"}, {"gate": "paper"}])
def test_a_gate_that_looks_at_the_batch_gets_every_row_run(store, changes):
    assert set(ran(store, train(store, **changes))) == {len(TRAIN)}
