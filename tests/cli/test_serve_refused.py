"""A start of `agentsym serve` that is refused leaves the deployment as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsym.cli.agents import find_agent
from agentsym.deploy.beginning import begin
from agentsym.network.network import Network
from agentsym.store.store import Store
from tests.cli.conftest import AGENT, Call

WRONG = {
    "the chat's input": (("--chat-input", "nope"), "--chat-input nope"),
    "the metric": (("--policy", "metric.yaml"), "nowhere.py"),
    "a pattern": (("--policy", "pattern.yaml"), "traces.patterns.order"),
}


@pytest.fixture(autouse=True)
def policies(place: Path) -> None:
    """Policies that can be read, but not be served."""
    (place / "metric.yaml").write_text("learning: {metric: 'nowhere.py:score'}\n", "utf-8")
    (place / "pattern.yaml").write_text("traces: {patterns: {order: '('}}\n", "utf-8")


def _edited(place: Path) -> Network:
    (place / "things" / "agent.py").write_text(AGENT.replace("what kind of thing", "which kind of thing"), "utf-8")
    return find_agent("things/agent.py:agent").agent


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_served_is_not_deployed(call: Call, wrong: str) -> None:
    flags, told = WRONG[wrong]
    found = call("serve", "things", "--port", "0", *flags)
    assert found.code == 2 and told in found.err
    with Store.open() as store:
        assert store.releases.deployments() == ()


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_served_does_not_become_live(call: Call, place: Path, wrong: str) -> None:
    with Store.open() as store:
        before = begin(store, "things", find_agent("things").agent, actor="test")
        _edited(place)
        assert call("serve", "things", "--take", "--port", "0", *WRONG[wrong][0]).code == 2
        assert store.releases.deployment("things") == before


@pytest.mark.parametrize("choice", [(), ("--take",), ("--keep",)])
def test_another_agent_cannot_take_a_deployments_name(call: Call, choice: tuple[str, ...]) -> None:
    with Store.open() as store:
        before = begin(store, "desk", find_agent("things").agent, actor="test")
        found = call("serve", "things/agent.py:other", "--name", "desk", "--port", "0", *choice)
        assert found.code == 2 and "'things', not of 'others'" in found.err.replace("\n", " ")
        assert "--name others" in found.err.replace("\n", " ")
        assert store.releases.deployment("desk") == before
