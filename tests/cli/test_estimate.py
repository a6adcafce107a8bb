"""The estimate of a dry run is the cost model of symbolic learning, phase by phase, and a guess at tokens."""

import pytest

from agentsym import Agent, PromptNode
from agentsym.learning.estimate import STUDENT, TEACHER, estimate_calls, estimate_symbolic_calls, estimate_usage
from agentsym.learning.protocols import Row
from agentsym.learning.settings import Settings
from agentsym.learning.symbolic.recipe import Recipe, recipe_named
from agentsym.network.parameters import Structure

ROWS = {"train": 40, "val": 20, "test": 30, "must_pass": 5}
ALL = frozenset({"batch", "val", "must_pass"})


def chain(*frozen: str) -> Agent:
    nodes = [
        PromptNode(name, "Go on.", inputs=[reads], output={name: str})
        for reads, name in (("question", "a"), ("a", "b"), ("b", "c"))
    ]
    return Agent("chain", nodes=nodes, edges=[("a", "b"), ("b", "c")]).freeze(*frozen)


def test_a_chain_with_a_prompted_teacher_and_a_metric() -> None:
    settings = Settings(steps=10)
    calls = estimate_calls(chain(), ROWS, 4, settings, lr=1.0, looks_at=ALL, teacher_asks=True, judged=False)
    assert calls == {
        "forward": 10 * 3 * 4,
        "loss": 10 * 4,
        "backward": 10 * 3 * 4,
        "optimizer": 10 * 9,  # instructions, rules and examples of three nodes
        "gate": 3 * 25 + 10 * 3 * (4 + 25),
        "test": 2 * 3 * 30,
    }


def test_a_judge_is_asked_for_every_score() -> None:
    settings = Settings(steps=1)
    calls = estimate_calls(
        chain(), {"train": 8}, 4, settings, lr=0.5, looks_at=frozenset({"batch"}), teacher_asks=True, judged=True
    )
    assert (calls["gate"], calls["test"], calls["loss"]) == (4 * (3 + 1), 0, 4)


def test_frozen_nodes_before_all_others_get_no_gradient_and_half_the_rate_half_the_updates() -> None:
    agent = chain("a/instructions", "a/rules", "a/examples")
    settings = Settings(steps=1, comments="metric")
    calls = estimate_calls(agent, ROWS, 4, settings, lr=0.5, looks_at=ALL, teacher_asks=True, judged=False)
    assert (calls["backward"], calls["optimizer"], calls["loss"]) == (2 * 4, 3, 0)


def test_the_embedded_teacher_makes_no_calls() -> None:
    calls = estimate_calls(chain(), ROWS, 40, Settings(steps=2), lr=1.0, looks_at=ALL, teacher_asks=False, judged=False)
    assert calls["loss"] == calls["backward"] == calls["optimizer"] == 0


def test_samples_multiply_and_score_the_base_anew() -> None:
    settings = Settings(steps=1, samples=2)
    calls = estimate_calls(
        chain(), ROWS, 4, settings, lr=0.5, looks_at=frozenset({"batch"}), teacher_asks=False, judged=False
    )
    assert calls["gate"] == 2 * 3 * 2 * 4
    assert calls["test"] == 2 * 3 * 2 * 30


def test_the_combined_algorithm_asks_for_blame_and_edits_of_failures_only() -> None:
    settings = Settings(steps=10)
    calls = estimate_symbolic_calls(chain(), ROWS, 20, settings, Recipe(), looks_at=ALL, judged=False)
    assert calls == {
        "forward": 10 * 3 * 20,
        "loss": 0,
        "backward": 10 * 8 // 4,
        "optimizer": 10 * 8 * 3,
        "gate": 3 * 25 + 10 * 3 * (25 + 4 * 8 + 3 * 8),
        "test": 2 * 3 * 30,
    }


def test_what_a_recipe_switches_off_is_not_reckoned() -> None:
    def calls(recipe: Recipe) -> dict[str, int]:
        return dict(estimate_symbolic_calls(chain(), ROWS, 3, Settings(steps=1), recipe, looks_at=ALL, judged=False))

    assert calls(Recipe(blame="last"))["backward"] == 0
    assert calls(Recipe(fix=False, regression=0))["gate"] == 3 * (25 + 25)
    textgrad = calls(recipe_named("textgrad"))
    assert (textgrad["backward"], textgrad["optimizer"]) == (3 * 3, 3), "node by node, one answer for each node"


def test_a_pipeline_that_can_be_changed_is_drafted() -> None:
    agent = Agent("chain", nodes=chain().nodes, edges=chain().edges, structure=Structure(learnable=True))
    calls = estimate_symbolic_calls(agent, ROWS, 20, Settings(steps=1), Recipe(), looks_at=ALL, judged=False)
    assert calls["optimizer"] == 8 * 3 + 4


def test_tokens_follow_the_prompts_and_the_rows() -> None:
    calls = {"forward": 6, "loss": 2, "backward": 4, "optimizer": 1, "gate": 12, "test": 0}
    short, long = ([Row(id="1", inputs={"question": "x" * size})] for size in (400, 4400))
    usage = estimate_usage(chain(), short, 4, calls, judged=False, combined=False)
    assert {who for who, _ in usage} == {STUDENT, TEACHER}
    assert usage[TEACHER, "loss"].completion_tokens == 2 * 400
    assert usage[STUDENT, "gate"].prompt_tokens == pytest.approx(2 * usage[STUDENT, "forward"].prompt_tokens, abs=3)
    more = estimate_usage(chain(), long, 4, calls, judged=False, combined=False)
    grown = more[STUDENT, "forward"].prompt_tokens - usage[STUDENT, "forward"].prompt_tokens
    assert grown == pytest.approx(2 * 1000, abs=3), "one node in three reads the question, a token has 4 characters"


def test_a_node_with_a_model_of_its_own_is_counted_for_that_model() -> None:
    agent = Agent("two", [PromptNode("a", "Go.", inputs=["question"], output={"a": str}, model="openai/large")])
    usage = estimate_usage(
        agent, [Row(id="1", inputs={"question": "x"})], 4, {"forward": 5}, judged=False, combined=False
    )
    assert [(who, used.calls) for (who, _), used in usage.items()] == [("openai/large", 5)]


def test_a_judge_is_paid_at_the_gate_too() -> None:
    agent = Agent("one", [PromptNode("a", "Go.", inputs=["question"], output={"a": str})])
    usage = estimate_usage(agent, [Row(id="1", inputs={"question": "x"})], 4, {"gate": 10}, judged=True, combined=False)
    assert {who: used.calls for (who, _), used in usage.items()} == {STUDENT: 5, TEACHER: 5}
