"""Agents that tests serve. Importing this file prints, as an agent's file of somebody else may."""

import asyncio
import os
from pathlib import Path

from agentsym import Agent, Choice, FunctionNode, PromptNode, ToolNode, as_tool

print("this file prints when it is imported")
os.system("echo and so does a child of it")

FOLDER = Path(os.environ.get("SERVED_FOLDER", "."))
under_way = 0


def count(text: str) -> int:
    print("and so does a node")
    return len(text)


def shout(text: str) -> str:
    return text.upper()


async def nap(seconds: float) -> float:
    """Sleep, and note the most that slept at once, and who was woken."""
    global under_way
    under_way += 1
    file = FOLDER / "most"
    file.write_text(str(max(under_way, int(file.read_text()) if file.is_file() else 0)))
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        (FOLDER / "cancelled").write_text("yes")
        raise
    finally:
        under_way -= 1
    return seconds


def fail(text: str) -> str:
    raise ValueError(f"there is no order {text}")


def write(text: str) -> str:
    return text


words = Agent(
    "words",
    nodes=[
        ToolNode("count", as_tool(count), output="length"),
        ToolNode("shout", as_tool(shout), output="loud"),
    ],
    edges=[("count", "shout")],
    description="Counts and shouts.",
)
naps = Agent("naps", nodes=[FunctionNode("nap", nap, output={"slept": float})], inputs={"seconds": float})
failing = Agent("failing", nodes=[ToolNode("look", as_tool(fail), output="found")])
writing = Agent("writing", nodes=[ToolNode("write", as_tool(write, effect="write"), output="written")])
sorting = Agent(
    "sorting",
    nodes=[
        PromptNode(
            "sort",
            "Decide who takes care of {{text}}.",
            output={"team": Choice({"plumbing": "water, pipes, taps", "heating": "radiators, boilers, cold"})},
        )
    ],
)
