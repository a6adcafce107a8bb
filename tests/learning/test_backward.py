"""Back-propagation: who is asked, in which order, and what each is told (D3, D4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agentsym.errors import BudgetExceeded, OutputError
from agentsym.learning.backward import backward, learnable_at, step_dag
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, PromptNode
from agentsym.network.records import Gradient, LossReport, Step, Trajectory
from tests.learning.runs import (
    chain,
    frozen_at,
    lossy,
    passes_tokens,
    prompt_node,
    scripted,
    step_asked,
    straight,
    teacher_of,
    trajectory,
)


def diamond() -> Network:
    """0 → 1 → 2 → 4 and 0 → 3 → 4: arms of unequal length."""
    return Network(
        "diamond",
        [
            prompt_node("a", ["question"]),
            prompt_node("b", ["a_out"]),
            prompt_node("c", ["b_out"]),
            prompt_node("d", ["a_out"]),
            prompt_node("e", ["c_out", "d_out"], join="all"),
        ],
        [("a", "b"), ("b", "c"), ("c", "e"), ("a", "d"), ("d", "e")],
        outputs=["e_out"],
    )


DIAMOND = [("a", ()), ("b", (0,)), ("c", (1,)), ("d", (0,)), ("e", (2, 3))]


class Critic:
    """A teacher that is told what to answer for each step, and keeps what it was told."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.told: dict[int, list[str]] = {}

    async def gradient(
        self, network: Network, run: Trajectory, step: Step, loss: LossReport, messages: Sequence[str], lr: float
    ) -> Gradient:
        self.told[step.index] = list(messages)
        answer = self.answers.get(f"step{step.index}", {})
        if isinstance(answer, Exception):
            raise answer
        wanted = dict.fromkeys(step.parents, f"{step.index} wants")
        known = {"example_id": loss.example_id, "step": step.index, "node": step.node, "requirements": wanted}
        return Gradient(**(known | answer))


async def asked_of(network: Network, run: Trajectory, loss: LossReport | None = None, **options: Any) -> Critic:
    critic = Critic(**options.pop("answers", {}))
    await backward(critic, network, run, loss or lossy(), lr=0.5, **options)  # type: ignore[arg-type]
    return critic


def test_the_step_graph_has_an_edge_for_what_was_read_and_for_who_chose() -> None:
    network = chain("a", "b", "c")
    run = trajectory(network, [("a", ()), ("b", (0,)), ("c", (1,))], changes={2: {"control_parent": 0}})
    assert set(step_dag(run).edges) == {(0, 1), (1, 2), (0, 2)}


async def test_calls_go_from_the_last_step_to_the_first_and_each_prompt_holds_its_successors_token() -> None:
    network = chain("a", "b", "c", "d")
    model = scripted(passes_tokens)
    gradients = await backward(teacher_of(model), network, straight(network), lossy("LOSS-TOKEN"), lr=0.5)
    assert [step_asked(call.request) for call in model.calls] == [3, 2, 1, 0]
    for call, token in zip(model.calls, ["LOSS-TOKEN", "TOKEN-3-TO-2", "TOKEN-2-TO-1", "TOKEN-1-TO-0"], strict=True):
        assert token in call.text
    assert "LOSS-TOKEN" not in model.calls[1].text
    assert [item.node for item in gradients] == ["a", "b", "c", "d"]
    assert gradients[2].requirements == {1: "TOKEN-2-TO-1"}


async def test_the_first_step_has_no_slot_for_a_parent() -> None:
    network = chain("a", "b")
    model = scripted(passes_tokens)
    await backward(teacher_of(model), network, straight(network), lossy(), lr=0.5)
    last, first = model.calls
    assert "# The steps before it" in last.text and "requirement_for_previous" in last.text
    assert "# The steps before it" not in first.text and "requirement_for_previous" not in first.text
    assert "This step is the first one" in first.text
    assert "requirement_for_previous" not in str(first.request.schema_)


async def test_parallel_arms_get_only_their_own_message_and_the_fork_gets_both_in_order() -> None:
    network = diamond()
    model = scripted(passes_tokens)
    await backward(teacher_of(model), network, trajectory(network, DIAMOND), lossy(), lr=0.5)
    text = {step_asked(call.request): call.text for call in model.calls}
    assert "TOKEN-4-TO-2" in text[2] and "TOKEN-4-TO-3" not in text[2]
    assert "TOKEN-4-TO-3" in text[3] and "TOKEN-4-TO-2" not in text[3]
    assert text[0].index("TOKEN-1-TO-0") < text[0].index("TOKEN-3-TO-0")
    assert len(model.calls) == 5


