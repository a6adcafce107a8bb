"""The estimate of a dry run is the cost model of symbolic learning, phase by phase."""

from agentsym import Agent, PromptNode
from agentsym.learning.estimate import estimate_calls
from agentsym.learning.settings import Settings

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
