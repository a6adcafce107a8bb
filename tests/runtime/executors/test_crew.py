"""Rows on workers: the same outcomes as here, whoever dies, and nothing asked or counted twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from agentsym.errors import AgentsymError, CannotAnswer, KeyRefused, NodeError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.embedded import EmbeddedModel
from agentsym.models.ledger import Ledger
from agentsym.models.protocol import Request
from agentsym.network.fields import Choice
from agentsym.network.network import Network
from agentsym.network.nodes import FunctionNode, PromptNode
from agentsym.network.prompt import read_inputs
from agentsym.runtime.context import Context
from agentsym.runtime.executors import crew as crew_module
from agentsym.runtime.executors.crew import Crew
from agentsym.runtime.executors.links import WorkerLost
from agentsym.runtime.executors.messages import Asked, Lease
from agentsym.runtime.forward import Outcome, run_many
from tests.runtime.executors.compared import account, content
from tests.runtime.executors.near import NearExecutor, asks_twice, posts
from tests.runtime.samples import Echo, chain, prompt


def echoes(**options: Any) -> ScriptedModel:
    """A paid model's double: it fills each field with the inputs it was shown."""

    def answer(request: Request) -> str:
        shown = " ".join(str(value) for value in read_inputs(request.messages[1].content).values())
        return json.dumps({name: f"{name}({shown})" for name in (request.schema_ or {})["properties"]})

    return ScriptedModel([Rule(answer)], **options)


def sorts() -> Network:
    """An agent that the embedded reader can run."""
    node = PromptNode(
        "sort",
        "Say what kind of thing it is.",
        inputs=["x"],
        output={"kind": Choice({"fruit": "apple, pear, plum", "tool": "hammer, saw, drill"})},
    )
    return Network("sorts", [node])


def some(words: Iterable[str], number: int) -> list[tuple[str, dict[str, Any]]]:
    words = list(words)
    return [(f"row {at}", {"x": f"{words[at % len(words)]} {at}"}) for at in range(number)]


async def outcomes(
    network: Network, rows: Any, student: Any, executor: Any = None, *, budget: Budget | None = None, **options: Any
) -> tuple[list[Outcome], Ledger]:
    """Run rows, here or by an executor that is entered; return the outcomes and the account."""
    context = Context(student=student, door=Door(concurrency=16, budget=budget), **options)
    runs = run_many(network, rows, context, executor=executor)
    return [outcome async for outcome in runs], context.door.ledger


@pytest.mark.parametrize(
    ("network", "student"), [(chain, Echo), (asks_twice, echoes), (sorts, EmbeddedModel)], ids=["echo", "paid", "own"]
)
async def test_outcomes_and_account_are_those_of_a_local_run(
    network: Callable[[], Network], student: Callable[[], Any]
) -> None:
    rows = some(["apple", "saw"], 100)
    here, counted_here = await outcomes(network(), rows, student(), phase="gate", rollout=3)
    async with NearExecutor() as executor:
        there, counted_there = await outcomes(network(), rows, student(), executor, phase="gate", rollout=3)
    assert list(map(content, there)) == list(map(content, here))
    assert [run.trajectory.status for run in here] == ["ok"] * 100
    assert account(counted_there) == account(counted_here)


async def test_a_model_that_a_worker_can_make_is_asked_there_and_any_other_through_the_driver() -> None:
    async with NearExecutor() as executor:
        await outcomes(sorts(), some(["apple"], 20), EmbeddedModel(), executor)
        said = [message for link in executor.links.links for message in link.said]
        assert not any(isinstance(message, Asked | Lease) for message in said)
        await outcomes(chain(), some(["apple"], 20), Echo(), executor)
        said = [message for link in executor.links.links for message in link.said]
        assert sum(isinstance(message, Asked) for message in said) == 60


async def test_both_workers_get_their_share_in_chunks_and_the_network_travels_once_to_each() -> None:
    learned: list[str] = []
    async with NearExecutor() as executor:
        for link in executor.links.links:
            learn = link.learn
            link.learn = lambda parcel, forget, learn=learn: (learned.append(parcel.version), learn(parcel, forget))[1]  # type: ignore[method-assign]
        await outcomes(sorts(), some(["apple"], 200), EmbeddedModel(), executor)
        await outcomes(sorts(), some(["saw"], 200), EmbeddedModel(), executor)
        shares = [len(link.said) for link in executor.links.links]
    assert learned == [sorts().version] * 2
    assert sum(shares) == 400
    assert min(shares) > 100


