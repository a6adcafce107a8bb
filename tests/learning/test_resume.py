"""A run that died anywhere, and is resumed, asks nothing again, forgets no call, keeps to its caps and ends the same.

Death is a store that writes no more, events and calls alike, from its n-th write on; the student is a double that
counts like a paid model, and takes as long as its request's hash says.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym.errors import ServerFailed
from agentsym.learning.answers import RunAnswers, spent
from agentsym.learning.journal import Baseline, Journal
from agentsym.learning.protocols import Row
from agentsym.learning.run import Run
from agentsym.learning.state import State
from agentsym.learning.trainer import Trainer
from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.protocol import Reply, Request
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Message, Usage
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from evals.simulated_world import StudentDouble, TeacherDouble, chain, rows, share
from tests.learning.dying import FragileStore, Killed

ROWS = rows(0, "train", 6)
TOKENS = 700  # of an answer
MIDDLE = 15  # writes: four events, then in the middle of the first batch


class Student(StudentDouble):
    """Remote, so that its calls are written down; knows what it was asked."""

    remote = True

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def complete(self, request: Request) -> Reply:
        key = request.key(self.name)
        self.asked[key] += 1
        for _ in range(int(key[:2], 16) % 5):
            await asyncio.sleep(0)
        reply = await super().complete(request)
        return reply.model_copy(update={"usage": Usage(calls=1, completion_tokens=TOKENS)})


def metric(row: Mapping[str, Any], output: Mapping[str, Any]) -> float:
    return share(row["answer"], output["answer"])


def trainer(store: Store, student: Student, train: Sequence[Row] = ROWS, **changes: Any) -> Trainer:
    settings: dict[str, Any] = {
        "metric": metric,
        "val": (),
        "teacher": TeacherDouble(seed=0, malformed=0.0, harmful=0.0),
        "optimizer": "paper",
        "gate": "paper",
        "steps": 2,
        "batch": 3,
        "lr": 1.0,
        "patience": None,
        "concurrency": 4,
        "cache": False,
        "store": store,
    }
    return Trainer(chain(), train, student=student, **{**settings, **changes})


def journal(store: Store, run_id: str) -> list[dict[str, Any]]:
    return list(comparable(store.events(run_id)))


def die(path: Path, life: int, **changes: Any) -> tuple[str, Counter[str], int]:
    """Run until a store has been written to so often; return the run, what was asked, and how much was under way."""
    student = Student()
    with FragileStore.open(path) as store:
        store.life = life
        with pytest.raises(Killed):
            trainer(store, student, **changes).fit()
    with Store.open(path) as store:
        run = store.run()
        under_way = sum(call.seq is None for call in store.answers.calls(run.id))
        return run.id, student.asked, under_way


def whole(path: Path, **changes: Any) -> tuple[Run[Any], Counter[str], int, list[dict[str, Any]]]:
    student = Student()
    with FragileStore.open(path) as store:
        run = trainer(store, student, **changes).fit()
        return run, student.asked, store.writes, journal(store, run.id)


def test_a_run_killed_at_any_write_asks_for_nothing_again_and_reads_like_a_whole_one(tmp_path: Path) -> None:
    expected, asked, writes, told = whole(tmp_path / "whole.db")
    assert expected.accepted and len(told) > 10
    for life in range(2, writes - 1, 11):
        run_id, before, under_way = die(tmp_path / f"{life}.db", life)
        student = Student()
        with Store.open(tmp_path / f"{life}.db") as store:
            run = trainer(store, student).fit(resume=run_id)
            again = before + student.asked
            assert sum((again - asked).values()) <= under_way
            assert run.head.version == expected.head.version
            assert journal(store, run_id) == told
            assert run.ledger.total().calls == expected.ledger.total().calls + under_way
            assert store.run().calls == run.ledger.total().calls


def test_it_may_be_killed_again_and_again(tmp_path: Path) -> None:
    expected, asked, _, told = whole(tmp_path / "whole.db")
    path, everything, lost = tmp_path / "killed.db", Counter[str](), 0
    run_id, first, _ = die(path, MIDDLE)
    everything += first
    while True:
        student = Student()
        with FragileStore.open(path) as store:
            store.life = 20
            lost += sum(call.seq is None for call in store.answers.calls(run_id))
            try:
                run = trainer(store, student).fit(resume=run_id)
            except Killed:
                continue
            finally:
                everything += student.asked
            assert journal(store, run_id) == told
        break
    assert sum((everything - asked).values()) <= lost
    assert run.head.version == expected.head.version
    assert run.ledger.total().calls == sum(everything.values()) == expected.ledger.total().calls + lost


def test_a_killed_run_tells_all_that_it_has_spent_before_it_is_resumed(tmp_path: Path) -> None:
    run_id, before, under_way = die(tmp_path / "killed.db", MIDDLE)
    with Store.open(tmp_path / "killed.db") as store:
        account = spent(store, run_id).total()
    assert account.calls == sum(before.values()) and under_way
    assert account.completion_tokens == TOKENS * (account.calls - under_way) and account.estimated


@pytest.mark.parametrize("caps", [{"max_calls": 20}, {"max_tokens": 25_000}])
def test_a_cap_holds_for_a_run_and_its_resumption_together(tmp_path: Path, caps: dict[str, int]) -> None:
    run_id, before, _ = die(tmp_path / "killed.db", MIDDLE, **caps)
    student = Student()
    with Store.open(tmp_path / "killed.db") as store:
        run = trainer(store, student, **caps).fit(resume=run_id)
        assert run.status == "budget" and before and student.asked
        assert sum((before + student.asked).values()) == run.ledger.total().calls
        assert run.ledger.total().calls <= caps.get("max_calls", 10**9)
        assert run.ledger.total().tokens <= caps.get("max_tokens", 10**9)
        more = trainer(store, idle := Student(), **caps).fit(resume=run_id)
        assert more.status == "budget" and not idle.asked
        assert trainer(store, Student()).fit(resume=run_id).status == "done"


def test_an_answer_that_came_under_a_cap_serves_a_resumption_without_one(tmp_path: Path) -> None:
    """A cap on tokens bounds the replies of requests that do not: it is the same question all the same."""
    expected, asked, _, _ = whole(tmp_path / "whole.db")
    run_id, before, under_way = die(tmp_path / "killed.db", MIDDLE, max_tokens=10**9)
    student = Student()
    with Store.open(tmp_path / "killed.db") as store:
        run = trainer(store, student).fit(resume=run_id)
    assert run.head.version == expected.head.version
    assert sum((before + student.asked).values()) <= sum(asked.values()) + under_way


def test_what_is_counted_and_what_is_done_leave_no_answers_behind(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        kept = []

        def watch(kind: str, data: Mapping[str, Any]) -> None:
            if kind == "checkpoint":
                kept.append(len(store.answers.calls(store.run().id)))

        run = trainer(store, Student(), val=rows(1, "val", 2), gate="validated", watch=watch).fit()
        assert kept == [0] * len(kept) and kept
        assert run.status == "done" and store.answers.calls(run.id) == ()


async def test_a_phase_that_was_just_done_returns_what_a_resumed_run_would_read(tmp_path: Path) -> None:
    scores = {"t-2": 0.1, "t-10": 0.2, "t-1": 0.3}  # summed in the order of the table, so no other order will do

    async def score() -> Baseline:
        return Baseline(val=scores)

    async def again() -> Baseline:
        raise AssertionError("the phase is done")

    with Store.open(tmp_path / "store.db") as store:
        journal = Journal(store, "run")
        journal.begin("chain", {})
        done = await journal.phase("baseline", Baseline, score)
        resumed = Journal(store, "run")
        resumed.reopen({}, State)
        assert list((await resumed.phase("baseline", Baseline, again)).val.items()) == list(scores.items())
        assert list(done.val.items()) == list(scores.items())


def test_journals_are_equal_at_every_concurrency(tmp_path: Path) -> None:
    told = [whole(tmp_path / f"{number}.db", concurrency=number)[3] for number in (1, 3, 8)]
    assert told[0] == told[1] == told[2]


class Yes(Student):
    """Says yes; fails `failures` times before, as a server may."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures

    async def complete(self, request: Request) -> Reply:
        self.asked["yes"] += 1
        if self.asked["yes"] <= self.failures:
            raise ServerFailed("503 on purpose")
        return Reply(text="yes", usage=Usage(calls=1, completion_tokens=TOKENS))


