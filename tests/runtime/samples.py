"""Networks of functions and a scripted student that the tests of the runtime share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agentsym.models.door import Door
from agentsym.models.protocol import Reply, Request
from agentsym.network.network import START, Edge, Network, When
from agentsym.network.nodes import FunctionNode, PromptNode
from agentsym.network.prompt import read_inputs
from agentsym.network.records import Step, Trajectory
from agentsym.runtime.context import Context


class Echo:
    """A student that fills every field of the schema with the field's name and the inputs it was shown."""

    name = "echo"
    remote = False

    async def complete(self, request: Request) -> Reply:
        shown = " ".join(str(value) for value in read_inputs(request.messages[-1].content).values())
        fields = (request.schema_ or {})["properties"]
        return Reply(text=json.dumps({name: f"{name}({shown})" for name in fields}))


def context(student: Any = None, **rest: Any) -> Context:
    return Context(student=student or Echo(), door=Door(), **rest)


def prompt(node_id: str, reads: str, writes: str, **rest: Any) -> PromptNode:
    return PromptNode(node_id, f"Write {writes}.", inputs=[reads], output={writes: str}, **rest)


def function(node_id: str, writes: str, run: Callable[..., Any], **rest: Any) -> FunctionNode:
    return FunctionNode(node_id, run, output={writes: str}, **rest)


def chain() -> Network:
    """One → two → three, each a prompt that reads what the one before has written."""
    nodes = [prompt("one", "x", "a"), prompt("two", "a", "b"), prompt("three", "b", "c")]
    return Network("chain", nodes, [("one", "two"), ("two", "three")], outputs=["c"])


def diamond() -> Network:
    """A fork with arms of unequal length (left; right → further) and a join that reads both."""

    async def joined(l: str, f: str) -> str:  # noqa: E741
        return f"{l}+{f}"

    nodes = [
        prompt("fork", "x", "a"),
        prompt("left", "a", "l"),
        prompt("right", "a", "r"),
        prompt("further", "r", "f"),
        function("join", "out", joined, join="all"),
    ]
    edges = [("fork", "left"), ("fork", "right"), ("right", "further"), ("left", "join"), ("further", "join")]
    return Network("diamond", nodes, edges, outputs=["out"])


def loop(good_at: int = 3, *, write_visits: int = 5) -> Network:
    """Write and check in a cycle, until what was written is long enough."""

    async def write(x: str, draft: str = "") -> str:
        return draft + x

    async def check(draft: str) -> bool:
        return len(draft) >= good_at

    nodes = [
        FunctionNode("write", write, inputs=["x", "draft"], output={"draft": str}, max_visits=write_visits),
        FunctionNode("check", check, output={"good": bool}, max_visits=9),
        FunctionNode("done", _shout, inputs=["draft"], output={"out": str}),
    ]
    again = Edge(source="check", target="write", when=When(field="good", value=False))
    edges = [(START, "write"), ("write", "check"), again, ("check", "done")]
    return Network("loop", nodes, edges, inputs={"x": str, "draft": str}, outputs=["out"])


async def _shout(draft: str) -> str:
    return draft.upper()


def brief(step: Step) -> tuple[Any, ...]:
    """What a test says of a step: node, visit, parents, who chose it, where it went."""
    return step.node, step.visit, step.parents, step.control_parent, step.route


def briefs(trajectory: Trajectory) -> list[tuple[Any, ...]]:
    return [brief(step) for step in trajectory.steps]
