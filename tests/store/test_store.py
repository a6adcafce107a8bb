"""The store keeps what happened, in order and for ever, and derives the rest from it."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from agentsym.errors import StoreError
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.records import Message, Step, Trajectory, Usage
from agentsym.store import Store, new_run_id
from agentsym.store.schema import metadata

RUN = "20261125-201455-3fa9"
SYSTEM = "You are a careful reader. " * 40


def trajectory(number: int = 0, **changes: Any) -> Trajectory:
    step = Step(
        index=0,
        node="triage",
        inputs={"message": f"m{number}"},
        messages=(Message(role="system", content=SYSTEM), Message(role="user", content=f"m{number}")),
        raw='{"intent": "refund"}',
        output={"intent": "refund"},
        usage=Usage(calls=1, prompt_tokens=200, completion_tokens=5, usd=0.01),
        seconds=0.5,
    )
    late = step.model_copy(update={"index": 1, "node": "reply", "error": "too late", "visit": 2})
    made = Trajectory(
        id=f"t{number}",
        version="v1",
        example_id=f"r{number}",
        inputs={"message": f"m{number}"},
        steps=(step, late),
        output={"intent": "refund"},
        usage=Usage(calls=2, prompt_tokens=400, completion_tokens=10, usd=0.02),
        seconds=1.0,
    )
    return made.model_copy(update=changes)


def filled(store: Store, run: str = RUN) -> None:
    """Store a small run with everything that tables are derived from."""
    store.append(run, "run", {"agent": "support", "config": {"seed": 1}, "summary": {"val_before": 0.25}})
    store.append(run, "version", {"hash": "a" * 64, "content": {"name": "support"}})
    items = [
        ("trajectory", {"trajectory": trajectory(n), "phase": "forward", "step": n % 2, "score": 0.5}) for n in range(4)
    ]
    store.append_many(run, [*items, ("losses", {"values": [0.5] * 4})])
    store.append(run, "version", {"hash": "b" * 64, "parent": "a" * 64, "content": {"name": "support", "x": 1}})
    store.append(run, "checkpoint", {"summary": {"steps": 1, "calls": 8, "usd": None}, "state": {"any": "thing"}})
    store.append(run, "stop", {"status": "done", "summary": {"best_version": "b" * 64, "val_after": 0.75}})


def tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store._engine.begin() as connection:
        found = {
            table: connection.execute(table.select().order_by(*table.primary_key)) for table in metadata.sorted_tables
        }
        return {table.name: [tuple(row) for row in rows] for table, rows in found.items()}


def by_another_program(store: Store, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements past the store, and return the rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    with store._writer.begin() as connection:
        for statement in statements:
            done = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in done] if done.returns_rows else []
    return rows


def test_events_are_numbered_without_gaps_run_by_run(store: Store) -> None:
    assert [store.append("a", "note", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert store.append("b", "note", {}) == 1
    assert store.append_many("a", [("note", {"n": 3}), ("other", {"n": 4})]) == 5
    assert store.append_many("a", []) == 5
    assert [event.data["n"] for event in store.events("a", after=2)] == [2, 3, 4]
    assert [event.seq for event in store.events("a", kind="other")] == [5]
    last = store.last_event("a", "note")
    assert last is not None and last.seq == 4
    assert store.last_event("c") is None
    assert [*store.events("c")] == []


def test_long_runs_are_read_page_by_page(store: Store) -> None:
    store.append_many("a", [("note", {"n": n}) for n in range(1001)])
    assert [event.data["n"] for event in store.events("a")] == list(range(1001))


def test_only_the_time_differs_between_two_equal_runs(store: Store) -> None:
    for run in ("a", "b"):
        store.append(run, "note", {"z": 1, "a": {"y": [1.5, None, "ü"], "x": True}})
    rows = by_another_program(store, "SELECT seq, kind, data FROM events ORDER BY run_id")
    times = [at for (at,) in by_another_program(store, "SELECT at FROM events")]
    assert rows[0] == rows[1] == (1, "note", '{"z":1,"a":{"y":[1.5,null,"ü"],"x":true}}')
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", at) for at in times)


def test_expect_seq_lets_only_one_go_on(store: Store) -> None:
    assert store.append("a", "note", {}, expect_seq=0) == 1
    with pytest.raises(StoreError, match=r"its last event is 1, not 0\); only one may go on"):
        store.append("a", "note", {}, expect_seq=0)
    assert store.append("a", "note", {}, expect_seq=1) == 2
    assert len([*store.events("a")]) == 2


def test_a_run_is_what_its_events_say(store: Store) -> None:
    filled(store)
    run = store.run(RUN)
    assert (run.agent, run.status, run.steps, run.config) == ("support", "done", 1, {"seed": 1})
    assert (run.val_before, run.val_after, run.test_before, run.best_version) == (0.25, 0.75, None, "b" * 64)
    assert (run.calls, run.usd) == (8, None)
    store.append(RUN, "resume", {})
    assert store.run(RUN).status == "running"


def test_runs_are_found_by_last_by_beginning_and_by_near_misses(store: Store) -> None:
    with pytest.raises(StoreError, match="no runs yet"):
        store.run("last")
    for run in ("20261125-1-aaaa", "20261126-1-bbbb", "20261126-2-cccc"):
        store.append(run, "run", {"agent": "support"})
    assert [run.id for run in store.runs()] == ["20261126-2-cccc", "20261126-1-bbbb", "20261125-1-aaaa"]
    assert store.run().id == store.run("last").id == "20261126-2-cccc"
    assert store.run("20261125").id == "20261125-1-aaaa"
    with pytest.raises(StoreError, match="several runs begin with '20261126'"):
        store.run("20261126")
    with pytest.raises(StoreError, match="is it one of 20261125-1-aaaa"):
        store.run("20261125-1-aaab")
    with pytest.raises(StoreError, match="agentsym runs list"):
        store.run("zzz")


def test_versions_keep_their_order_and_content(store: Store) -> None:
    filled(store)
    network = Network("support", [PromptNode("triage", "Decide: ü Å", inputs=["message"], output="intent")])
    store.append(RUN, "version", {"hash": network.version, "parent": "b" * 64, "content": network})
    store.append(RUN, "version", {"hash": network.version, "parent": "a" * 64, "content": network})
    found = store.versions(RUN)
    assert [(v.hash[:1], (v.parent or "")[:1]) for v in found] == [("a", ""), ("b", "a"), (network.version[:1], "b")]
    assert Network.model_validate(store.version_content(network.version)) == network
    assert store.version_content("b" * 8) == {"name": "support", "x": 1}
    with pytest.raises(StoreError, match="no run has the version"):
        store.version_content("c" * 64)


def test_a_trajectory_comes_back_as_it_was(store: Store) -> None:
    filled(store)
    assert store.trajectory("t3") == trajectory(3)
    store.append(RUN, "trajectory", {"trajectory": trajectory(3, output={"intent": "other"})})
    assert store.trajectory("t3").output == {"intent": "other"}, "of several with one id the last one"
    with pytest.raises(StoreError, match="no trajectory 't99'"):
        store.trajectory("t99")


def test_trajectories_are_streamed_and_filtered(store: Store) -> None:
    filled(store)
    assert [r.trajectory for r in store.trajectories(RUN)] == [trajectory(n) for n in range(4)]
    found = [*store.trajectories(RUN, step=1, phase="forward")]
    assert [r.trajectory.id for r in found] == ["t1", "t3"]
    assert found[0].data == {"phase": "forward", "step": 1, "score": 0.5}
    assert [r.trajectory.id for r in store.trajectories(RUN, after=found[0].seq, step=1)] == ["t3"]
    with pytest.raises(StoreError, match="no column 'colour'; they have run_id"):
        [*store.trajectories(RUN, colour="red")]


def test_a_text_is_stored_once_however_often_it_is_sent(store: Store) -> None:
    filled(store)
    found = tables(store)
    assert sorted(text for _, text in found["texts"] if not text.startswith("{")) == [SYSTEM, "m0", "m1", "m2", "m3"]
    assert not any(SYSTEM in row[-1] for row in found["events"])
    assert len(found["steps"]) == 8


@pytest.mark.parametrize("text", ["e\u0301 is not é", "nul \0", "lone \ud83d surrogate", "line\u2028end", ""])
def test_no_text_is_changed_by_storing_it(store: Store, text: str) -> None:
    store.append(RUN, "run", {"agent": "a"})
    step = Step(
        index=0, node="n", messages=(Message(role="user", content=text),), raw=text, output={"x": text}, error=text
    )
    stored = trajectory(inputs={"message": text}, steps=(step,), example_id=text, error=text)
    store.append(RUN, "trajectory", {"trajectory": stored})
    assert store.trajectory("t0") == stored
    assert [found.trajectory for found in store.trajectories(RUN, example_id=text)] == [stored]
    store.rebuild()


def test_what_json_does_not_know_is_stored_as_text(store: Store) -> None:
    store.append(RUN, "run", {"agent": "a"})
    store.append(
        RUN, "note", {"nan": float("nan"), "inner": [float("-inf")], "object": Path("x"), "model": Usage(calls=1)}
    )
    (event,) = store.events(RUN, kind="note")
    assert event.data["nan"] == "nan"
    assert event.data["inner"] == ["-inf"]
    assert event.data["object"] == repr(Path("x"))
    assert Usage.model_validate(event.data["model"]) == Usage(calls=1)
    output = {"x": float("inf"), "y": {1j, float("-inf")}, "z": {(1, 2): 3, "k": 4}, "day": date(2026, 1, 2)}
    store.append(RUN, "trajectory", {"trajectory": trajectory(output=output)})
    stored = {"x": "inf", "y": ["-inf", "1j"], "z": {"(1, 2)": 3, "k": 4}, "day": "2026-01-02"}
    assert store.trajectory("t0").output == stored


def test_rebuilding_gives_the_same_tables(store: Store) -> None:
    filled(store)
    filled(store, "another")
    before = tables(store)
    store.rebuild()
    assert tables(store) == before
    by_another_program(
        store, "UPDATE runs SET val_after = 1", "DELETE FROM steps WHERE seq > 3", "DELETE FROM versions"
    )
    assert tables(store) != before
    store.rebuild()
    assert tables(store) == before


@pytest.mark.parametrize("table", ["events", "texts"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_the_truth_cannot_be_changed_by_another_program_either(store: Store, table: str, statement: str) -> None:
    filled(store)
    column = "data" if table == "events" else "text"
    with pytest.raises(IntegrityError, match=f"{table} is append-only"):
        by_another_program(store, statement.format(table, column, column))


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("run", {"config": {}}, "an event 'run' needs 'agent'"),
        ("stop", {}, "an event 'stop' needs 'status'"),
        ("version", {"hash": "x"}, "'content'"),
        ("trajectory", {}, "'trajectory'"),
        ("trajectory", {"trajectory": {"id": 3}}, "trajectory"),
        ("checkpoint", {"summary": {"val": 1}}, "a summary cannot set val; it may set best_version"),
        ("version", {"hash": "x", "content": {}}, "A run begins with one event `run`"),
    ],
)
def test_an_event_that_makes_no_sense_is_not_stored(store: Store, kind: str, data: dict[str, Any], words: str) -> None:
    with pytest.raises(StoreError, match=re.escape(words)):
        store.append_many("new", [("note", {}), (kind, data)])
    assert [*store.events("new")] == []
    assert store.append("new", "note", {}) == 1, "the store goes on working"


def test_a_run_begins_once(store: Store) -> None:
    filled(store)
    with pytest.raises(StoreError, match="one event `run`"):
        store.append(RUN, "run", {"agent": "support"})


def test_run_ids_sort_by_time() -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", new_run_id())
    assert new_run_id()[:15] <= new_run_id()[:15]


def test_ended_runs_come_with_those_of_the_agent_first_and_the_newest_before_the_others(store: Store) -> None:
    made = {"one": ("mine", "done"), "two": ("other", "done"), "three": ("mine", None), "four": ("mine", "failed")}
    for name, (agent, status) in made.items():
        store.append(name, "run", {"agent": agent, "config": {}})
        store.append(name, "blame", {})
        if status is not None:
            store.append(name, "stop", {"status": status})
    store.append("five", "run", {"agent": "mine", "config": {}})
    store.append("five", "stop", {"status": "done"})  # it has no such event

    def ended(most: int = 9) -> list[str]:
        return [run.id for run in store.ended_runs("mine", having="blame", lacking="forget", most=most)]

    assert ended() == ["four", "one", "two"] and ended(2) == ["four", "one"]
    store.append("four", "forget", {})
    assert ended() == ["one", "two"]


def test_events_of_several_kinds_are_read_in_their_order(store: Store) -> None:
    for kind in ("a", "b", "c", "a"):
        store.append("run", kind, {})
    assert [event.kind for event in store.events("run", kind=("a", "c"))] == ["a", "c", "a"]


def test_the_version_of_a_step_is_the_one_that_its_rows_ran_with(store: Store) -> None:
    filled(store)
    steps = {run.data.get("step"): run.trajectory.version for run in store.trajectories(RUN, phase="forward")}
    assert len(steps) == 2 and store.forward_versions(RUN) == steps