QUESTION = Request(messages=(Message(role="user", content="Are you there?"),))


async def test_a_call_is_written_down_before_it_is_sent_and_its_answer_before_anyone_has_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:

        class Looking(Yes):
            async def complete(self, request: Request) -> Reply:
                (call,) = store.answers.calls("run")
                assert call.seq is None and call.usage == Usage(calls=1, estimated=True)
                return await super().complete(request)

        door = Door(answers=RunAnswers(store, "run", lambda: 4))
        reply = await door.complete(Looking(), QUESTION, phase="gate", node="first")
        (call,) = store.answers.calls("run")
        assert (call.seq, call.phase, call.node, call.usage) == (4, "gate", "first", reply.usage)
        assert call.reply is not None and "yes" in call.reply


async def test_a_failed_attempt_is_a_call_of_its_own_and_its_cost_comes_with_the_answer(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        log = RunAnswers(store, "run", lambda: 1)
        door = Door(answers=log, retry=RetryPolicy(first=0.0))
        reply = await door.complete(student := Yes(failures=1), QUESTION, phase="forward")
        assert reply.usage.calls == 2
        assert [call.reply is None for call in store.answers.calls("run")] == [True, False]
        log.reopen(since=0)
        again = await door.complete(student, QUESTION, phase="forward")
        assert again == reply and sum(student.asked.values()) == 2 == door.ledger.total().calls


async def test_an_answer_is_given_out_once_as_paid_and_then_as_cached(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store, ResponseCache(tmp_path / "cache.db") as cache:
        student = Yes()
        await Door(answers=RunAnswers(store, "run", lambda: 3)).complete(student, QUESTION, phase="forward")
        log = RunAnswers(store, "run", lambda: 3)
        log.reopen(since=3)
        door = Door(answers=log, cache=cache)
        door.budget.max_calls = 0
        replies = [await door.complete(student, QUESTION, phase="forward") for _ in range(2)]
        log.drop()  # from here on the cache has it
        replies.append(await door.complete(student, QUESTION, phase="forward"))
        assert [(reply.usage.calls, reply.usage.cached) for reply in replies] == [(1, 0), (0, 1), (0, 1)]
        assert len({reply.text for reply in replies}) == 1
        assert (door.ledger.total().calls, door.ledger.total().cached) == (0, 2)


async def test_an_answer_of_a_phase_that_is_done_counts_as_cached_from_the_start(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        student = Yes()
        await Door(answers=RunAnswers(store, "run", lambda: 3)).complete(student, QUESTION, phase="forward")
        log = RunAnswers(store, "run", lambda: 5)
        log.reopen(since=5)
        reply = await Door(answers=log).complete(student, QUESTION, phase="gate")
        assert reply.usage == Usage(cached=1) and sum(student.asked.values()) == 1
