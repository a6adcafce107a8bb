"""Rows on a real Ray cluster on this machine: equal to a local run, also when workers are killed with SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from importlib.util import find_spec
from typing import Any

import pytest

from agentsym.cli.agents import find_agent
from agentsym.errors import NodeError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.ledger import Ledger
from agentsym.models.resolve import resolve
from agentsym.network.network import Network
from agentsym.network.nodes import FunctionNode, PromptNode
from agentsym.runtime.context import Context
from agentsym.runtime.executors.ray import RayExecutor
from agentsym.runtime.forward import Outcome, run_many
from agentsym.runtime.session import Session
from evals.openai_server.server import Server
from tests.runtime.executors.compared import account, content
from tests.runtime.executors.conftest import CPUS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (make check-slow installs it)"),
]


def mails(number: int) -> list[tuple[str, dict[str, Any]]]:
    """Rows of the shipped agent, with ids that no two share."""
    found = find_agent("support_triage")
    names = [field.name for field in found.agent.inputs]
    data = found.data("train")
    assert data is not None
    lines = data.read_text("utf-8").splitlines()
    rows = [json.loads(lines[at % len(lines)]) for at in range(number)]
    return [(f"mail {at}", {name: row[name] for name in names}) for at, row in enumerate(rows)]


def asks() -> Network:
    """Two prompts, one after the other."""
    nodes = [
        PromptNode("first", "Write a.", inputs=["x"], output={"a": str}),
        PromptNode("second", "Write b.", inputs=["a"], output={"b": str}),
    ]
    return Network("asks", nodes, [("first", "second")])


async def deadly(x: str) -> str:
    """End its process where the input says so."""
    if x == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return x.upper()


def brain(body: dict[str, Any]) -> str:
    """Fill each field with what stands at the end of the prompt."""
    shown = body["messages"][-1]["content"].splitlines()[-1]
    fields = body["response_format"]["json_schema"]["schema"]["properties"]
    return json.dumps({name: f"{name} of {shown}" for name in fields})


async def outcomes(
    network: Network, rows: Any, executor: Any = None, *, student: str = "embedded", budget: Budget | None = None
) -> tuple[list[Outcome], Ledger]:
    context = Context(student=resolve(student), door=Door(concurrency=16, budget=budget))
    return [run async for run in run_many(network, rows, context, executor=executor)], context.door.ledger


async def test_500_rows_of_the_embedded_student_are_those_of_a_local_run(cluster: str) -> None:
    agent, rows = find_agent("support_triage").agent, mails(500)
    here, counted_here = await outcomes(agent, rows)
    async with RayExecutor(cluster, 2) as executor:
        there, counted_there = await outcomes(agent, rows, executor)
    assert list(map(content, there)) == list(map(content, here))
    assert account(counted_there) == account(counted_here)


async def test_a_killed_worker_loses_no_row_and_the_server_sees_each_request_once(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"row {at}", {"x": f"word {at}"}) for at in range(200)]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    async with Server(brain, latency=0.03, keep=True) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        here, counted_here = await outcomes(asks(), rows, student="openai/student")
        server.reset()
        async with RayExecutor(cluster, 2) as executor:
            assert executor._crew is not None
            victim = executor._crew.members[0].pid

            async def murder() -> None:
                while server.stats.requests < 150:
                    await asyncio.sleep(0.005)
                os.kill(victim, signal.SIGKILL)

            murdering = asyncio.create_task(murder())
            there, counted_there = await outcomes(asks(), rows, executor, student="openai/student")
            await murdering
            assert victim not in [member.pid for member in executor._crew.members]
        seen = Counter(json.dumps(body, sort_keys=True) for body in server.stats.bodies)
    assert [run.trajectory.example_id for run in there] == [row_id for row_id, _ in rows]
    assert list(map(content, there)) == list(map(content, here))
    assert account(counted_there) == account(counted_here)
    assert (len(seen), set(seen.values())) == (400, {1})


async def test_a_cap_on_calls_holds_across_workers(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"row {at}", {"x": f"word {at}"}) for at in range(100)]
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    async with Server(brain, latency=0.01) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        async with RayExecutor(cluster, 3) as executor:
            budget = Budget(max_calls=40)
            found, ledger = await outcomes(asks(), rows, executor, student="openai/student", budget=budget)
            assert (server.stats.requests, ledger.total().calls) == (40, 40)
            assert "budget" in {run.trajectory.status for run in found}
            _, ledger = await outcomes(
                find_agent("support_triage").agent, mails(100), executor, budget=Budget(max_calls=40)
            )
            assert ledger.total().calls == 40


async def test_a_row_that_kills_its_process_fails_alone(cluster: str) -> None:
    network = Network("n", [FunctionNode("shout", deadly, output={"y": str})])
    rows = [(f"row {at}", {"x": "deadly" if at == 7 else f"word {at}"}) for at in range(60)]
    async with RayExecutor(cluster, 2) as executor:
        found, _ = await outcomes(network, rows, executor)
    bad = found.pop(7)
    assert isinstance(bad.error, NodeError) and "row 'row 7' has ended 3 workers" in str(bad.error)
    assert [run.trajectory.output["y"] for run in found] == [
        x["x"].upper() for at, (_, x) in enumerate(rows) if at != 7
    ]


def test_a_session_keeps_its_workers_from_one_batch_to_the_next(cluster: str) -> None:
    agent, rows = find_agent("support_triage").agent, [inputs for _, inputs in mails(40)]
    executor = RayExecutor(cluster, 1)
    with Session("embedded", executor=executor) as session:
        first = session.batch(agent, rows)
        crew = executor._crew
        assert [run.output for run in session.forward_many(agent, mails(40))] == first
        assert executor._crew is crew is not None
    assert executor._crew is None
    with Session("embedded") as session:
        assert session.batch(agent, rows) == first


async def test_more_workers_than_cpus_and_an_address_of_nothing_are_refused(cluster: str) -> None:
    with pytest.raises(UsageError, match=f"--workers 64: the cluster has {CPUS} CPUs"):
        async with RayExecutor(cluster, 64):
            pass
    with pytest.raises(UsageError, match=r"nobody answers for a Ray cluster at 127\.0\.0\.1:9 .*--ray-address"):
        async with RayExecutor("127.0.0.1:9", 1):
            pass
