"""Traces and feedback: what is asked of them comes in the order that is promised, and every text comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agentsym.errors import StoreError
from agentsym.network.records import Message, Step, ToolCall, Trajectory
from agentsym.store import Store
from agentsym.store.live import traces as module
from agentsym.store.live.traces import Feedback, Trace, Traces


def ran(name: str, *, keep: bool = True, **rest: Any) -> Trace:
    """A request that was answered; `name` is all that tells it from others."""
    step = Step(index=0, node="sort", inputs={"text": name}, output={"kind": "fruit"})
    held = Trajectory(id=name, version="v1", inputs={"text": name}, steps=(step,), output={"kind": "fruit"})
    plain = {"deployment": "things", "version": "v1", "thread": "t", "at": "2026-05-01T10:00:00+00:00"}
    return Trace.model_validate({
        "id": name, "example_id": f"e-{name}", "trajectory": held if keep else None, **plain, **rest
    })  # fmt: skip


def said(trace: str, number: int = 1, **rest: Any) -> Feedback:
    """Feedback on a trace; a thumb down if nothing else is said."""
    what = {"kind": "thumb", "score": 0.0} if not rest.keys() & {"kind", "score", "label"} else {"kind": "label"}
    plain = {"deployment": "things", "author": "ann", "at": "2026-05-02T10:00:00+00:00"}
    return Feedback.model_validate({"id": f"{trace}-{number}", "trace_id": trace, **plain, **what, **rest})


def ids(found: Any) -> list[str]:
    return [trace.id for trace in found]


def test_what_is_written_comes_back(store: Store) -> None:
    full = ran("a", status="error", error="it broke", calls=2, tokens=30, usd=0.25, seconds=1.5, origin="imported")
    bare = ran("b", keep=False, usd=None)
    remark = said("a", text="no", kind="edit", score=None, label={"kind": "tool", "n": [1, {"x": None}]})
    store.traces.add([full, bare], [remark])
    assert store.traces.trace("a") == full.model_copy(update={"seq": 1})
    assert store.traces.trace("b") == bare.model_copy(update={"seq": 2})
    assert store.traces.trace("c") is None
    assert store.traces.feedback_of(["b", "a"]) == {"a": (remark.model_copy(update={"seq": 1}),)}


def test_all_are_written_or_none(store: Store) -> None:
    store.traces.add([ran("a")])
    with pytest.raises(StoreError):
        store.traces.add([ran("b"), ran("a")], [said("b")])
    with pytest.raises(StoreError):
        store.traces.add([ran("c")], [said("c", 1), said("c", 1)])
    assert ids(store.traces.recent("things")) == ["a"] and store.traces.feedback_of("abc") == {}
    store.traces.add([])


def test_recent_traces_come_in_pages(store: Store) -> None:
    store.traces.add([ran(f"t{number}", version=f"v{number % 2}") for number in range(1, 8)])
    store.traces.add([ran("other", deployment="others")])
    recent = store.traces.recent
    assert ids(recent("things", most=3)) == ["t7", "t6", "t5"]
    assert ids(recent("things", most=3, before=recent("things", most=3)[-1].seq)) == ["t4", "t3", "t2"]
    assert ids(recent("things", version="v0")) == ["t6", "t4", "t2"]
    assert ids(recent("things", after=5)) == ["t7", "t6"] and ids(recent("things", after=2, before=5)) == ["t4", "t3"]
    assert ids(recent("nothing")) == []


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)


@pytest.mark.usefixtures("small_pages")
def test_many_traces_are_read_in_lots(store: Store) -> None:
    names = [f"t{number}" for number in range(10)]
    store.traces.add([ran(name) for name in names], [said(name, n) for name in names[::2] for n in range(2)])
    assert store.traces.known(iter([*names, "gone"])) == dict.fromkeys(names, "things")
    found = store.traces.feedback_of(iter(names))
    assert found.keys() == set(names[::2]) and all(len(items) == 2 for items in found.values())
    assert [item.id for item in found["t0"]] == ["t0-0", "t0-1"]
    for most in range(7):
        judged = list(store.traces.judged("things", most=most))
        assert ids(trace for trace, _ in judged) == ["t8", "t6", "t4", "t2", "t0"][:most]
        assert all([item.trace_id for item in items] == [trace.id] * 2 for trace, items in judged)


def test_judged_traces_are_those_of_the_deployment_and_the_version(store: Store) -> None:
    store.traces.add([ran("a"), ran("b", version="v2"), ran("c", deployment="others"), ran("d")])
    store.traces.add([], [said("a"), said("b"), said("c", deployment="others")])
    assert ids(trace for trace, _ in store.traces.judged("things", most=9)) == ["b", "a"]
    assert ids(trace for trace, _ in store.traces.judged("things", most=9, version="v1")) == ["a"]


def test_a_trace_that_is_dropped_while_it_is_read_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.traces.add([ran("old", at="2020-01-01"), ran("new")], [said("old"), said("new")])
    real = Traces.feedback_of

    def dropped_first(self: Traces, wanted: Any) -> Any:
        self.drop_before("2021", "things")
        return real(self, wanted)

    monkeypatch.setattr(Traces, "feedback_of", dropped_first)
    assert ids(trace for trace, _ in store.traces.judged("things", most=9)) == ["new"]


def first(store: Store, most: int = 9, since: str = "2026") -> list[str]:
    return ids(store.traces.first_judged("things", "v1", since, most=most))


def test_those_judged_first_come_in_the_order_of_their_judgement(store: Store) -> None:
    store.traces.add([ran(name) for name in "abcde"])
    for name in "dbdaeb":
        store.traces.add([], [said(name, len(store.traces.feedback_of([name]).get(name, ())))])
    assert first(store) == ["d", "b", "a", "e"] and first(store, most=2) == ["d", "b"]


def test_later_feedback_never_changes_who_was_judged_first(store: Store) -> None:
    store.traces.add([ran(name) for name in "abcd"], [said("c"), said("a")])
    store.traces.add([], [said("b", score=None, text="hm"), said("b", 2), said("c", 2), said("d"), said("a", 3)])
    assert first(store) == ["c", "a", "b", "d"]
    assert [first(store, most) for most in range(1, 4)] == [["c"], ["c", "a"], ["c", "a", "b"]]


@settings(suppress_health_check=list(HealthCheck), max_examples=25, deadline=None)
@given(order=st.lists(st.integers(0, 5), max_size=25))
def test_the_beginning_of_that_list_is_stable_whatever_comes(store: Store, order: list[int]) -> None:
    name = f"d{len(store.traces.known([]))}-{id(order)}-{len(order)}"
    traces = store.traces
    traces.add([ran(f"{name}-{n}-{len(traces.recent(name))}", deployment=name) for n in range(6)])
    (*there,) = ids(traces.recent(name, most=6))
    before: list[str] = []
    for turn, number in enumerate(order):
        traces.add([], [said(there[number], turn, deployment=name, id=f"{name}-{turn}-{there[number]}")])
        now = ids(traces.first_judged(name, "v1", "", most=9))
        assert now[: len(before)] == before
        before = now
    assert before == [there[number] for number in dict.fromkeys(order)]
    traces.drop_before("9999", name)


def test_only_live_requests_of_a_version_since_a_time_count(store: Store) -> None:
    traces = [
        ran("early", at="2026-04-30T23:59:59.999999+00:00"), ran("edge", at="2026-05-01T00:00:00.000000+00:00"),
        ran("imported", origin="imported"), ran("other", version="v2"), ran("elsewhere", deployment="others"),
        ran("late", status="error"),
    ]  # fmt: skip
    store.traces.add(traces, [said(trace.id, deployment=trace.deployment) for trace in traces])
    since = "2026-05-01T00:00:00.000000+00:00"
    assert first(store, since=since) == ["edge", "late"]
    assert store.traces.outcomes("things", "v1", since=since, most=9) == ["ok", "error"]


def test_what_cannot_be_scored_is_not_judged(store: Store) -> None:
    store.traces.add([ran("kept"), ran("bare", keep=False), ran("remark"), ran("empty"), ran("thumb", keep=False)])
    wanted = {"kind": "tool"}
    store.traces.add([], [
        said("bare", score=None, label=wanted), said("remark", score=None, text="hm"),
        said("empty", score=None, label={}), said("kept", score=None, label=wanted), said("thumb"),
    ])  # fmt: skip
    assert first(store) == ["kept", "thumb"]
    assert store.traces.feedback_of(["empty"])["empty"][0].label is None


def test_outcomes_come_in_the_order_of_the_requests(store: Store) -> None:
    statuses = ["ok", "error", "ok", "capped", "error"]
    store.traces.add([ran(f"t{n}", status=status) for n, status in enumerate(statuses)])
    assert store.traces.outcomes("things", "v1", most=9) == statuses
    assert store.traces.outcomes("things", "v1", most=2) == ["capped", "error"]
    assert store.traces.outcomes("things", "v1", most=2, oldest=True) == ["ok", "error"]


def test_totals_are_those_of_each_version(store: Store) -> None:
    store.traces.add([
        ran("a", calls=1, tokens=2**31 - 1, usd=0.25, seconds=1.0), ran("b", calls=2, tokens=2**31 - 1, usd=0.5),
        ran("c", status="error"), ran("d", status="capped"), ran("e", version="v2", usd=None, tokens=5),
        ran("f", version="v2", usd=1.0), ran("g", deployment="others"),
    ])  # fmt: skip
    assert store.traces.totals("things") == {
        "v1": {"requests": 4, "failed": 2, "calls": 3, "tokens": 2**32 - 2, "usd": 0.75, "seconds": 1.0},
        "v2": {"requests": 2, "failed": 0, "calls": 0, "tokens": 5, "usd": None, "seconds": 0.0},
    }
    assert all(type(value) in (int, float, type(None)) for of in store.traces.totals("things").values()
               for value in of.values())  # fmt: skip
    assert store.traces.totals("nothing") == {}


@pytest.mark.usefixtures("small_pages")
def test_old_traces_go_with_what_was_said_of_them(store: Store) -> None:
    old = [ran(f"old{n}", at="2026-01-01T00:00:00.000000+00:00") for n in range(5)]
    edge = ran("edge", at="2026-02-01T00:00:00.000000+00:00")
    other = ran("other", at="2026-01-01", deployment="others")
    kept = [edge, ran("new"), other]
    store.traces.add([*old, *kept], [said(trace.id, deployment=trace.deployment) for trace in (*old, *kept)])
    drop = store.traces.drop_before
    assert drop("2026-02-01T00:00:00.000000+00:00", "things", most=4) == 4
    assert len(store.traces.feedback_of(trace.id for trace in old)) == 1
    assert drop("2026-02-01T00:00:00.000000+00:00", "things", most=4) == 1
    assert drop("2026-02-01T00:00:00.000000+00:00", "things", most=4) == 0
    assert store.traces.known(trace.id for trace in (*old, *kept)).keys() == {"edge", "new", "other"}
    assert store.traces.feedback_of(trace.id for trace in (*old, *kept)).keys() == {"edge", "new", "other"}


ODD = ["nul \0 in it", "half \ud83d of a pair", "\ufdd00000 the mark", "\0", "x" * 1_000_000, "é" * 500_000 + "\0"]


@pytest.mark.parametrize("odd", ODD, ids=["nul", "half", "mark", "only nul", "1 MB", "1 MB with nul"])
def test_every_text_comes_back_as_it_was(store: Store, odd: str) -> None:
    call = ToolCall(tool="t", arguments={"a": odd}, result=[odd], error=odd)
    step = Step(
        index=0, node="sort", inputs={"text": odd}, output={"kind": odd}, raw=odd, error=odd, tool_calls=(call,),
        messages=(Message(role="user", content=odd),),
    )  # fmt: skip
    held = Trajectory(id="t", version="v", inputs={"text": odd}, steps=(step,), output={"kind": odd}, error=odd)
    short = odd[:200]
    trace = ran("a", thread=short, error=odd, trajectory=held)
    remark = said("a", kind="edit", score=None, text=odd, label={"kind": odd}, author=short)
    store.traces.add([trace], [remark])
    assert store.traces.trace("a") == trace.model_copy(update={"seq": 1})
    assert store.traces.feedback_of(["a"])["a"] == (remark.model_copy(update={"seq": 1}),)


def test_a_number_that_is_not_finite_is_none(store: Store) -> None:
    held = Trajectory(id="t", version="v", output={"x": float("nan"), "y": [float("inf")]})
    store.traces.add([ran("a", trajectory=held)])
    found = store.traces.trace("a")
    assert found is not None and found.trajectory is not None
    assert found.trajectory.output == {"x": None, "y": [None]}


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_lies_between_0_and_1(score: float) -> None:
    with pytest.raises(ValidationError):
        said("a", score=score)


def test_a_number_is_never_given_twice(store: Store) -> None:
    store.traces.add([ran("a"), ran("b")], [said("a"), said("b", 2)])
    (trace, *_) = store.traces.recent("things", most=1)
    assert store.traces.drop_before("9999", "things") == 2
    store.traces.add([ran("c")], [said("c", 3)])
    assert store.traces.recent("things", most=1)[0].seq > trace.seq
    assert store.traces.said_since("things", 2) == 1
