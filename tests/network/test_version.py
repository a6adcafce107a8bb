"""What a version is made of: content and nothing else, in every process and for every order."""

import json
import os
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsym.errors import NetworkError
from agentsym.network.canonical import FrozenDict, freeze
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, ToolNode
from agentsym.network.parameters import Number
from agentsym.network.prompt import Prompt
from tests.network.samples import ALL, chain, loop, networks, prompt_nodes, router

PROGRAM = """
import json, sys
from agentsym.network.network import Network
print(Network.model_validate(json.loads(sys.stdin.read())).version)
"""


def shuffled(value: Any, seed: int) -> Any:
    """The same plain data with its keys in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, seed)) for key, item in value.items()]
        random.Random(seed).shuffle(items)
        return dict(items)
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


@settings(max_examples=30)
@given(networks(), st.integers(0, 9))
def test_a_network_survives_json_and_keeps_its_version_for_every_order_of_keys_and_nodes(
    network: Network, seed: int
) -> None:
    plain = json.loads(network.model_dump_json())
    again = Network.model_validate(plain)
    assert again == network
    assert again.version == network.version
    for part in ("nodes", "edges"):
        random.Random(seed).shuffle(plain[part])
    assert Network.model_validate(shuffled(plain, seed)).version == network.version


@settings(max_examples=30)
@given(prompt_nodes("node"), st.integers(0, 9))
def test_what_a_model_reads_does_not_depend_on_the_order_of_keys(node: PromptNode, seed: int) -> None:
    again = PromptNode.model_validate(shuffled(node.model_dump(mode="json"), seed))
    values = {"question": "x"}
    assert list(again.parameters) == list(node.parameters)
    assert Prompt(again).messages(values) == Prompt(node).messages(values)


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_version_is_the_same_in_other_processes(seed: str) -> None:
    network = router()
    plain = json.dumps(shuffled(network.model_dump(mode="json"), int(seed)))
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=plain, capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == network.version


def test_inferred_fields_do_not_depend_on_the_order_of_the_nodes() -> None:
    network = loop()
    turned = Network("loop", network.nodes[::-1], network.edges[::-1], structure=network.structure)
    assert turned.version == Network("loop", network.nodes, network.edges, structure=network.structure).version


def test_every_weight_is_in_the_version() -> None:
    network = chain()
    versions = {network.version}
    changed = {"draft/instructions": "Other.", "draft/rules": ["Other."], "calc/description": "Other."}
    for path, value in changed.items():
        other = network.with_parameter(path, network.parameter(path).with_value(value))
        versions.add(other.version)
    assert len(versions) == len(changed) + 1


def test_remembering_a_version_makes_no_difference() -> None:
    known = chain()
    assert known.version
    assert known == chain()
    assert hash(known) == hash(chain())


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_values_can_be_taken_out_and_put_back(name: str) -> None:
    network = ALL[name]()
    assert network.load_state_dict(network.state_dict()).version == network.version


def test_other_values_make_the_agent_that_has_them() -> None:
    tuned = chain().load_state_dict({**chain().state_dict(), "draft/instructions": "Shout {{question}}."})
    assert tuned.parameter("draft/instructions").content == "Shout {{question}}."
    assert chain().load_state_dict(tuned.state_dict()).version == tuned.version


def test_values_of_other_parameters_are_refused_and_named() -> None:
    values = chain().state_dict()
    del values["draft/rules"]
    with pytest.raises(NetworkError, match="missing: draft/rules") as caught:
        chain().load_state_dict({**values, "draft/stile": ""})
    assert "unknown: draft/stile" in str(caught.value)
    assert chain().load_state_dict({**values, "draft/stile": ""}, strict=False) == chain()


def test_freezing_is_undone_by_unfreezing_and_stands_in_the_version() -> None:
    frozen = chain().freeze("draft/rules", "structure")
    assert not frozen.parameter("draft/rules").learnable
    assert not frozen.structure.learnable
    assert frozen.version != chain().version
    assert frozen.unfreeze("draft/rules", "structure") == chain()


def test_a_network_cannot_be_changed_in_place() -> None:
    network = chain()
    node = network.node("draft")
    changes = (
        lambda: setattr(network, "name", "other"),
        lambda: setattr(node, "description", "other"),
        lambda: node.parameters.__setitem__("rules", None),  # type: ignore[attr-defined]
        lambda: network.parameters()["final/examples"].value[0].input.update(notes="2"),  # type: ignore[attr-defined]
    )
    for change in changes:
        with pytest.raises((TypeError, ValueError)):
            change()
    assert network.version == chain().version


@pytest.mark.parametrize(
    "how", ["__setitem__", "__delitem__", "update", "pop", "popitem", "clear", "setdefault", "__ior__"]
)
def test_a_frozen_dictionary_refuses_every_mutation(how: str) -> None:
    frozen = freeze({"a": [1, {"b": 2}]})
    with pytest.raises(TypeError, match="immutable"):
        getattr(frozen, how)(*(("a", 1) if how in ("__setitem__", "setdefault") else ("a",) if "del" in how else ({},)))
    assert frozen == {"a": (1, {"b": 2})}
    assert isinstance(frozen["a"][1], FrozenDict)


def test_a_value_that_was_put_in_does_not_change_with_its_source() -> None:
    row: dict[str, Any] = {"input": {"notes": ["x"]}, "output": {"verdict": "no"}}
    network = chain()
    network = network.with_parameter("final/examples", network.parameter("final/examples").with_value([row]))
    version = network.version
    row["input"]["notes"].append("y")
    assert network.replace().version == version


def above(value: float, threshold: float) -> bool:
    """Say whether a value is above a threshold."""
    return value > threshold


def test_a_tool_node_takes_the_declared_weights_of_a_plain_function() -> None:
    node = ToolNode("check", above, output="high", parameters={"threshold": Number(0.5, 0.0, 1.0)})
    network = Network("gauge", [node])
    assert network.state_dict()["check/threshold"] == 0.5
    assert [field.name for field in network.inputs] == ["value"]
