"""Sessions: one student, one door, with and without a running loop."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentsym.errors import BudgetExceeded, NodeError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply, Request
from agentsym.network.network import Network
from agentsym.runtime.session import Session
from tests.runtime.samples import Echo, chain, function, prompt


def picky() -> Network:
    async def picks(x: str) -> str:
        if x == "bad":
            raise ValueError("no good")
        return x.upper()

    return Network("picky", [function("pick", "y", picks)])


def test_invoke_returns_the_output() -> None:
    with Session(Echo()) as session:
        assert session.invoke(chain(), {"x": "hi"}) == {"c": "c(b(a(hi)))"}
        assert session.forward(chain(), {"x": "hi"}).status == "ok"


async def test_invoke_works_under_a_running_loop() -> None:
    with Session(Echo()) as session:
        assert session.invoke(chain(), {"x": "hi"}) == {"c": "c(b(a(hi)))"}


async def test_async_calls_run_in_the_callers_loop() -> None:
    loops = []

    async def where(x: str) -> str:
        loops.append(asyncio.get_running_loop())
        return x

    async with Session(Echo()) as session:
        await session.ainvoke(Network("where", [function("w", "y", where)]), {"x": "hi"})
    assert loops == [asyncio.get_running_loop()]


def test_a_failed_example_raises_an_error_that_names_node_and_cause() -> None:
    with Session(Echo()) as session, pytest.raises(NodeError, match="node 'pick': ValueError: no good") as caught:
        session.invoke(picky(), {"x": "bad"})
    assert isinstance(caught.value.__cause__, ValueError)


def test_unknown_inputs_are_a_usage_error() -> None:
    with Session(Echo()) as session, pytest.raises(UsageError, match="takes x; unknown: z"):
        session.invoke(picky(), {"x": "a", "z": 1})


def test_a_batch_keeps_its_order_and_can_return_exceptions() -> None:
    with Session(Echo()) as session:
        assert session.batch(picky(), [{"x": "a"}, {"x": "b"}]) == [{"y": "A"}, {"y": "B"}]
        first, second, third = session.batch(picky(), [{"x": "a"}, {"x": "bad"}, {"x": "c"}], return_exceptions=True)
        assert (first, third) == ({"y": "A"}, {"y": "C"})
        assert isinstance(second, NodeError)
        with pytest.raises(NodeError):
            session.batch(picky(), [{"x": "a"}, {"x": "bad"}])


def test_a_budget_is_raised_as_such() -> None:
    with Session(Echo(), door=Door(budget=Budget(max_calls=1))) as session, pytest.raises(BudgetExceeded, match="two"):
        session.invoke(chain(), {"x": "hi"})


def test_stream_yields_each_nodes_output_as_it_ends() -> None:
    with Session(Echo()) as session:
        updates = list(session.stream(chain(), {"x": "hi"}))
    assert updates == [{"one": {"a": "a(hi)"}}, {"two": {"b": "b(a(hi))"}}, {"three": {"c": "c(b(a(hi)))"}}]


def test_sync_code_of_users_that_waits_runs_as_many_times_at_once_as_was_asked_for() -> None:
    together = threading.Barrier(24, timeout=20)

    def meets(x: str) -> str:
        together.wait()  # breaks unless all 24 are here
        return x

    with Session(Echo(), concurrency=24) as session:
        assert len(session.batch(Network("meet", [function("meet", "y", meets)]), [{"x": "hi"}] * 24)) == 24


def test_a_stream_of_text_hands_out_every_answer_piece_by_piece_as_it_is_written() -> None:
    class Spelling(Echo):
        async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
            reply = await self.complete(request)
            for letter in reply.text:
                yield letter
            yield reply

    with Session(Spelling()) as session:
        said: dict[str, str] = {}
        for piece in session.stream(chain(), {"x": "hi"}, stream_mode="text"):
            ((node, text),) = piece.items()
            assert len(text) == 1
            said[node] = said.get(node, "") + text
        assert list(said) == ["one", "two", "three"] and json.loads(said["three"]) == {"c": "c(b(a(hi)))"}
        assert session.invoke(chain(), {"x": "hi"}) == {"c": "c(b(a(hi)))"}


def test_a_stream_of_text_ends_with_the_error_of_a_node() -> None:
    with Session(Echo()) as session, pytest.raises(NodeError, match="no good"):
        list(session.stream(picky(), {"x": "bad"}, stream_mode="text"))


def test_a_stream_ends_with_the_error_of_a_node() -> None:
    with Session(Echo()) as session, pytest.raises(NodeError, match="no good"):
        list(session.stream(picky(), {"x": "bad"}))


def test_forward_many_can_be_left_early() -> None:
    with Session(Echo(), concurrency=2) as session:
        runs = session.forward_many(chain(), ((str(number), {"x": "a"}) for number in range(1000)))
        assert [next(runs).example_id for _ in range(3)] == ["0", "1", "2"]
        runs.close()  # type: ignore[attr-defined]


def test_a_session_ends_its_thread() -> None:
    before = threading.active_count()
    with Session(Echo()) as session:
        session.invoke(chain(), {"x": "hi"})
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_the_default_student_is_the_embedded_one_and_the_environment_may_name_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def student(session: Session) -> str:
        return session.context().student.name

    assert asyncio.run(student(Session())).startswith("embedded")
    monkeypatch.setenv("AGENTSYM_STUDENT", "nobody/knows")
    with pytest.raises(UsageError, match="nobody"):
        asyncio.run(student(Session()))


def test_waiting_for_oneself_is_refused() -> None:
    async def again(x: str) -> str:
        return str(session.invoke(picky(), {"x": x}))

    with Session(Echo()) as session, pytest.raises(NodeError, match="await the async method"):
        session.invoke(Network("self", [function("again", "y", again)]), {"x": "hi"})


def test_the_same_client_serves_every_call_of_a_session() -> None:
    model = ScriptedModel([Rule('{"a": "y"}', times=3)])
    with model, Session(model) as session:
        for _ in range(3):
            session.invoke(Network("one", [prompt("one", "x", "a")]), {"x": "hi"})
    assert len(model.calls) == 3


TRACED = """
import os, socket, threading
asked = threading.Event()
def refuse(host, *args, **kwargs):
    print("looked up", host, flush=True)
    asked.set()
    raise socket.gaierror("no network in tests")
socket.getaddrinfo = refuse
from tests.runtime.samples import Echo, chain
from agentsym.runtime.session import Session
for tracing in (False, True):
    print("opted in" if tracing else "not opted in", flush=True)
    with Session(Echo(), tracing=tracing) as session:
        session.invoke(chain(), {"x": "hi"})
        list(session.stream(chain(), {"x": "hi"}))
    asked.wait(20 if tracing else 0.3)
os._exit(0)
"""


def test_langsmith_is_sent_nothing_unless_the_user_opts_in() -> None:
    environment = {**os.environ, "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "k", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", TRACED], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["not opted in", "opted in"]
    assert "looked up api.smith.langchain.com" in done.stdout


async def test_a_users_own_code_in_a_node_is_not_traced_either(monkeypatch: pytest.MonkeyPatch) -> None:
    from langsmith.utils import tracing_is_enabled

    seen: list[Any] = []

    async def looks(x: str) -> str:
        seen.append(tracing_is_enabled())
        return x

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    network = Network("looks", [function("look", "y", looks)])
    async with Session(Echo()) as session:
        await session.ainvoke(network, {"x": "hi"})
    assert seen == [False]
