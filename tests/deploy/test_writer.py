"""The writer: one commit for all that wait, and one bad item does not take the others with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentsym.deploy.failures import NotRecorded
from agentsym.deploy.policy import Policy, Traces
from agentsym.deploy.redaction import Redactor
from agentsym.deploy.writer import Writer
from agentsym.errors import StoreError
from agentsym.network.records import Trajectory
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store


def trace(name: str, output: Any = "ok", thread: str = "t") -> Trace:
    """A trace of a deployment `d`."""
    run = Trajectory(id=name, version="v", inputs={"text": f"{name} jo@example.org"}, output={"said": output})
    return Trace(id=name, deployment="d", version="v", thread=thread, at="2026-01-01", example_id="", trajectory=run)


@pytest.fixture
async def writer(store: Store) -> AsyncIterator[Writer]:
    """A writer that has begun."""
    made = Writer(store, Redactor(Policy().traces))
    made.start()
    yield made
    await asyncio.to_thread(made.close)


async def test_many_at_once_share_commits(writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    add = store.traces.add

    def counted(found: Any, said: Any = ()) -> None:
        groups.append(len(found))
        add(found, said)

    monkeypatch.setattr(store.traces, "add", counted)
    await asyncio.gather(*(writer.trace(trace(f"a{number}"), keep=True) for number in range(100)))
    assert sum(groups) == 100 and len(groups) < 50
    assert len(store.traces.recent("d", most=200)) == 100


async def test_what_cannot_be_stored_as_it_is_does_not_stop_the_rest(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    redact = Redactor.trajectory

    def fails(self: Redactor, found: Trajectory) -> Trajectory:
        if found.id == "bad":
            raise RuntimeError("a detector failed")
        return redact(self, found)

    monkeypatch.setattr(Redactor, "trajectory", fails)
    told = await asyncio.gather(
        *(writer.trace(trace(name), keep=True) for name in ("a", "bad", "b")), return_exceptions=True
    )
    assert [type(one) for one in told] == [type(None), NotRecorded, type(None)]
    assert {found.id for found in store.traces.recent("d")} == {"a", "b"}


async def test_half_a_surrogate_pair_and_nul_are_kept(writer: Writer, store: Store) -> None:
    await writer.trace(trace("odd", output="\ud800 and \0"), keep=True)
    found = store.traces.trace("odd")
    assert found is not None and found.trajectory is not None
    assert found.trajectory.output == {"said": "\ud800 and \0"}


async def test_equal_inputs_have_equal_ids_and_the_trajectory_is_redacted(writer: Writer, store: Store) -> None:
    first, second = trace("same"), trace("same").model_copy(update={"id": "other"})
    await writer.trace(first, keep=True)
    await writer.trace(second, keep=False)
    one, other = store.traces.trace("same"), store.traces.trace("other")
    assert one is not None and other is not None and one.trajectory is not None
    assert one.example_id == other.example_id == one.trajectory.example_id and len(one.example_id) == 16
    assert other.trajectory is None
    assert one.trajectory.inputs == {"text": "same [email]"}
    assert "jo@example.org" not in json.dumps(one.model_dump(mode="json"))


async def test_a_store_that_fails_is_told_to_each_that_waits(
    writer: Writer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store.traces, "add", full)
    said = Feedback(id="f", trace_id="a", deployment="d", kind="thumb", score=1.0, author="x", at="2026-01-01")
    told = await asyncio.gather(writer.trace(trace("a"), keep=True), writer.feedback(said), return_exceptions=True)
    assert all(isinstance(one, NotRecorded) for one in told)


async def test_what_waits_at_the_end_is_written(store: Store) -> None:
    writer = Writer(store, Redactor(Traces()))
    writer.start()
    waiting = [asyncio.ensure_future(writer.trace(trace(f"a{number}"), keep=True)) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(writer.close)
    await asyncio.gather(*waiting)
    assert len(store.traces.recent("d")) == 20
    with pytest.raises(NotRecorded):
        await writer.trace(trace("late"), keep=True)
