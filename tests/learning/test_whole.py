"""A teacher that reads all rows at once learns the same from rows that are remembered, and a killed run ends alike."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent, Choice, PromptNode
from agentsym.errors import UsageError
from agentsym.learning import whole
from agentsym.learning.protocols import Decision, Scores, Task
from agentsym.learning.recall import Recall
from agentsym.learning.run import Run
from agentsym.learning.teacher.contrastive import ContrastiveTeacher
from agentsym.learning.trainer import Trainer
from agentsym.network.edits import Edit
from agentsym.store.store import Store
from tests.learning.dying import DyingStore, Killed

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
    settings: dict[str, Any] = {"val": VAL, "student": "embedded", "teacher": "embedded", "steps": 4, "store": store}
    return Trainer(start(), TRAIN, **{**settings, **changes}).fit(resume)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture(autouse=True)
def small_batches_are_worth_it(monkeypatch):
    monkeypatch.setattr(whole, "Recall", partial(Recall, fewest=0))


def ran(store: Store, run: Run[Agent]) -> list[int]:
    """Return how many rows each step has run."""
    return [len(event.data["losses"]) for event in store.events(run.id, kind="forward")]


def test_the_same_version_is_learned_from_fewer_runs(store):
    thrifty, paper = train(store, steps=6), train(store, optimizer="paper", steps=6)
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


class Rejecting:
    """A gate that turns everything down."""

    looks_at = frozenset({"val"})

    def decide(self, before: Scores, after: Scores) -> Decision:
        return Decision(accept=False, reason="on purpose")


def test_a_version_that_stays_is_not_run_on_the_same_rows_again(store):
    run = train(store, gate=Rejecting(), steps=4)
    assert ran(store, run) == [len(TRAIN), 0, 0, 0]


def test_rows_that_a_step_leaves_out_are_run_when_they_come(store):
    run = train(store, batch=len(TRAIN) - 6, gate=Rejecting(), steps=2)
    assert ran(store, run) == [len(TRAIN) - 6, 6]


@pytest.mark.parametrize("changes", [{"val": ()}, {"gate": "validated"}, {"gate": "always"}])
def test_every_row_is_run_where_the_score_of_the_batch_counts(store, changes):
    assert set(ran(store, train(store, **changes))) == {len(TRAIN)}


@pytest.mark.parametrize("life", [10, 11, 12, 17])  # from the second step on: before its forward, after it, and so on
def test_a_killed_run_remembers_what_it_has_run_and_ends_in_the_same_versions(tmp_path, store, life):
    unbroken = train(store, steps=3)
    with DyingStore.open(tmp_path / "dying.db") as dying:
        dying.life = life
        with pytest.raises(Killed):
            train(dying, steps=3)
        dying.life = 1000
        [killed] = dying.runs()
        resumed = train(dying, resume=killed.id, steps=3)
        assert ran(dying, resumed) == ran(store, unbroken)
        assert resumed.head.version == unbroken.head.version and resumed.val == unbroken.val
        assert [step.proposal for step in resumed.steps] == [step.proposal for step in unbroken.steps]


def test_a_run_that_remembers_does_not_go_on_as_one_that_does_not(store):
    run = train(store, steps=1)
    with pytest.raises(UsageError, match="the algorithm"):
        train(store, resume=run.id, steps=1, optimizer="paper")