async def test_steps_without_order_relation_are_asked_at_the_same_time() -> None:
    network, under_way, most = diamond(), set[int](), list[set[int]]()

    class Slow(Critic):
        async def gradient(self, *given: Any) -> Gradient:
            step = given[2]
            under_way.add(step.index)
            most.append(set(under_way))
            await asyncio.sleep(0.02 if step.index == 3 else 0.001)
            under_way.discard(step.index)
            return await super().gradient(*given)

    await backward(Slow(), network, trajectory(network, DIAMOND), lossy(), lr=0.5)  # type: ignore[arg-type]
    assert {3, 1} in most and {3, 2} in most


async def test_a_frozen_suffix_is_asked_and_passes_on_while_a_frozen_prefix_is_not_asked() -> None:
    run = straight(chain("a", "b", "c", "d"))
    for frozen, asked in [("cd", 4), ("ab", 2), ("abc", 1), ("bcd", 4), ("abcd", 0), ("", 4)]:
        network = chain("a", "b", "c", "d", frozen=frozen)
        model = scripted(passes_tokens)
        gradients = await backward(teacher_of(model), network, run, lossy(), lr=0.5)
        trainable = [at for at, node in enumerate("abcd") if node not in frozen]
        assert len(model.calls) == asked == (4 - min(trainable) if trainable else 0)
        assert [item.status for item in gradients] == ["skipped"] * (4 - asked) + ["ok"] * asked
        assert not any(item.satisfied for item in gradients)


async def test_a_frozen_step_can_suggest_nothing() -> None:
    network = chain("a", "b", frozen="b")
    model = scripted(passes_tokens)
    await backward(teacher_of(model), network, straight(network), lossy(), lr=0.5)
    assert "This node is fixed" in model.calls[0].text
    assert "suggestions" not in str(model.calls[0].request.schema_)
    assert "TOKEN-1-TO-0" in model.calls[1].text


async def test_a_satisfied_loss_reaches_every_step_without_a_call() -> None:
    network = chain("a", "b", "c")
    critic = Critic()
    gradients = await backward(critic, network, straight(network), lossy("", 1.0, satisfied=True), lr=0.5)  # type: ignore[arg-type]
    assert not critic.told
    assert all(item.satisfied and item.status == "skipped" and item.attempts == 0 for item in gradients)


async def test_a_satisfied_step_satisfies_those_before_it_except_those_it_requires_something_of() -> None:
    network = diamond()
    answer = {"satisfied": True, "requirements": {3: "give more"}}
    critic = await asked_of(network, trajectory(network, DIAMOND), answers={"step4": answer})
    assert critic.told == {4: ["the loss wants better"], 3: ["give more"], 0: ["3 wants"]}


async def test_a_step_that_nobody_required_anything_of_is_not_asked() -> None:
    network = diamond()
    critic = await asked_of(network, trajectory(network, DIAMOND), answers={"step4": {"requirements": {2: "more"}}})
    assert sorted(critic.told) == [0, 1, 2, 4]


async def test_the_one_who_chose_a_step_hears_of_it_although_its_output_was_not_read() -> None:
    network = chain("a", "b")
    run = trajectory(network, [("a", ()), ("b", ())], changes={1: {"control_parent": 0}})
    critic = await asked_of(network, run, answers={"step1": {"requirements": {0: "choose the other one"}}})
    assert critic.told[0] == ["choose the other one"]


async def test_the_error_reaches_the_step_that_failed_and_no_other_writer_of_the_output() -> None:
    network = diamond().replace(outputs=("c_out", "d_out"))
    steps = [("a", ()), ("b", (0,)), ("d", (0,)), ("c", (1,))]
    run = trajectory(network, steps, changes={3: {"error": "KeyError: 'year'", "output": {}}})
    critic = await asked_of(network, run, lossy("find the year"))
    assert sorted(critic.told) == [0, 1, 3]
    assert "KeyError: 'year'" in critic.told[3][0] and "find the year" in critic.told[3][0]


async def test_a_run_that_wrote_no_output_blames_its_last_step() -> None:
    network = chain("a", "b")
    run = trajectory(network, [("a", ())]).model_copy(update={"status": "capped"})
    assert sorted((await asked_of(network, run)).told) == [0]


async def test_each_visit_of_a_loop_gets_its_own_gradient() -> None:
    network = chain("write", "check")
    run = trajectory(network, [("write", ()), ("check", (0,)), ("write", (1,)), ("check", (2,))])
    critic = Critic()
    gradients = await backward(critic, network, run, lossy(), lr=0.5)  # type: ignore[arg-type]
    assert [(item.node, item.step) for item in gradients] == [("write", 0), ("check", 1), ("write", 2), ("check", 3)]
    assert critic.told == {3: ["the loss wants better"], 2: ["3 wants"], 1: ["2 wants"], 0: ["1 wants"]}


@pytest.mark.parametrize("invalid", [{"status": "invalid", "requirements": {}}, OutputError("no legal answer")])
async def test_an_invalid_gradient_passes_its_message_on_unchanged_to_all_parents(invalid: Any) -> None:
    network = diamond()
    critic = Critic(step4=invalid)
    gradients = await backward(critic, network, trajectory(network, DIAMOND), lossy(), lr=0.5)  # type: ignore[arg-type]
    assert critic.told[2] == critic.told[3] == ["the loss wants better"]
    assert gradients[4].status == "invalid"


