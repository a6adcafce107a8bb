"""Retention: old traces go with their feedback, new ones stay, and one server does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agentsym.deploy.beginning import begin
from agentsym.deploy.policy import Policy, Traces
from agentsym.deploy.retention import drop_old
from agentsym.deploy.service import Service
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store
from tests.deploy.conftest import things


def _filled(store: Store, days: float | None) -> Service:
    begin(store, "things", things, actor="test")
    for age in (1, 10, 20):
        at = (datetime.now(UTC) - timedelta(days=age)).isoformat(timespec="microseconds")
        found = Trace(id=f"t{age}", deployment="things", version="v", thread="t", at=at, example_id="e", status="ok")
        said = Feedback(id=f"f{age}", trace_id=f"t{age}", deployment="things", kind="thumb", score=1, author="a", at=at)
        store.traces.add([found], [said])
    return Service(store, "things", things, policy=Policy(traces=Traces(retention_days=days)))


async def test_what_is_too_old_is_dropped_with_its_feedback(store: Store) -> None:
    service = _filled(store, 5)
    assert await drop_old(service) == 2
    assert [trace.id for trace in store.traces.recent("things")] == ["t1"]
    assert set(store.traces.feedback_of(["t1", "t10", "t20"])) == {"t1"}
    assert store.leases.holder("retention things") is None


async def test_nothing_is_dropped_for_ever_or_while_another_server_does_it(store: Store) -> None:
    assert await drop_old(_filled(store, None)) == 0
    store.leases.take("retention things", "another", 60)
    assert await drop_old(Service(store, "things", things, policy=Policy(traces=Traces(retention_days=5)))) == 0
    assert len(store.traces.recent("things")) == 3
