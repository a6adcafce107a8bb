"""A trajectory says what the run would cost anew, however much of it came from the cache."""

import asyncio
from pathlib import Path
from typing import Any

from agentsym.models.cache import ResponseCache
from agentsym.models.door import Door
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode
from agentsym.network.records import ToolCall, Trajectory, Usage
from agentsym.network.tool import as_tool
from agentsym.runtime.context import Context
from agentsym.runtime.forward import forward
from tests.runtime.samples import prompt
from tests.virtual_time import run_virtual


def said(text: str, tokens: int = 100, **more: Any) -> Reply:
    return Reply(text=text, usage=Usage(calls=1, completion_tokens=tokens, usd=tokens / 1e4), **more)


def figures(run: Trajectory) -> tuple[int, float, float]:
    worth = run.worth
    return worth.tokens, round(worth.usd or 0.0, 6), round(worth.seconds, 6)


async def slow(a: str) -> str:
    await asyncio.sleep(0.5)
    return a


def two() -> Network:
    nodes = [prompt("one", "x", "a"), FunctionNode("wait", slow, output={"b": str}), prompt("two", "b", "c")]
    return Network("two", nodes, [("one", "wait"), ("wait", "two")], outputs=["c"])


def model() -> ScriptedModel:
    return ScriptedModel([Rule(said('{"a": "fine"}'), when="Write a."), Rule(said('{"c": "fine"}', 50))], latency=2.0)


def test_answers_from_the_cache_count_in_full_and_the_agents_own_code_by_its_time(tmp_path: Path) -> None:
    async def main() -> None:
        with ResponseCache(tmp_path / "cache.db") as cache:
            paid, kept = [
                await forward(two(), {"x": "hi"}, Context(student=model(), door=Door(cache=cache))) for _ in range(2)
            ]
        assert figures(paid) == figures(kept) == (150, 0.015, 4.5)
        assert (kept.usage.calls, kept.usage.cached, kept.usage.tokens) == (0, 2, 0)
        assert round(kept.seconds, 6) == 0.5

    run_virtual(main())


def test_steps_inside_an_agent_node_count_once() -> None:
    async def main() -> None:
        around = Network("around", [AgentNode("inner", two())], outputs=["c"])
        run = await forward(around, {"x": "hi"}, Context(student=model(), door=Door()))
        assert run.status == "ok" and figures(run) == (150, 0.015, 4.5)

    run_virtual(main())


async def find(name: str) -> str:
    """Find something."""
    await asyncio.sleep(3.0)
    return name.upper()


def test_all_rounds_of_tools_count_and_so_does_the_tools_time() -> None:
    wants = said("", 30, tool_calls=(ToolCall(tool="find", arguments={"name": "y"}, id="c1"),))
    node = PromptNode("ask", "Work it out.", inputs=["x"], output={"y": str}, tools=[as_tool(find)])

    async def main() -> None:
        asked = ScriptedModel([Rule(wants, times=1), said('{"y": "Y"}', 70)], latency=1.0)
        run = await forward(Network("one", [node]), {"x": "hi"}, Context(student=asked, door=Door()))
        assert run.output == {"y": "Y"} and figures(run) == (100, 0.01, 5.0)

    run_virtual(main())


def test_answers_of_the_wrong_form_count_also_where_they_end_the_run() -> None:
    network = Network("one", [prompt("one", "x", "a")])

    async def main() -> None:
        asked = ScriptedModel([Rule(said("nonsense", 40), times=1), said('{"a": "ok"}', 60)], latency=1.0)
        run = await forward(network, {"x": "hi"}, Context(student=asked, door=Door()))
        assert run.status == "ok" and figures(run) == (100, 0.01, 2.0)
        failed = await forward(
            network, {"x": "hi"}, Context(student=ScriptedModel([said("nonsense", 40)]), door=Door())
        )
        assert failed.status == "error" and failed.worth.tokens == 40 * failed.usage.calls == 160

    run_virtual(main())


def test_one_unknown_price_makes_the_whole_unknown_and_nothing_of_it_is_written_down() -> None:
    unknown = Reply(text='{"c": "fine"}', usage=Usage(calls=1, completion_tokens=50, usd=None))
    rules = [Rule(said('{"a": "fine"}'), when="Write a."), Rule(unknown)]

    async def main() -> None:
        run = await forward(two(), {"x": "hi"}, Context(student=ScriptedModel(rules), door=Door()))
        assert run.worth.usd is None and run.worth.tokens == 150
        assert "worth" not in run.model_dump()

    run_virtual(main())
