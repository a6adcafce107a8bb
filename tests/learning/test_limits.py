"""The learning rate is a limit that code enforces, to the item and to the character (D11)."""

import pytest

from agentsym.learning.optimizers.limits import parameters_allowed, sentences, violations
from agentsym.network.edits import AddItem, DropItem, ReplaceItem, SetParameter
from agentsym.network.fields import Choice
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode


def network(rules: int = 4, instructions: str = "abcdefghij") -> Network:
    node = PromptNode(
        "node",
        instructions,
        inputs=["text"],
        output={"label": Choice({"a": "first", "b": "second", "c": "third", "d": ""})},
        rules=[f"rule {number}" for number in range(rules)],
    )
    return Network("small", [node])


def problems(base: Network, edits: list, path: str, lr: float) -> list[str]:
    return list(violations(base, base.apply(edits), path, lr))


def drops(base: Network, count: int) -> list[DropItem]:
    return [DropItem(path="node/rules", id=rule.id) for rule in base.parameter("node/rules").value[:count]]


def test_half_of_four_rules_may_be_dropped_and_not_one_more():
    base = network()
    assert problems(base, drops(base, 2), "node/rules", 0.5) == []
    assert "3 items" in problems(base, drops(base, 3), "node/rules", 0.5)[0]


def test_one_item_may_always_change():
    base = network()
    assert problems(base, drops(base, 1), "node/rules", 0.01) == []


def test_additions_are_free():
    base = network()
    added = [AddItem(path="node/rules", item=f"`{label}` new") for label in "abcd"]
    assert problems(base, added, "node/rules", 0.1) == []


def test_replacing_counts_like_dropping():
    base = network()
    first, second = base.parameter("node/rules").value[:2]
    replaced = ReplaceItem(path="node/rules", id=first.id, item="another")
    assert problems(base, [replaced, DropItem(path="node/rules", id=second.id)], "node/rules", 0.25) != []
    assert problems(base, [replaced], "node/rules", 0.25) == []


def test_filling_an_empty_definition_is_an_addition():
    base = network()
    fill = ReplaceItem(path="node/choices/label", id="d", item="fourth")
    rewrites = [ReplaceItem(path="node/choices/label", id=label, item="new") for label in "ab"]
    assert problems(base, [fill, rewrites[0]], "node/choices/label", 0.3) == []
    assert problems(base, [fill, *rewrites], "node/choices/label", 0.3) != []


@pytest.mark.parametrize(("text", "legal"), [("abcdefghiX", True), ("abcdeXXXXX", True), ("abcdXXXXXX", False)])
def test_a_text_may_change_by_the_learning_rate(text, legal):
    base = network()
    assert (
        problems(base, [SetParameter(path="node/instructions", value=text)], "node/instructions", 0.5) == []
    ) is legal


def test_an_empty_text_may_become_anything():
    base = network(instructions="")
    assert problems(base, [SetParameter(path="node/instructions", value="all new")], "node/instructions", 0.1) == []


@pytest.mark.parametrize(
    ("suggested", "lr", "allowed"), [(4, 0.5, 2), (3, 0.5, 2), (1, 0.1, 1), (5, 1.0, 5), (0, 0.5, 0)]
)
def test_the_learning_rate_bounds_how_many_parameters_one_step_touches(suggested, lr, allowed):
    assert parameters_allowed(suggested, lr) == allowed


def test_the_limits_are_told_as_sentences():
    base = network()
    told = {path: " ".join(sentences(base.parameter(path), 0.5)) for path in base.parameters()}
    assert "at most 2 rules" in told["node/rules"]
    assert "at most 50%" in told["node/instructions"]
    assert "Labels never change" in told["node/choices/label"]
