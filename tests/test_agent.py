"""`Agent`, as the architecture page says that a user writes it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentsym
from agentsym import Agent, AgentNode, Choice, PromptNode, ToolNode, load_tool
from agentsym.errors import NodeError, UsageError
from tests.runtime.samples import Echo, chain, prompt

URGENCIES = {"now": "It burns.", "this_week": "It can wait."}


def support() -> Agent:
    triage = PromptNode(
        "triage",
        instructions="Decide how soon it is needed.",
        inputs=["message"],
        output={"urgency": Choice(URGENCIES)},
    )
    reply_by = ToolNode("reply_by", load_tool("deadline"), inputs=["urgency", "arrived"], output="due")
    return Agent("support", nodes=[triage, reply_by], edges=[("triage", "reply_by")])


ROW = {"message": "the oven burns now", "arrived": "2026-11-23T09:30"}


def test_an_agent_runs_with_no_key_and_no_setting() -> None:
    assert support().invoke(ROW) == {"urgency": "now", "due": "2026-11-23T10:30"}


async def test_every_way_to_run_an_agent_gives_the_same() -> None:
    agent = support()
    expected = {"urgency": "now", "due": "2026-11-23T10:30"}
    assert await agent.ainvoke(ROW) == expected
    assert agent.invoke(ROW) == expected
    assert agent.batch([ROW, ROW]) == [expected, expected]
    assert await agent.abatch([ROW]) == [expected]
    assert [update async for update in agent.astream(ROW)] == [
        {"triage": {"urgency": "now"}},
        {"reply_by": {"due": "2026-11-23T10:30"}},
    ]
    assert list(agent.stream(ROW)) == [update async for update in agent.astream(ROW)]
    assert await agent.compile().ainvoke(ROW) == expected


def test_the_student_can_be_any_model() -> None:
    agent = Agent("one", [prompt("one", "x", "a")])
    assert agent.invoke({"x": "hi"}, student=Echo()) == {"a": "a(hi)"}
    with pytest.raises(UsageError, match="no provider 'no'"):
        agent.invoke({"x": "hi"}, student="no/body")


def test_a_batch_can_return_exceptions() -> None:
    good, bad = support().batch([ROW, {**ROW, "arrived": "yesterday"}], return_exceptions=True)
    assert good["due"] == "2026-11-23T10:30"
    assert isinstance(bad, NodeError) and "node 'reply_by'" in str(bad)


def test_an_agent_is_saved_and_loaded_as_an_agent(tmp_path: Path) -> None:
    agent = support()
    agent.save(tmp_path / "support")
    loaded = Agent.load(tmp_path / "support")
    assert type(loaded) is Agent and loaded.version == agent.version
    assert loaded.invoke(ROW) == agent.invoke(ROW)


def test_a_changed_agent_is_an_agent_and_runs_as_changed() -> None:
    agent = Agent("one", [prompt("one", "x", "a")])
    agent.invoke({"x": "hi"}, student=Echo())
    values = {**agent.state_dict(), "one/instructions": "Say {{x}}."}
    changed = agent.load_state_dict(values)
    assert type(changed) is Agent
    assert changed.invoke({"x": "hi"}, student=Echo()) != agent.invoke({"x": "hi"}, student=Echo())
    assert "one/instructions" in str(agent.diff(changed).text())


def test_an_agent_shows_itself() -> None:
    text = str(support())
    assert text.splitlines()[0].startswith("support (")
    assert "takes message, arrived; gives urgency, due" in text
    assert "triage (prompt): message → urgency" in text
    assert "then reply_by" in text and "then END" in text
    assert support().mermaid().startswith("flowchart TD")


def test_an_agent_can_be_a_node_of_another() -> None:
    outer = Agent(
        "outer",
        [AgentNode("inner", Agent("inner", [prompt("one", "x", "a")])), prompt("two", "a", "b")],
        [("inner", "two")],
    )
    assert outer.invoke({"x": "hi"}, student=Echo()) == {"a": "a(hi)", "b": "b(a(hi))"}
    assert "runs inner" in str(outer)


def test_the_graph_is_compiled_once_a_value() -> None:
    agent = Agent("chain", chain().nodes, chain().edges, outputs=["c"])
    asyncio.run(agent.ainvoke({"x": "hi"}, student=Echo()))
    from agentsym.runtime.compile import compiled

    assert compiled(agent) is compiled(agent)
    assert agent == Agent("chain", chain().nodes, chain().edges, outputs=["c"])


def test_everything_promised_can_be_imported() -> None:
    assert {name for name in agentsym.__all__ if getattr(agentsym, name, None) is None} == set()
    assert set(agentsym.__all__) <= set(dir(agentsym))
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        agentsym.Agnet  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import agentsym", ("langgraph", "networkx", "sqlalchemy", "sklearn", "pydantic")),
        ("from agentsym import Agent, Session", ("langgraph", "langchain_core", "sqlalchemy", "sklearn")),
    ],
)
def test_importing_loads_nothing_heavy(program: str, absent: tuple[str, ...]) -> None:
    program += "\nimport json, sys, time; print(json.dumps([time.process_time(), sorted(sys.modules)]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds: float
    loaded: list[Any]
    seconds, loaded = json.loads(done.stdout)
    assert set(loaded).isdisjoint(absent)
    assert seconds < 2  # generous: figures are for evals/startup.py
