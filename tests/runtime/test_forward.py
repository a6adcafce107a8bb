"""What is recorded of a run, and that it is the same under every concurrency (D1, D2, D15)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from agentsym.errors import UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.network.network import Edge, Network, When
from agentsym.network.nodes import FunctionNode, ToolNode
from agentsym.network.prompt import Prompt
from agentsym.network.records import Trajectory
from agentsym.runtime.context import Context
from agentsym.runtime.forward import forward, forward_many
from tests.runtime.samples import Echo, briefs, chain, context, diamond, function, loop, prompt
from tests.virtual_time import run_virtual


def without_clock(trajectory: Trajectory) -> dict[str, Any]:
    plain = trajectory.model_dump()
    plain["seconds"] = plain["usage"]["seconds"] = 0.0
    for step in plain["steps"]:
        step["seconds"] = step["usage"]["seconds"] = 0.0
        for call in step["tool_calls"]:
            call["seconds"] = 0.0
    return plain


async def test_the_steps_of_a_chain_are_exact() -> None:
    network = chain()
    run = await forward(network, {"x": "hi"}, context(), example_id="e1")
    assert briefs(run) == [("one", 0, (), None, None), ("two", 0, (0,), None, None), ("three", 0, (1,), None, None)]
    assert [step.inputs for step in run.steps] == [{"x": "hi"}, {"a": "a(hi)"}, {"b": "b(a(hi))"}]
    assert run.steps[1].messages == Prompt(network.nodes[1]).messages({"a": "a(hi)"})  # type: ignore[arg-type]
    assert run.steps[1].raw == '{"b": "b(a(hi))"}'
    assert run.steps[1].parameters == {
        path: item.hash for path, item in network.parameters().items() if path.startswith("two/")
    }
    assert run.output == {"c": "c(b(a(hi)))"}
    assert (run.status, run.example_id, run.version, run.inputs) == ("ok", "e1", network.version, {"x": "hi"})
    assert run.usage.calls == 3


async def test_a_join_of_unequal_arms_runs_once_and_has_both_as_parents() -> None:
    run = await forward(diamond(), {"x": "hi"}, context())
    assert briefs(run) == [
        ("fork", 0, (), None, None),
        ("left", 0, (0,), None, None),
        ("right", 0, (0,), None, None),
        ("further", 0, (2,), None, None),
        ("join", 0, (1, 3), None, None),
    ]
    assert run.output == {"out": "l(a(hi))+f(r(a(hi)))"}


async def test_a_loop_counts_its_visits_and_says_who_chose_them() -> None:
    run = await forward(loop(), {"x": "m", "draft": ""}, context())
    assert briefs(run) == [
        ("write", 0, (), None, None),
        ("check", 0, (0,), None, "write"),
        ("write", 1, (0,), 1, None),
        ("check", 1, (2,), None, "write"),
        ("write", 2, (2,), 3, None),
        ("check", 2, (4,), None, "done"),
        ("done", 0, (4,), 5, None),
    ]
    assert (run.status, run.output) == ("ok", {"out": "MMM"})


async def test_a_cycle_that_has_had_its_visits_takes_the_way_out() -> None:
    run = await forward(loop(good_at=99, write_visits=2), {"x": "m", "draft": ""}, context())
    assert (run.status, run.output) == ("ok", {"out": "MM"})
    assert run.steps[-1].control_parent == 3


async def test_a_cycle_without_a_way_out_is_capped() -> None:
    async def again(x: str) -> str:
        return x

    async def never(y: str) -> str:
        return "no"

    nodes = [
        FunctionNode("a", again, output={"y": str}, max_visits=2),
        FunctionNode("b", never, output={"z": str}, max_visits=5),
    ]
    edges = [
        ("__start__", "a"),
        Edge(source="a", target="__end__", when=When(field="z", value="yes")),
        Edge(source="a", target="b", priority=1),
        ("b", "a"),
    ]
    run = await forward(Network("stuck", nodes, edges, outputs=["y"]), {"x": "m"}, context())
    assert [step.node for step in run.steps] == ["a", "b", "a", "b"]
    assert (run.status, run.output) == ("capped", {"y": "m"})


async def test_a_node_that_fails_keeps_the_steps_before_it_and_itself() -> None:
    async def breaks(a: str) -> str:
        raise LookupError("no such page")

    nodes = [prompt("one", "x", "a"), function("two", "b", breaks), prompt("three", "b", "c")]
    network = Network("fails", nodes, [("one", "two"), ("two", "three")], outputs=["c"])
    run = await forward(network, {"x": "hi"}, context())
    assert run.status == "error"
    assert run.error == "node 'two': LookupError: no such page"
    assert [(step.node, step.error) for step in run.steps] == [("one", None), ("two", "LookupError: no such page")]
    assert run.steps[1].inputs == {"a": "a(hi)"}
    assert run.output == {}


async def test_a_failed_step_is_the_last_one_also_beside_others() -> None:
    async def breaks(x: str) -> str:
        await asyncio.sleep(0.01)
        raise ValueError("bad")

    async def works(x: str) -> str:
        return x

    network = Network("side", [function("a", "p", breaks), function("b", "q", works)])
    run = await forward(network, {"x": "hi"}, context())
    assert [(step.node, step.error) for step in run.steps] == [("b", None), ("a", "ValueError: bad")]


async def test_a_model_that_answers_in_the_wrong_form_leaves_its_conversation() -> None:
    with ScriptedModel([Rule("nonsense", times=4)]) as model:
        run = await forward(chain(), {"x": "hi"}, context(model))
    (step,) = run.steps
    assert run.status == "error" and "4 attempts" in (run.error or "")
    assert step.raw == "nonsense" and step.usage.calls == 4
    assert [message.role for message in step.messages] == ["system", "user"] + ["assistant", "user"] * 3


async def test_a_malformed_answer_is_asked_for_again_with_the_reason() -> None:
    rules = [Rule('{"a": 1}', times=1), Rule('{"a": "ok"}', when="must be of type string", times=1)]
    network = Network("one", [prompt("one", "x", "a")])
    with ScriptedModel(rules) as model:
        run = await forward(network, {"x": "hi"}, context(model))
    assert run.output == {"a": "ok"} and run.usage.calls == 2


async def test_a_budget_stops_before_the_call_and_keeps_what_was_done() -> None:
    door = Door(budget=Budget(max_calls=2))
    run = await forward(chain(), {"x": "hi"}, Context(student=Echo(), door=door))
    assert run.status == "budget" and "cap of 2 model calls" in (run.error or "")
    assert [(step.node, step.error is None) for step in run.steps] == [("one", True), ("two", True), ("three", False)]


async def test_cancelling_is_not_an_examples_failure() -> None:
    with ScriptedModel([Rule('{"a": "x"}', latency=60)]) as model:
        task = asyncio.create_task(forward(chain(), {"x": "hi"}, context(model)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "takes x; missing: x"),
        ({"x": "a", "y": 1}, "takes x; unknown: y"),
        ({"x": {1, 2}}, "only JSON values"),
    ],
)
async def test_inputs_that_do_not_fit_are_said_clearly(inputs: dict[str, Any], message: str) -> None:
    run = await forward(chain(), inputs, context())
    assert run.status == "error" and message in (run.error or "")
    assert run.steps == ()


async def test_an_input_of_the_wrong_type_is_said_clearly() -> None:
    network = Network("typed", [ToolNode("t", twice, output="out")])
    run = await forward(network, {"n": "three"}, context())
    assert "input 'n' must be of type integer, got 'three' (str)" in (run.error or "")


def twice(n: int) -> int:
    return 2 * n


async def test_two_writers_of_one_field_at_once_are_an_error() -> None:
    async def same(x: str) -> str:
        return x

    # The lint refuses such a network; a copy with changes is not checked.
    network = Network("two", [function("a", "p", same), function("b", "q", same)], outputs=["p"])
    nodes = (network.nodes[0], network.nodes[1].model_copy(update={"output": network.nodes[0].output}))
    run = await forward(network.replace(nodes=nodes), {"x": "hi"}, context())
    assert run.status == "error"
    assert "nodes 'a' and 'b' both wrote 'p' at the same time" in (run.error or "")
    assert len(run.steps) == 2


async def rows(count: int) -> AsyncIterator[tuple[str, dict[str, str]]]:
    for number in range(count):
        yield f"e{number}", {"x": f"<{number}>"}


async def collected(network: Network, count: int, concurrency: int, student: Any) -> list[Trajectory]:
    runs = forward_many(network, rows(count), context(student), concurrency=concurrency)
    return [run async for run in runs]


def test_one_and_eight_workers_make_identical_trajectories_in_the_order_of_the_rows() -> None:
    def uneven(request: Any) -> str:
        return f'{{"{next(iter(request.schema_["properties"]))}": "y"}}'

    def student() -> ScriptedModel:
        slow = Rule(uneven, when=lambda request: "<3>" in request.messages[-1].content, latency=5.0)
        return ScriptedModel([slow, Rule(uneven, latency=0.05)], remote=False)

    one = run_virtual(collected(chain(), 24, 1, student())).result
    eight = run_virtual(collected(chain(), 24, 8, student())).result
    assert [run.example_id for run in one] == [f"e{number}" for number in range(24)]
    assert [without_clock(run) for run in one] == [without_clock(run) for run in eight]


def test_no_more_examples_run_at_once_than_allowed() -> None:
    model = ScriptedModel([Rule('{"a": "y"}', latency=0.05)], remote=False)
    run_virtual(collected(Network("one", [prompt("one", "x", "a")]), 40, 5, model))
    assert model.peak == 5


def test_a_batch_of_eight_takes_no_longer_than_two_single_runs() -> None:
    def seconds(count: int) -> float:
        model = ScriptedModel([Rule(lambda r: f'{{"{next(iter(r.schema_["properties"]))}": "y"}}', latency=0.05)])  # type: ignore[union-attr]
        return run_virtual(collected(chain(), count, 8, model)).seconds

    assert seconds(1) == pytest.approx(0.15)
    assert seconds(8) <= 2 * seconds(1)


async def test_memory_stays_flat_over_many_rows_and_rows_are_taken_as_needed() -> None:
    taken = 0

    def many() -> Iterator[tuple[str, dict[str, str]]]:
        nonlocal taken
        for number in range(3000):
            taken += 1
            yield str(number), {"x": "word " * 50 + str(number)}

    async def same(x: str) -> str:
        return x

    network = Network("one", [function("one", "a", same)])
    seen, live = 0, {}
    async for run in forward_many(network, many(), context(), concurrency=8):
        assert run.status == "ok"
        seen += 1
        assert taken - seen <= 32
        if seen in (500, 2900):
            gc.collect()
            live[seen] = len(gc.get_objects())
    assert seen == 3000
    assert live[2900] - live[500] < 300


async def test_leaving_early_cancels_what_is_under_way() -> None:
    with ScriptedModel([Rule('{"a": "y"}', latency=0.01)], remote=False) as model:
        runs = forward_many(Network("one", [prompt("one", "x", "a")]), rows(1000), context(model), concurrency=4)
        async for _ in runs:
            break
        await runs.aclose()  # type: ignore[attr-defined]
    assert len(model.calls) <= 17
    assert len(asyncio.all_tasks()) == 1


async def test_a_trajectory_s_id_is_the_same_on_every_run_and_another_for_another_rollout() -> None:
    first = await forward(chain(), {"x": "hi"}, context(), example_id="e")
    again = await forward(chain(), {"x": "hi"}, context(), example_id="e")
    other = await forward(chain(), {"x": "hi"}, context(rollout=1), example_id="e")
    assert first.id == again.id != other.id


async def test_a_concurrency_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        await anext(aiter(forward_many(chain(), [], context(), concurrency=0)))


async def test_a_node_that_takes_too_long_is_given_up() -> None:
    async def sleeps(x: str) -> str:
        await asyncio.sleep(60)
        return x

    network = Network("slow", [function("nap", "y", sleeps, timeout_s=0.02)])
    run = await forward(network, {"x": "hi"}, context())
    assert run.error == "node 'nap': it took longer than 0.02 seconds"


async def test_without_recording_there_are_no_steps() -> None:
    run = await forward(chain(), {"x": "hi"}, context(record=False))
    assert run.steps == () and run.output == {"c": "c(b(a(hi)))"}


async def test_what_is_no_json_cannot_leave_a_node() -> None:
    async def not_json(x: str) -> object:
        return object()

    network = Network("odd", [FunctionNode("odd", not_json, output="y")])
    run = await forward(network, {"x": "hi"}, context())
    assert "node 'odd'" in (run.error or "") and "only JSON values" in (run.error or "")
