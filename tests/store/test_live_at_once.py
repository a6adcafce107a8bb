"""Deployed agents whose servers act at the same moment: one wins, the others are told, and nothing is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from agentsym.errors import ConflictError
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode
from agentsym.network.records import Step, Trajectory
from agentsym.store import Store
from agentsym.store.live.audit import Entry
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.locks import queue

MANY = 6


def network(instructions: str) -> Network:
    return Network("support", [PromptNode("triage", instructions, inputs=["message"], output="intent")])


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """Let several threads act at the same moment; returns what each returned, or the conflict that it met."""
    barrier = Barrier(MANY)

    def acting(number: int) -> Any:
        barrier.wait(timeout=30)
        try:
            return act(number)
        except ConflictError as conflict:
            return conflict

    with ThreadPoolExecutor(MANY) as threads:
        return list(threads.map(acting, range(MANY)))


def test_an_agent_is_deployed_once_however_many_servers_start(store: Store) -> None:
    found = at_once(lambda _: store.releases.begin("support", network("Decide."), actor="server"))
    assert {deployment.generation for deployment in found} == {1}
    assert [entry.event for entry in store.audit.entries()] == ["deployed"]


def test_agents_with_the_same_content_are_deployed_at_once(store: Store) -> None:
    found = at_once(lambda number: store.releases.begin(f"support {number}", network("Decide."), actor="server"))
    assert len({deployment.name for deployment in found}) == MANY
    assert len(store.releases.deployments()) == MANY


def test_of_several_that_promote_one_wins(store: Store) -> None:
    first = store.releases.begin("support", network("Decide."), actor="server").live
    draft = store.releases.propose("support", network("Decide well."), parent=first, actor="evolution")
    moved = store.releases.move(draft, "validated", actor="evolution", reason="better")
    shadow = store.releases.move(moved, "shadow", actor="evolution", reason="better")
    found = at_once(lambda n: store.releases.promote(shadow, expected=first, actor=f"server {n}", reason="better"))
    assert sum(isinstance(outcome, ConflictError) for outcome in found) == MANY - 1
    assert [entry.event for entry in store.audit.entries()].count("promoted") == 1


def test_the_audit_log_stays_one_chain(store: Store) -> None:
    at_once(lambda number: [store.audit.write(f"server {number}", "looked", "support") for _ in range(20)])
    last = store.audit.verify()
    assert isinstance(last, Entry) and last.seq == MANY * 20


def test_a_lease_has_one_holder(store: Store) -> None:
    assert sum(at_once(lambda number: store.leases.take("evolution", f"server {number}", seconds=60))) == 1


@pytest.mark.parametrize("odd", ["nul \0", "lone \ud83d", "line\u2028end"])
def test_no_character_fails_a_request(store: Store, odd: str) -> None:
    ran = Trajectory(id="t", version="v", steps=(Step(index=0, node="n", raw=odd, error=odd, output={"x": odd}),))
    kept = Trace(id="t", deployment="d", version="v", thread=odd, at="2026", example_id=odd, error=odd, trajectory=ran)
    about = {"id": "f", "trace_id": "t", "deployment": "d", "kind": "edit", "author": odd, "at": "2026"}
    store.traces.add([kept], [Feedback.model_validate({**about, "text": odd, "label": {"x": odd}})])
    found = store.traces.trace("t")
    assert found is not None and found.trajectory == ran
    (said,) = store.traces.feedback_of(["t"])["t"]
    assert said.label == {"x": odd} and said.text == found.error == odd


def test_no_trace_comes_to_light_behind_one_with_a_higher_number(store: Store) -> None:
    """Else whoever asks for those after the last one that he has seen would never see it."""
    if store._writer.dialect.name == "sqlite":
        pytest.skip("a writer on SQLite is alone")

    def trace(number: int) -> Trace:
        return Trace(id=f"t{number}", deployment="d", version="v", thread="", at="2026", example_id="e")

    with ThreadPoolExecutor(1) as threads:
        with store._writer.begin() as connection:
            queue(connection, "traces")
            connection.exec_driver_sql("SELECT nextval('traces_seq_seq')")
            later = threads.submit(store.traces.add, [trace(2)])
            with pytest.raises(TimeoutError):
                later.result(timeout=0.3)
        later.result(timeout=20)
    assert [found.seq for found in store.traces.recent("d")] == [2]