async def test_a_worker_that_dies_in_the_middle_loses_no_row_and_no_paid_call_is_sent_twice() -> None:
    rows = some(["apple", "saw"], 100)
    here, counted_here = await outcomes(asks_twice(), rows, echoes())
    paid = echoes(latency=0.005)
    async with NearExecutor() as executor:

        async def murder() -> None:
            while len(paid.calls) < 60:
                await asyncio.sleep(0.001)
            executor.links.links[0].die()

        murdering = asyncio.create_task(murder())
        there, counted_there = await outcomes(asks_twice(), rows, paid, executor)
        await murdering
        assert len(executor.links.links) == 3  # another worker took its place
    assert list(map(content, there)) == list(map(content, here))
    assert account(counted_there) == account(counted_here)
    assert len(paid.calls) == 200
    assert len({call.text for call in paid.calls}) == 200


async def test_a_call_under_way_when_a_worker_dies_is_joined() -> None:
    paid = echoes(latency=0.1)
    async with NearExecutor(workers=1) as executor:
        running = asyncio.create_task(outcomes(asks_twice(), some(["apple"], 1), paid, executor))
        while not paid.calls:
            await asyncio.sleep(0.001)
        executor.links.links[0].die()
        (outcome,), ledger = await running
    assert outcome.trajectory.status == "ok"
    assert len(paid.calls) == 2
    assert ledger.total().calls == 2


async def test_a_row_that_ends_three_workers_fails_and_all_others_are_done() -> None:
    rows = some(["apple"], 50)
    rows[20] = ("the bad one", {"x": "deadly"})
    async with NearExecutor() as executor:
        found, _ = await outcomes(asks_twice(), rows, Echo(), executor)
        assert len(executor.links.links) == 2 + 3
    bad = found.pop(20)
    assert bad.trajectory.status == "error"
    assert isinstance(bad.error, NodeError)
    assert str(bad.error).startswith("agent 'asks_twice': row 'the bad one' has ended 3 workers")
    assert bad.trajectory.error == str(bad.error)
    assert [run.trajectory.status for run in found] == ["ok"] * 49


@pytest.mark.parametrize(
    ("network", "student"),
    [(sorts, EmbeddedModel), (lambda: Network("one", [prompt("one", "x", "a")]), echoes)],
    ids=["own", "paid"],
)
async def test_a_cap_on_calls_holds_across_workers(network: Callable[[], Network], student: Callable[[], Any]) -> None:
    async with NearExecutor() as executor:
        budget = Budget(max_calls=30)
        found, ledger = await outcomes(network(), some(["apple"], 100), student(), executor, budget=budget)
    assert ledger.total().calls == 30
    assert budget.used.calls == 30
    assert budget.held.calls == 0
    statuses = [run.trajectory.status for run in found]
    assert (statuses.count("ok"), statuses.count("budget")) == (30, 70)


async def test_what_a_dead_worker_had_reserved_is_given_back() -> None:
    budget = Budget(max_calls=30)
    async with NearExecutor(workers=1) as executor:
        running = asyncio.create_task(outcomes(sorts(), some(["apple"], 10), EmbeddedModel(), executor, budget=budget))
        while not budget.held.calls:
            await asyncio.sleep(0)
        executor.links.links[0].die()
        found, ledger = await running
    assert [run.trajectory.status for run in found] == ["ok"] * 10
    assert ledger.total().calls == 10
    assert budget.held.calls == 0


async def test_a_row_that_is_cancelled_is_dropped_by_its_worker_and_its_call_stopped() -> None:
    paid = echoes(latency=30)
    context = Context(student=paid, door=Door())
    async with NearExecutor(workers=1) as executor:
        (link,) = executor.links.links
        running = asyncio.create_task(executor.run(asks_twice(), {"x": "a"}, context))
        while not paid.calls:
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert context.door.ledger.total().estimated  # it may be billed
        while link.worker._jobs:
            await asyncio.sleep(0.001)
        found, _ = await outcomes(asks_twice(), some(["apple"], 5), Echo(), executor)  # and the worker goes on
    assert [run.trajectory.status for run in found] == ["ok"] * 5


async def test_a_node_whose_time_is_up_stops_its_call_at_the_driver() -> None:
    node = PromptNode("slow", "Write a.", inputs=["x"], output={"a": str}, timeout_s=0.05)
    network, rows = Network("slow", [node]), some(["apple"], 1)
    here, counted_here = await outcomes(network, rows, echoes(latency=30))
    async with NearExecutor() as executor:
        there, counted_there = await outcomes(network, rows, echoes(latency=30), executor)
        while not counted_there.total().calls:  # the worker's word of it may come after the outcome
            await asyncio.sleep(0.001)
    assert list(map(content, there)) == list(map(content, here))
    assert there[0].trajectory.status == "error"
    assert account(counted_there) == account(counted_here)


