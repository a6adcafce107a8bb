"""The loop of learning: what is undone is undone, what is counted is exact, and a killed run ends where it would have.

The world is that of `evals.simulated_world`: a chain of three nodes whose prompts must come to hold hidden rules.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import DataError, OutputError, UsageError
from agentsym.learning.protocols import Row, Task
from agentsym.learning.run import Run
from agentsym.learning.trainer import Trainer
from agentsym.models.protocol import Reply, Request
from agentsym.models.relay import RelayModel
from agentsym.network.edits import AddItem, Edit, SetParameter
from agentsym.network.records import Usage
from agentsym.store.store import Store
from evals.simulated_world import NODES, RULES, StudentDouble, TeacherDouble, chain, rows, share
from tests.learning.dying import DyingStore, Killed

ROWS = rows(0, "train", 12)


class RemoteStudent(StudentDouble):
    """The student double, counted and cached like a paid model."""

    remote = True

    async def complete(self, request: Request) -> Reply:
        return (await super().complete(request)).model_copy(update={"usage": Usage(calls=1)})


class Teacher(TeacherDouble):
    """Answers from what it is asked alone, so that a run can be stopped and gone on with; spoils every third try."""

    def __init__(self, *, counted_by: Any = None) -> None:
        super().__init__(seed=0, malformed=0.0, harmful=0.0)
        self.proposals = 0

    async def propose(self, task: Task) -> Sequence[Edit]:
        self.proposals += 1
        draw = hashlib.sha256(f"{task.network.version}{task.parameter}{task.errors}".encode()).digest()[0] % 6
        if draw == 0:
            raise OutputError("malformed on purpose")
        if draw == 1:
            return [SetParameter(path=task.parameter, value=[], why="harmful on purpose")]
        return await super().propose(task)


def metric(row: Mapping[str, Any], output: Mapping[str, Any]) -> float:
    return share(row["answer"], output["answer"])


def trainer(store: Store, **changes: Any) -> Trainer:
    settings: dict[str, Any] = {
        "val": (),
        "metric": metric,
        "student": RemoteStudent(),
        "teacher": Teacher(),
        "optimizer": "paper",
        "gate": "paper",
        "steps": 4,
        "batch": 3,
        "lr": 1.0,
        "patience": None,
        "cache": False,
        "store": store,
    }
    return Trainer(chain(), ROWS, **{**settings, **changes})


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def versions(store: Store, run_id: str) -> list[str]:
    return [event.data["hash"] for event in store.events(run_id) if event.kind == "version"]


def test_learning_raises_the_score_and_the_run_tells_how(store):
    run = trainer(store, steps=12).fit()
    assert run.status == "done" and len(run.steps) == 12
    assert run.accepted and run.head.version != run.first.version
    learned = [rule.text for node in NODES for rule in run.head.parameter(f"{node}/rules").value]
    assert len(learned) >= 4 and all(any(rule in RULES[node] for node in NODES) for rule in learned)


class Spoiler(Teacher):
    """Learns one step, then only destroys."""

    async def propose(self, task: Task) -> Sequence[Edit]:
        if not task.network.parameter(task.parameter).value:
            return [AddItem(path=task.parameter, item=RULES[task.node][0])]
        return [SetParameter(path=task.parameter, value=[], why="harmful on purpose")]


def test_a_bad_edit_is_undone_and_the_old_score_comes_back(store):
    run = trainer(store, teacher=Spoiler(), batch=12, steps=3).fit()
    first, second, third = run.steps
    assert first.decision.accept and not second.decision.accept
    assert second.decision.before > second.decision.after
    assert third.score == first.decision.after  # the head was run again on the same rows after the roll-back
    assert len(versions(store, run.id)) == 2 and versions(store, run.id)[-1] == run.head.version


def test_without_a_gate_the_same_edit_stays(store):
    run = trainer(store, teacher=Spoiler(), batch=12, steps=2, gate="always").fit()
    assert run.head.parameter("first/rules").value == ()


def test_a_rejected_step_lowers_the_learning_rate_to_its_floor_and_an_accepted_one_leaves_it(store):
    run_id = trainer(store, teacher=Spoiler(), batch=12, steps=5, lr_decay=0.5, lr_floor=0.3).fit().id
    rates = [e.data["state"]["lr"] for e in store.events(run_id) if e.kind == "checkpoint"]
    assert rates == [1.0, 1.0, 0.5, 0.3, 0.3, 0.3]


def test_a_run_killed_after_any_phase_ends_in_the_same_versions(tmp_path):
    with Store.open(tmp_path / "whole.db") as whole:
        expected = trainer(whole).fit()
        chain_of_versions = versions(whole, expected.id)
        writes = len([e for e in whole.events(expected.id) if e.kind not in ("trajectory", "stop")])
    assert len(chain_of_versions) > 2
    for life in range(1, writes):
        path = tmp_path / f"{life}.db"
        with DyingStore.open(path) as dying:
            dying.life = life
            with pytest.raises(Killed):
                trainer(dying).fit()
        with Store.open(path) as store:
            run = trainer(store).fit(resume=store.runs()[0].id)
            assert versions(store, run.id) == chain_of_versions
            assert run.head.version == expected.head.version
            assert [step.decision for step in run.steps] == [step.decision for step in expected.steps]


def test_a_finished_phase_is_not_paid_for_again(tmp_path):
    """Killed after the proposal of the second step: the resumed run asks for no forward, gradient or edit of it."""
    with Store.open(tmp_path / "whole.db") as whole:
        expected = trainer(whole, steps=2).fit()
        kinds = [e.kind for e in whole.events(expected.id) if e.kind != "trajectory"]
        life = [place for place, kind in enumerate(kinds) if kind == "proposal"][1] + 1
    with DyingStore.open(tmp_path / "a.db") as dying:
        dying.life = life
        with pytest.raises(Killed):
            trainer(dying, steps=2).fit()
    with Store.open(tmp_path / "a.db") as store:
        teacher = Teacher()
        resumed = trainer(store, steps=2, teacher=teacher)
        run = resumed.fit(resume=store.runs()[0].id)
        assert teacher.proposals == 0
        assert "forward" not in resumed.parts.door.ledger.by_phase() or run.steps[1].decision is not None
        assert run.head.version == expected.head.version


def test_a_run_does_not_go_on_with_other_data_or_settings(store):
    run = trainer(store, steps=1).fit()
    with pytest.raises(UsageError, match="settings changed"):
        trainer(store, steps=2).fit(resume=run.id)
    changed = {"teacher": Teacher(), "optimizer": "paper", "store": store, "cache": False}
    other = Trainer(chain(), rows(1, "train", 12), val=(), metric=metric, **changed)
    with pytest.raises(UsageError, match="data"):
        other.fit(resume=run.id)
    with pytest.raises(UsageError, match="no run 'nobody'"):
        trainer(store).fit(resume="nobody")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # n = 3 nodes, B = 3 rows; every step has a candidate, so the gate costs n·B
        ({"steps": 1}, {"forward": 9, "gate": 9}),
        ({"steps": 2, "batch": 4}, {"forward": 24, "gate": 24}),
        # a validated gate: the base once, then the candidate on batch and validation
        ({"steps": 1, "gate": "validated", "val": rows(5, "val", 10)}, {"forward": 9, "gate": 30 + 9 + 30}),
        # the base is scored anew
        ({"steps": 1, "rescore_base": True}, {"forward": 9, "gate": 9 + 9}),
        # three samples a row: base and candidate, each three times
        ({"steps": 1, "samples": 3}, {"forward": 9, "gate": 27 + 27}),
        # no gate
        ({"steps": 2, "gate": "always"}, {"forward": 18}),
    ],
)
def test_model_calls_are_exactly_those_of_the_cost_model(store, changes, expected):
    teacher = TeacherDouble(seed=0, malformed=0.0, harmful=0.0)
    run = trainer(store, teacher=teacher, **changes).fit()
    counted = {phase: usage.calls for phase, usage in run.ledger.by_phase().items() if phase != "test"}
    assert counted == expected


def test_one_update_call_a_component_with_suggestions(store):
    teacher = Teacher()
    teacher.propose = TeacherDouble(seed=0, malformed=0.0, harmful=0.0).propose
    run = trainer(store, teacher=teacher, steps=1, batch=12).fit()
    assert [update.parameter for update in run.steps[0].proposal.updates] == [f"{node}/rules" for node in NODES]


@pytest.mark.parametrize("cap", [9, 10, 17, 30])
def test_a_cap_is_never_gone_over_and_the_best_so_far_is_saved(tmp_path, cap):
    class Counting(RemoteStudent):
        calls = 0

        async def complete(self, request: Request) -> Reply:
            Counting.calls += 1
            return await super().complete(request)

    with Store.open(tmp_path / "store.db") as store:
        run = trainer(store, student=Counting(), max_calls=cap).fit()
    assert Counting.calls == cap == run.ledger.total().calls
    assert run.status == "budget" and str(cap) in run.reason
    assert run.best.version in versions(store, run.id)


@pytest.mark.parametrize("caps", [{"max_calls": 0}, {"max_calls": 8}, {"max_seconds": 0}])
def test_a_budget_that_cannot_pay_the_first_step_is_refused_before_anything_happens(store, caps):
    student = RemoteStudent()
    student.complete = None  # a call would fail
    with pytest.raises(UsageError, match="needs 9 model calls"):
        trainer(store, student=student, **caps).fit()
    assert store.runs() == ()


def test_the_number_of_workers_changes_nothing(tmp_path):
    ended = []
    for concurrency in (1, 8):
        with Store.open(tmp_path / f"{concurrency}.db") as store:
            run = trainer(store, concurrency=concurrency).fit()
            ended.append((versions(store, run.id), [step.decision for step in run.steps]))
    assert ended[0] == ended[1]


class Broken(StudentDouble):
    async def complete(self, request: Request) -> Reply:
        raise OutputError("no answer today")


def test_nothing_is_learned_from_batches_that_fail_and_three_of_them_end_the_run(store):
    run = trainer(store, student=Broken(), steps=9).fit()
    assert run.status == "failed" and "3 batches in a row" in run.reason
    assert run.head.version == run.first.version


def test_a_run_whose_every_batch_failed_has_failed_however_few_there_were(store):
    run = trainer(store, student=Broken(), steps=1).fit()
    assert run.status == "failed" and "3 of 3 runs failed" in run.reason and "no answer today" in run.reason


def test_the_target_ends_the_run(store):
    run = trainer(store, steps=50, batch=12, target=0.3).fit()
    assert "target" in run.reason and len(run.steps) < 50


def test_an_interrupted_run_says_so_and_can_be_loaded(store):
    started = asyncio.Event()

    async def interrupt() -> None:
        task = asyncio.create_task(trainer(store, watch=lambda kind, data: started.set()).afit())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupt())
    run = Run.load(store, store.runs()[0].id, chain())
    assert run.status == "interrupted"


def test_a_row_may_stand_in_a_batch_twice(store):
    twice = [Row(id="same", inputs={"task": "go"}, expected={"answer": "first rule 0"})]

    class Both:
        def batch(self, rows, step):
            return (rows[0], rows[0])

    run = Trainer(
        chain(),
        twice,
        val=(),
        optimizer="paper",
        metric=metric,
        student=RemoteStudent(),
        teacher=Teacher(),
        sampler=Both(),
        steps=1,
        store=store,
    ).fit()
    assert run.steps[0].decision is None or set(run.steps[0].proposal.edits)


def test_rows_without_labels_are_refused_where_a_metric_compares_with_labels(store):
    unlabeled = [Row(id="a", inputs={"task": "go"})]
    with pytest.raises(DataError, match="no row of train is labeled"):
        Trainer(chain(), unlabeled, val=(), store=store)


def test_a_trainer_trains_once(store):
    once = trainer(store, steps=1)
    once.fit()
    with pytest.raises(UsageError, match="trains once"):
        once.fit()


def test_replies_beyond_what_they_had_reserved_are_told(store):
    class Wordy(RemoteStudent):
        async def complete(self, request: Request) -> Reply:
            reply = await super().complete(request)
            return reply.model_copy(
                update={"usage": Usage(calls=1, completion_tokens=(request.max_tokens or 0) + 9_000)}
            )

    told = []
    trainer(
        store, student=Wordy(), steps=1, max_tokens=10_000_000, watch=lambda kind, data: told.append((kind, data))
    ).fit()
    (warning,) = [data["text"] for kind, data in told if kind == "warning"]
    assert "does not heed max_tokens" in warning


def test_whoever_waits_for_answers_in_a_folder_is_told_where(store, tmp_path):
    told = []
    model = RelayModel(tmp_path / "box")
    trainer(store, student=model, teacher=model, watch=lambda kind, data: told.append((kind, data)))
    (notice,) = [data["text"] for kind, data in told if kind == "notice"]
    assert notice.startswith(f"requests wait in {tmp_path / 'box'} for answers")


def test_what_was_asked_for_and_has_no_effect_is_said(store):
    said: list[str] = []
    settings = {"teacher": "embedded", "student": "embedded", "optimizer": "gepa", "repeats": 5, "store": store}
    Trainer(chain(), ROWS, val=(), watch=lambda kind, data: said.append(str(data.get("text"))), **settings)
    assert any("optimizer gepa has no effect" in text for text in said) and any("repeats" in text for text in said)


def test_train_rows_that_all_stand_in_another_set_are_named_as_the_reason(store):
    with pytest.raises(DataError, match="every row of train stands in another set"):
        Trainer(chain(), ROWS, val=ROWS, teacher=Teacher(), store=store)
