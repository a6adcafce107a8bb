"""What a teacher sees of tools: all of their code, and of their calls the worst first."""

from __future__ import annotations

from typing import Any

from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.teacher import tool_views
from agentsym.network.fields import Field
from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode, Tool, ToolNode
from agentsym.network.parameters import Code, Option, Text
from agentsym.network.records import LossReport, Step, ToolCall, Trajectory

SOURCE = "def cut(text, at=1, how='left'):\n    return text[at:]\n"


def cut(name: str = "cut") -> Tool:
    fields = (
        Field(name="text", type="string", description="what to cut"),
        Field(name="at", type="integer", required=False),
    )
    weights = {
        "description": Text("Cuts.", learnable=False),
        "code": Code(SOURCE, entry="cut", tests="def test_cut(): pass"),
        "how": Option("left", ["left", "right"]),
    }
    return Tool(name=name, arguments=fields, parameters=weights)


NETWORK = Network(
    "n",
    [
        PromptNode("ask", "Ask.", inputs=["question"], output={"text": str}, tools=[cut()]),
        ToolNode("trim", cut(), inputs=["text"], output="short"),
    ],
    [("ask", "trim")],
    outputs=["short"],
)


def run(row: str, score: float, *calls: tuple[str, Any], expected: dict[str, Any] | None = None) -> Evidence:
    """Return a run in which nodes called the tool; a result that is an exception is an error."""
    steps = []
    for at, (node, result) in enumerate(calls):
        said = {"error": str(result)} if isinstance(result, Exception) else {"result": result}
        steps.append(Step(index=at, node=node, tool_calls=(ToolCall(tool="cut", arguments={"text": row}, **said),)))
    return Evidence(
        row=Row(id=row, inputs={}),
        trajectory=Trajectory(id=row, version="v", steps=tuple(steps)),
        loss=LossReport(example_id=row, score=score, expected=expected),
    )


def listed(node: str, path: str, *runs: Evidence) -> list[str]:
    return [line for line in tool_views.calls(NETWORK, runs, node, path).splitlines() if line.startswith("- ")]


def test_a_tool_is_shown_with_its_arguments_code_tests_and_options() -> None:
    text = tool_views.tool("cut", cut())
    for sign in (
        "- text (string): what to cut",
        "- at (integer, may be left out)",
        "`cut/description` (read only)",
        SOURCE,
        "def test_cut(): pass",
        "One of left, right.",
    ):
        assert sign in text


def test_calls_are_listed_from_the_worst_run_to_the_best_and_equal_ones_once() -> None:
    bad, good = run("bad", 0.0, ("ask", ValueError("no such place"))), run("good", 1.0, ("ask", "ood"))
    assert listed("ask", "cut", good, bad, good) == [
        '- score 0.00: cut {"text": "bad"} -> error: no such place',
        '- score 1.00: cut {"text": "good"} -> ood',
    ]


def test_a_tool_node_shows_its_own_calls_with_what_was_wanted_of_it() -> None:
    item = run("word", 0.5, ("ask", "x"), ("trim", "ord"), expected={"short": "rd"})
    assert listed("trim", "trim", item) == ['- score 0.50: cut {"text": "word"} -> ord; expected short: rd']


def test_calls_are_bounded_in_number_and_length_and_some_right_ones_are_always_there() -> None:
    runs = [run(f"{number:03}", 0.0, ("ask", "y" * 5_000)) for number in range(40)]
    shown = listed("ask", "cut", *runs, run("fine", 1.0, ("ask", "ine")))
    assert len(shown) == tool_views.WRONG + 1 and "fine" in shown[-1]
    assert max(map(len, shown)) < tool_views.CALL_CHARS + 50


def test_other_tools_are_listed_by_what_a_model_reads_of_them() -> None:
    assert tool_views.others(NETWORK, []) == "- `cut` takes text (string), at (integer, may be left out): Cuts."
    assert tool_views.others(NETWORK, ["cut"]) == ""