async def test_a_malformed_gradient_is_asked_four_times_and_its_errors_are_quoted() -> None:
    network = chain("a", "b")

    def answer(request: Any) -> Any:
        reply = passes_tokens(request)
        wrong = [{"parameter": "a/rules", "advice": "x", "severity": 2}]
        return reply | {"suggestions": wrong} if step_asked(request) == 1 else reply

    model = scripted(answer)
    gradients = await backward(teacher_of(model), network, straight(network), lossy("LOSS-TOKEN"), lr=0.5)
    assert [step_asked(call.request) for call in model.calls] == [1, 1, 1, 1, 0]
    assert "suggestions.0.parameter" in model.calls[1].text
    assert gradients[1].status == "invalid" and gradients[1].attempts == 4
    assert "LOSS-TOKEN" in model.calls[4].text


async def test_front_to_back_and_last_only_ask_nobody_but_the_last_step() -> None:
    network = chain("a", "b", "c")
    assert sorted((await asked_of(network, straight(network), order="forward")).told) == [2]
    assert sorted((await asked_of(network, straight(network), order="last")).told) == [2]
    assert sorted((await asked_of(network, straight(network), order="reverse")).told) == [0, 1, 2]


async def test_inner_agents_are_walked_through_and_their_parameters_found() -> None:
    inner = Network(
        "inner", [prompt_node("x", ["a_out"]), prompt_node("y", ["x_out"])], [("x", "y")], outputs=["y_out"]
    )
    network = Network(
        "outer", [prompt_node("a", ["question"]), AgentNode("mid", inner)], [("a", "mid")], outputs=["y_out"]
    )
    run = trajectory(network, [("a", ()), ("mid/x", (0,)), ("mid/y", (1,))])
    assert set(learnable_at(network, "mid/x")) == {"mid/x/instructions", "mid/x/rules", "mid/x/examples"}
    model = scripted(passes_tokens)
    gradients = await backward(teacher_of(model), network, run, lossy(), lr=0.5)
    assert [item.node for item in gradients] == ["a", "mid/x", "mid/y"]
    assert "mid/x/rules" in model.calls[1].text and "the x node" in model.calls[1].text
    frozen = frozen_at(network, "mid")
    assert sorted((await asked_of(frozen, run)).told) == [0, 1, 2]


async def test_a_private_field_of_an_inner_agent_is_not_taken_for_the_output() -> None:
    inner = Network(
        "inner", [prompt_node("b", ["a_out"]), prompt_node("y", ["b_out"])], [("b", "y")], outputs=["y_out"]
    )
    network = Network(
        "outer",
        [prompt_node("a", ["question"]), AgentNode("mid", inner), prompt_node("b", ["y_out"])],
        [("a", "mid"), ("mid", "b")],
        outputs=["b_out", "a_out"],
    )
    run = trajectory(network, [("a", ()), ("b", ()), ("mid/b", (0,))])
    assert sorted((await asked_of(network, run)).told) == [0, 1]


async def test_a_cap_ends_the_walk_with_its_own_error() -> None:
    network = chain("a", "b")
    with pytest.raises(BudgetExceeded):
        await asked_of(network, straight(network), answers={"step1": BudgetExceeded("no more calls")})


async def test_where_each_field_was_judged_only_who_wrote_a_wrong_one_is_asked() -> None:
    """Three steps write a field of the output each; the metric finds the second wrong, the third is not judged."""
    chain = Network(
        "three",
        [
            PromptNode("a", inputs=["q"], output={"x": str}),
            PromptNode("b", inputs=["q"], output={"y": str}),
            PromptNode("c", inputs=["q"], output={"z": str}),
        ],
    )
    run = Trajectory(
        id="t",
        version=chain.version,
        steps=tuple(Step(index=i, node=n, output={f: "v"}) for i, (n, f) in enumerate(zip("abc", "xyz", strict=True))),
        output=dict.fromkeys("xyz", "v"),
    )
    report = LossReport(example_id="e", score=0.5, text="y is wrong", requirement="y", metrics={"x": 1.0, "y": 0.0})
    asked: list[tuple[str, list[str]]] = []

    class Teacher:
        async def gradient(self, network: Network, trajectory: Trajectory, step: Step, *rest: Any) -> Gradient:
            asked.append((step.node, list(rest[1])))
            return Gradient(example_id="e", step=step.index, node=step.node)

    gradients = await backward(Teacher(), chain, run, report, lr=1.0)
    assert asked == [("b", ["y"])]
    assert [gradient.status for gradient in gradients] == ["skipped", "ok", "skipped"]
    assert [gradient.satisfied for gradient in gradients] == [True, False, False]