@pytest.mark.parametrize("error", [KeyRefused("not this key"), CannotAnswer("no prose"), RuntimeError("odd")])
async def test_an_error_of_a_model_comes_back_as_it_would_here(error: Exception) -> None:
    rows = some(["apple"], 3)
    here, _ = await outcomes(chain(), rows, ScriptedModel([Rule(error)]))
    async with NearExecutor() as executor:
        there, _ = await outcomes(chain(), rows, ScriptedModel([Rule(error)]), executor)
    assert list(map(content, there)) == list(map(content, here))


async def test_models_that_nodes_name_are_found_by_the_driver_and_a_wrong_name_fails_as_here() -> None:
    rows = some(["apple"], 2)
    for model in ("embedded", "gpt-4o"):
        network = Network("n", [prompt("one", "x", "a"), prompt("two", "a", "b", model=model)], [("one", "two")])
        here, _ = await outcomes(network, rows, Echo())
        async with NearExecutor() as executor:
            there, _ = await outcomes(network, rows, Echo(), executor)
        assert list(map(content, there)) == list(map(content, here))
        assert there[0].trajectory.status == "error"


async def test_inputs_that_do_not_fit_fail_as_here() -> None:
    rows = [("a", {"y": "?"}), ("b", {"x": object()}), ("c", {"x": "fine"})]
    here, _ = await outcomes(chain(), rows, Echo())
    async with NearExecutor() as executor:
        there, _ = await outcomes(chain(), rows, Echo(), executor)
    assert list(map(content, there)) == list(map(content, here))
    assert [run.trajectory.status for run in there] == ["error", "error", "ok"]


async def test_what_stands_in_for_code_that_writes_is_asked_at_the_driver() -> None:
    async def instead(name: str, arguments: Any) -> str:
        if arguments["x"] == "b":
            raise ValueError("no b")
        return f"{name} would get {arguments['x']}"

    rows = [("1", {"x": "a"}), ("2", {"x": "b"}), ("3", {"x": "deadly"})]
    here, _ = await outcomes(posts(), rows, Echo(), writes=instead)
    async with NearExecutor() as executor:
        there, _ = await outcomes(posts(), rows, Echo(), executor, writes=instead)
    assert list(map(content, there)) == list(map(content, here))
    assert [run.trajectory.output.get("y") for run in there] == ["post would get a", None, "post would get deadly"]


async def test_a_row_that_may_have_written_is_not_run_again() -> None:
    rows = [(str(at), {"x": "deadly" if at == 3 else "a"}) for at in range(6)]
    async with NearExecutor(workers=1) as executor:
        found, _ = await outcomes(posts(), rows, Echo(), executor)
        assert len(executor.links.links) == 2
    assert "its worker has died (it died in a test). Whether post had been called nobody knows" in str(found[3].error)
    assert {run.trajectory.status for run in found} <= {"ok", "error"}


async def test_code_that_no_other_process_could_find_is_refused_by_its_reference() -> None:
    async def inner(x: str) -> str:
        return x

    network = Network("n", [FunctionNode("echo", inner, output={"y": str})])
    async with NearExecutor() as executor:
        with pytest.raises(UsageError, match=r"echo: .*<locals>.inner exists in this process only.*top level"):
            await outcomes(network, some(["apple"], 1), Echo(), executor)


async def test_workers_that_never_start_end_the_run_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    started = 0

    class Broken:
        async def hello(self) -> int:
            nonlocal started
            started += 1
            raise WorkerLost("No module named 'agentsym'")

        def kill(self) -> None:
            pass

    class Links:
        def start(self) -> Any:
            return Broken()

        def keep(self, parcel: Any) -> Any:
            return parcel

    crew = Crew(Links(), 1)
    with pytest.raises(AgentsymError, match="no worker can be started: No module named 'agentsym'"):
        await crew.open()
    await crew.close()
    assert started == crew_module.STARTS


async def test_a_cluster_without_room_is_told_of_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "START_S", 0.01)

    class Waits:
        async def hello(self) -> int:
            await asyncio.sleep(60)
            return 0

        def kill(self) -> None:
            pass

    class Links:
        def start(self) -> Any:
            return Waits()

        def keep(self, parcel: Any) -> Any:
            return parcel

    crew = Crew(Links(), 2)
    with pytest.raises(AgentsymError, match=r"no worker has started .* CPUs are taken"):
        await crew.open()
    await crew.close()
