"""What each kind of node does with its inputs, and how its mistakes are told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply, Request
from agentsym.network.network import Network
from agentsym.network.nodes import FunctionNode, PromptNode, ToolNode
from agentsym.network.parameters import Number, Option, Text
from agentsym.network.records import ToolCall, Trajectory
from agentsym.network.tool import as_tool
from agentsym.runtime.forward import forward
from tests.runtime.samples import Echo, context, function, prompt


async def run_node(node: Any, inputs: dict[str, Any], student: Any = None) -> Trajectory:
    return await forward(Network("one", [node], inputs=dict.fromkeys(inputs, "any")), inputs, context(student))


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


async def test_a_tool_gets_its_inputs_and_the_call_is_kept() -> None:
    run = await run_node(ToolNode("sum", add, output="total"), {"a": 2, "b": 3})
    assert run.output == {"total": 5}
    (call,) = run.steps[0].tool_calls
    assert (call.tool, call.arguments, call.result, call.error) == ("add", {"a": 2, "b": 3}, 5, None)


async def test_an_argument_of_a_wrong_type_is_told_before_the_call() -> None:
    run = await run_node(ToolNode("sum", add, output="total"), {"a": "2", "b": 3})
    assert run.error == "node 'sum': tool 'add': argument 'a' must be of type integer, got '2' (str)"
    assert run.steps[0].tool_calls[0].error is not None


async def test_a_boolean_is_no_number() -> None:
    run = await run_node(ToolNode("sum", add, output="total"), {"a": True, "b": 3})
    assert "got True (bool)" in (run.error or "")


async def test_a_result_of_a_wrong_type_is_told() -> None:
    def lies(a: int) -> int:
        return "three"  # type: ignore[return-value]

    run = await run_node(ToolNode("sum", lies, output="total"), {"a": 2})
    assert run.error == "node 'sum': tool 'lies': its 'result' must be of type integer, got 'three' (str)"


async def test_an_exception_of_a_tool_names_node_and_cause() -> None:
    def fails(a: int) -> int:
        raise ZeroDivisionError("by zero")

    run = await run_node(ToolNode("sum", fails, output="total"), {"a": 2})
    assert run.error == "node 'sum': ZeroDivisionError: by zero"


async def test_a_tool_may_return_several_fields() -> None:
    def split(a: int) -> dict:  # type: ignore[type-arg]
        return {"half": a / 2, "double": a * 2}

    run = await run_node(ToolNode("both", split, output={"half": float, "double": int}), {"a": 3})
    assert run.output == {"half": 1.5, "double": 6}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"half": 1.0}, "without double"),
        ({"half": 1.0, "double": 2, "x": 0}, "returned x"),
        (3, "must return a dictionary"),
    ],
)
async def test_a_dictionary_that_does_not_fit_is_told(result: Any, message: str) -> None:
    async def split(a: int) -> Any:
        return result

    run = await run_node(ToolNode("both", split, output={"half": float, "double": int}), {"a": 3})
    assert message in (run.error or "")


async def test_numbers_are_handed_to_the_tool_and_rounded_for_an_int() -> None:
    def scaled(a: int, times: int, plus: float) -> float:
        return a * times + plus

    tool = as_tool(scaled, times=Number(2.6, 0, 9), plus=Number(0.5, 0, 1))
    run = await run_node(ToolNode("scale", tool, output="y"), {"a": 2})
    assert run.output == {"y": 6.5}
    assert set(run.steps[0].parameters) == {"scale/description", "scale/times", "scale/plus"}


@pytest.mark.parametrize(("effect", "in_thread"), [("pure", False), ("read", True), ("write", True)])
async def test_only_pure_tools_run_in_the_loops_own_thread(effect: Any, in_thread: bool) -> None:
    def where(a: int) -> bool:
        return threading.current_thread() is not threading.main_thread()

    run = await run_node(ToolNode("where", as_tool(where, effect=effect), output="y"), {"a": 1})
    assert run.output == {"y": in_thread}


async def test_a_tool_that_takes_too_long_is_given_up() -> None:
    done = threading.Event()

    def waits(a: int) -> int:
        done.wait(5)
        return a

    run = await run_node(ToolNode("wait", as_tool(waits, effect="read", timeout_s=0.02), output="y"), {"a": 1})
    done.set()
    assert run.error == "node 'wait': tool 'waits' took longer than 0.02 seconds"


async def test_functions_sync_and_async_get_inputs_and_declared_parameters() -> None:
    def sync(x: str, tone: str) -> str:
        return f"{tone} {x}"

    async def asynchronous(x: str, tone: str) -> str:
        return f"{tone} {x}"

    for target in (sync, asynchronous):
        node = FunctionNode("say", target, output={"y": str}, parameters={"tone": "kind"})
        run = await run_node(node, {"x": "hi"})
        assert run.output == {"y": "kind hi"}
        assert set(run.steps[0].parameters) == {"say/tone"}


class State(TypedDict):
    x: str
    y: str


def shouting() -> Any:
    def shout(state: State, config: RunnableConfig) -> dict[str, str]:
        return {"y": config["configurable"]["prompt"] + state["x"].upper()}

    graph = StateGraph(State)
    graph.add_node("shout", shout)
    graph.add_edge(START, "shout")
    graph.add_edge("shout", END)
    return graph.compile()


async def test_a_langgraph_graph_gets_its_prompts_in_configurable() -> None:
    node = FunctionNode("graph", shouting(), inputs=["x"], output={"y": str}, parameters={"prompt": Text("> ")})
    run = await run_node(node, {"x": "hi"})
    assert run.output == {"y": "> HI"}
    assert [step.node for step in run.steps] == ["graph"]


async def test_an_object_with_invoke_alone_is_run_too() -> None:
    class Runs:
        def invoke(self, inputs: dict[str, Any], config: Any) -> dict[str, Any]:
            return {"y": inputs["x"] + config["configurable"]["end"], "more": 1}

    node = FunctionNode("runs", Runs(), inputs=["x"], output={"y": str}, parameters={"end": Option("!")})
    assert (await run_node(node, {"x": "hi"})).output == {"y": "hi!"}


async def test_what_a_function_changes_does_not_leak() -> None:
    async def spoils(items: list) -> list:  # type: ignore[type-arg]
        items.append("spoiled")
        items[0]["deep"] = "spoiled"
        kept.append(items)
        return items

    async def reads(items: list) -> int:  # type: ignore[type-arg]
        kept[0].append("later")
        return len(items)

    kept: list[Any] = []
    given = {"items": [{"deep": "fine"}]}
    nodes = [FunctionNode("spoil", spoils, output={"out": list}), FunctionNode("read", reads, output={"n": int})]
    run = await forward(Network("leaks", nodes, [("spoil", "read")], outputs=["n", "out"]), given, context())
    assert given == {"items": [{"deep": "fine"}]} == run.inputs
    assert run.steps[0].inputs == given and run.steps[1].inputs == given
    assert run.output == {"n": 1, "out": [{"deep": "spoiled"}, "spoiled"]}
    assert run.steps[0].output == {"out": [{"deep": "spoiled"}, "spoiled"]}


def wants(tool: str, arguments: dict[str, Any], call_id: str = "c1") -> Reply:
    return Reply(tool_calls=(ToolCall(tool=tool, arguments=arguments, id=call_id),))


def asks(**rest: Any) -> PromptNode:
    return PromptNode("ask", "Work it out.", inputs=["x"], output={"y": int}, tools=[add], **rest)


def last(request: Request) -> str:
    return request.messages[-1].content


async def test_a_model_calls_tools_until_it_answers() -> None:
    rules = [
        Rule(wants("add", {"a": 2, "b": 3}), times=1),
        Rule(wants("add", {"a": 5}, "c2"), when=lambda r: last(r) == "5", times=1),
        Rule('{"y": 6}', when=lambda r: last(r) == "6", times=1),
    ]
    with ScriptedModel(rules) as model:
        run = await run_node(asks(), {"x": "2 + 3 + 1"}, model)
    (step,) = run.steps
    assert run.output == {"y": 6}
    assert [(call.arguments, call.result) for call in step.tool_calls] == [({"a": 2, "b": 3}, 5), ({"a": 5}, 6)]
    assert [message.role for message in step.messages] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert step.messages[3].tool_call_id == "c1"
    assert step.usage.calls == 3
    assert {"add/description", "ask/instructions"} <= set(step.parameters)
    (described,) = model.calls[0].request.tools
    assert described["name"] == "add" and described["description"] == "Add two numbers."
    assert described["parameters"]["required"] == ["a"]


async def test_a_model_is_told_what_is_wrong_with_its_call() -> None:
    broken = Reply(tool_calls=(ToolCall(tool="add", id="c3", error="the arguments are no JSON"),))
    rules = [
        Rule(wants("add", {"a": "two"}), times=1),
        Rule(wants("subtract", {}), when=lambda r: "must be of type integer" in last(r), times=1),
        Rule(broken, when=lambda r: "there is no tool 'subtract'; there are: add" in last(r), times=1),
        Rule('{"y": 6}', when=lambda r: last(r) == "Error: the arguments are no JSON", times=1),
    ]
    with ScriptedModel(rules) as model:
        run = await run_node(asks(), {"x": "?"}, model)
    assert run.output == {"y": 6}
    assert all(call.error for call in run.steps[0].tool_calls)


async def test_a_malformed_answer_after_tools_does_not_run_them_again() -> None:
    rules = [Rule(wants("add", {"a": 2}), times=1), Rule("six", times=1), Rule('{"y": 6}', times=1)]
    with ScriptedModel(rules) as model:
        run = await run_node(asks(), {"x": "?"}, model)
    assert run.output == {"y": 6} and len(run.steps[0].tool_calls) == 1
    roles = [message.role for message in model.calls[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_a_model_that_never_stops_calling_tools_is_stopped() -> None:
    with ScriptedModel([wants("add", {"a": 1})]) as model:
        run = await run_node(asks(max_tool_rounds=2), {"x": "?"}, model)
    assert "still calls tools after 2 rounds" in (run.error or "")
    assert len(run.steps[0].tool_calls) == 2 and run.steps[0].usage.calls == 3


async def test_a_nodes_own_model_and_temperature_come_before_the_students() -> None:
    own = ScriptedModel(['{"a": "own"}'], name="own")
    node = PromptNode("one", "Write.", inputs=["x"], output={"a": str}, model="own", temperature=0.7)
    given = context(Echo(), clients={"own": own}, rollout=3)
    run = await forward(Network("one", [node]), {"x": "hi"}, given)
    assert run.output == {"a": "own"}
    assert (own.calls[0].request.temperature, own.calls[0].request.rollout) == (0.7, 3)


async def test_an_answer_outside_the_labels_is_refused() -> None:
    from agentsym.network.fields import Choice

    node = PromptNode("pick", "Pick.", inputs=["x"], output={"c": Choice(["red", "blue"])})
    with ScriptedModel([Rule('{"c": "green"}', times=4)]) as model:
        run = await run_node(node, {"x": "hi"}, model)
    assert "must be one of" in (run.error or "")


async def test_a_prompt_s_request_asks_for_exactly_its_fields() -> None:
    with ScriptedModel(['{"a": "y"}']) as model:
        await run_node(prompt("one", "x", "a"), {"x": "hi"}, model)
    assert model.calls[0].request.schema_ == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }


async def test_a_function_without_an_output_is_run_for_its_effect() -> None:
    seen: list[str] = []

    async def notes(x: str) -> None:
        seen.append(x)

    async def same(x: str) -> str:
        return x

    nodes = [FunctionNode("note", notes), function("same", "y", same)]
    run = await forward(Network("notes", nodes, [("note", "same")]), {"x": "hi"}, context())
    assert (seen, run.output) == (["hi"], {"y": "hi"})
