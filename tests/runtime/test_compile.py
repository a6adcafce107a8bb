"""The compiled graph: exactly the agent's fields outside, and a good citizen of any other langgraph graph."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from agentsym.errors import NodeError, UsageError
from agentsym.models.budget import Budget
from agentsym.models.door import Door
from agentsym.network.fields import Choice, Field
from agentsym.network.network import Edge, Network, When
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode
from agentsym.runtime.compile import compile, compiled, network_of
from agentsym.runtime.context import Context
from agentsym.runtime.forward import forward
from agentsym.runtime.nodes import KEY
from agentsym.runtime.recorder import Recorder
from agentsym.runtime.routes import Routes
from agentsym.runtime.state import RUN
from tests.runtime.samples import Echo, briefs, chain, context, diamond, function, loop, prompt


def configured(**rest: Any) -> Any:
    return {"configurable": {KEY: Recorder(context()), **rest}}


def sorter() -> Network:
    async def reply(intent: str, message: str) -> str:
        return f"{intent}: {message}"

    intent = PromptNode("sort", "Sort.", inputs=["message"], output={"intent": Choice(["refund", "other"])})
    score = PromptNode(
        "score", "Score.", inputs=["message"], output={"sure": Field(name="sure", type="number", description="0 to 1")}
    )
    return Network(
        "sorter",
        [intent, score, function("reply", "said", reply, join="all")],
        [("sort", "reply"), ("score", "reply")],
        inputs={"message": str},
        outputs=["intent", "sure", "said"],
    )


def test_the_schemas_show_exactly_the_agents_fields() -> None:
    graph = compile(sorter())
    assert graph.get_input_jsonschema() == {
        "properties": {"message": {"title": "Message", "type": "string"}},
        "required": ["message"],
        "title": "sorter_input",
        "type": "object",
    }
    assert graph.get_output_jsonschema() == {
        "properties": {
            "intent": {"enum": ["refund", "other"], "title": "Intent", "type": "string"},
            "sure": {"description": "0 to 1", "title": "Sure", "type": "number"},
            "said": {"title": "Said", "type": "string"},
        },
        "required": ["intent", "sure", "said"],
        "title": "sorter_output",
        "type": "object",
    }


async def test_the_graph_alone_gives_the_outputs_and_streams_nothing_private() -> None:
    graph = compile(chain())
    assert await graph.ainvoke({"x": "hi"}, configured()) == {"c": "c(b(a(hi)))"}
    values = [value async for value in graph.astream({"x": "hi"}, configured(), stream_mode="values")]
    assert {name for value in values for name in value} == {"x", "c"}


class Outer(TypedDict):
    x: str
    c: str
    vars: Annotated[list[str], lambda a, b: a + b]
    visits: int
    b: str


def outer(network: Network) -> Any:
    graph = StateGraph(Outer)
    graph.add_node("agent", compile(network))
    graph.add_node("after", lambda state: {"vars": ["after"], "visits": state["visits"] + 1})
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "after")
    graph.add_edge("after", END)
    return graph.compile()


async def test_inside_a_foreign_graph_names_that_collide_do_not_matter() -> None:
    given = {"x": "hi", "vars": ["before"], "visits": 7, "b": "mine"}
    result = await outer(chain()).ainvoke(given, configured())
    assert result == {"x": "hi", "c": "c(b(a(hi)))", "vars": ["before", "after"], "visits": 8, "b": "mine"}


async def test_a_foreign_graph_that_brings_no_context_gets_the_default_student() -> None:
    network = Network("pick", [PromptNode("pick", "Pick.", inputs=["x"], output={"c": Choice(["red", "blue"])})])
    result = await outer(network).ainvoke({"x": "it is blue", "vars": [], "visits": 0, "b": ""})
    assert result["c"] == "blue"


async def test_a_foreign_graph_may_bring_a_context() -> None:
    config: Any = {"configurable": {KEY: context()}}
    result = await outer(chain()).ainvoke({"x": "hi", "vars": [], "visits": 0, "b": ""}, config)
    assert result["c"] == "c(b(a(hi)))"


def test_a_foreign_graph_can_be_run_synchronously() -> None:
    async def upper(x: str) -> str:
        return x.upper()

    inner = Network("inner", [function("up", "y", upper)])
    network = Network(
        "outside", [AgentNode("deep", inner), function("last", "c", _same, inputs=["y"])], [("deep", "last")]
    )
    result = outer(network).invoke({"x": "hi", "vars": [], "visits": 0, "b": ""})
    assert result["c"] == "HI"


async def _same(y: str) -> str:
    return y


async def test_an_interrupted_run_is_resumed_where_it_stopped() -> None:
    calls: list[str] = []

    async def first(x: str) -> str:
        calls.append("first")
        return x + "1"

    async def second(a: str) -> str:
        calls.append("second")
        return a + "2"

    network = Network("ab", [function("first", "a", first), function("second", "b", second)], [("first", "second")])
    graph = compile(network, checkpointer=InMemorySaver(), interrupt_before=["second"])
    config = configured(thread_id="t")
    await graph.ainvoke({"x": "hi"}, config)
    assert calls == ["first"]
    assert (await graph.aget_state(config)).next == ("second",)
    assert await graph.ainvoke(None, config) == {"a": "hi1", "b": "hi12"}
    assert calls == ["first", "second"]


async def test_a_function_may_interrupt_and_gets_the_answer() -> None:
    async def asks(x: str) -> str:
        return f"{x}, {interrupt('really?')}"

    graph = compile(Network("asks", [function("ask", "y", asks)]), checkpointer=InMemorySaver())
    config = configured(thread_id="t")
    stopped = await graph.ainvoke({"x": "delete"}, config)
    assert stopped["__interrupt__"][0].value == "really?"
    assert await graph.ainvoke(Command(resume="yes"), config) == {"y": "delete, yes"}


async def test_forward_says_that_nobody_can_resume_an_interrupt() -> None:
    async def asks(x: str) -> str:
        return str(interrupt("really?"))

    run = await forward(Network("asks", [function("ask", "y", asks)]), {"x": "hi"}, context())
    assert run.status == "error" and "checkpointer" in (run.error or "")


async def test_a_second_run_on_the_same_thread_starts_afresh() -> None:
    graph = compile(loop(good_at=2, write_visits=2), checkpointer=InMemorySaver())
    config = configured(thread_id="t")
    assert await graph.ainvoke({"x": "ab", "draft": ""}, config) == {"out": "AB"}
    assert await graph.ainvoke({"x": "c", "draft": ""}, config) == {"out": "CC"}


async def test_only_json_is_in_the_state() -> None:
    graph = compile(diamond(), checkpointer=InMemorySaver())
    config = configured(thread_id="t")
    await graph.ainvoke({"x": "hi"}, config)
    saved = await graph.checkpointer.aget(config)  # type: ignore[union-attr]
    run = saved["channel_values"][RUN]
    assert run["values"]["l"]["at"][1] == "left"
    assert _types({name: saved["channel_values"][name] for name in (RUN, "x", "out")}) <= {dict, list, str, int}


def _types(value: Any) -> set[type]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*(_types(item) for item in inner)) if inner else {type(value)}


async def test_the_steps_of_an_inner_agent_stand_under_its_node() -> None:
    inner = Network("inner", [prompt("p", "x", "a"), prompt("q", "a", "b")], [("p", "q")], outputs=["b", "a"])
    nodes = [prompt("zero", "w", "x"), AgentNode("deep", inner), prompt("last", "a", "c")]
    network = Network("outside", nodes, [("zero", "deep"), ("deep", "last")], outputs=["c"])
    run = await forward(network, {"w": "hi"}, context())
    assert briefs(run) == [
        ("zero", 0, (), None, None),
        ("deep/p", 0, (0,), None, None),
        ("deep/q", 0, (1,), None, None),
        ("last", 0, (1,), None, None),
    ]
    assert set(run.steps[1].parameters) == {path for path in network.parameters() if path.startswith("deep/p/")}
    assert run.output == {"c": "c(a(x(hi)))"}


async def test_a_failure_inside_an_inner_agent_names_the_inner_node() -> None:
    async def breaks(a: str) -> str:
        raise KeyError("b")

    inner = Network("inner", [prompt("p", "x", "a"), function("q", "b", breaks)], [("p", "q")], outputs=["b"])
    run = await forward(Network("outside", [AgentNode("deep", inner)]), {"x": "hi"}, context())
    assert run.error == "node 'deep/q': KeyError: 'b'"
    assert [step.node for step in run.steps] == ["deep/p", "deep/q"]


async def test_an_agent_node_that_takes_too_long_is_the_step_that_failed() -> None:
    async def sleeps(a: str) -> str:
        await asyncio.sleep(60)
        return a

    inner = Network("inner", [prompt("p", "x", "a"), function("q", "b", sleeps)], [("p", "q")], outputs=["b"])
    run = await forward(Network("outside", [AgentNode("deep", inner, timeout_s=0.1)]), {"x": "hi"}, context())
    assert run.error == "node 'deep': it took longer than 0.1 seconds"
    assert [step.node for step in run.steps] == ["deep/p", "deep"]


async def test_a_budget_that_ends_inside_an_inner_agent_is_told_once() -> None:
    inner = Network("inner", [prompt("p", "x", "a"), prompt("q", "a", "b")], [("p", "q")], outputs=["b"])
    given = Context(student=Echo(), door=Door(budget=Budget(max_calls=1)))
    run = await forward(Network("outside", [AgentNode("deep", inner)]), {"x": "hi"}, given)
    assert run.status == "budget" and (run.error or "").startswith("node 'deep/q': the cap of 1")
    assert [step.node for step in run.steps] == ["deep/p", "deep/q"]


async def test_a_join_behind_a_choice_waits_for_those_that_run() -> None:
    run = await forward(branches(), {"x": "odd"}, context())
    assert [step.node for step in run.steps] == ["split", "other", "sort", "odd", "further", "join", "after"]
    assert run.steps[5].parents == (1, 4)
    assert run.output == {"end": "e(odd|further) o"}


def branches() -> Network:
    """A fork; one arm chooses between two ways, the other is short; a join waits for both, a second one for all."""

    async def same(x: str) -> str:
        return x

    async def on(way: str) -> str:
        return f"{way}|further"

    async def joined(way: str, o: str) -> str:
        return f"e({way}) {o}"

    async def letter(x: str) -> str:
        return "o"

    async def last(e: str, o: str) -> str:
        return e

    nodes = [
        function("split", "s", same, inputs=["x"]),
        function("sort", "kind", same, inputs=["x"]),
        function("other", "o", letter),
        function("odd", "way", same, inputs=["x"]),
        function("even", "way", same, inputs=["x"]),
        function("further", "way", on, inputs=["way"]),
        function("join", "e", joined, join="all"),
        function("after", "end", last, join="all"),
    ]
    edges = [
        ("split", "sort"),
        ("split", "other"),
        Edge(source="sort", target="odd", when=When(field="kind", value="odd")),
        ("sort", "even"),
        ("odd", "further"),
        ("further", "join"),
        ("even", "join"),
        ("other", "join"),
        ("other", "after"),
        ("join", "after"),
    ]
    return Network("branches", nodes, edges, outputs=["end"])


def test_joins_are_list_edges_where_all_surely_come_and_deferred_elsewhere() -> None:
    assert Routes(diamond()).joins == {"join": ("left", "further")}
    routes = Routes(branches())
    assert routes.joins == {} and routes.deferred == {"join", "after"}
    assert routes.waits_for == {"join": (), "after": ("join",)}


async def test_a_condition_at_start_is_obeyed() -> None:
    async def same(x: str) -> str:
        return x

    nodes = [function("short", "y", same), function("long", "y", same)]
    edges = [Edge(source="__start__", target="long", when=When(field="n", op="gt", value=3)), ("__start__", "short")]
    network = Network("starts", nodes, edges, inputs={"x": str, "n": int}, outputs=["y"])
    assert [s.node for s in (await forward(network, {"x": "a", "n": 5}, context())).steps] == ["long"]
    assert [s.node for s in (await forward(network, {"x": "a", "n": 1}, context())).steps] == ["short"]


async def test_a_node_reached_by_two_ways_at_different_times_runs_no_more_than_allowed() -> None:
    network = diamond()
    nodes = tuple(
        node.model_copy(update={"join": "any", "inputs": ("l",)}) if node.id == "join" else node
        for node in network.nodes
    )
    once = network.replace(nodes=(*nodes[:-1], function("join", "out", _shout, inputs=["l"])))
    run = await forward(once, {"x": "hi"}, context())
    assert [step.node for step in run.steps].count("join") == 1
    assert run.status == "ok"


async def _shout(l: str) -> str:  # noqa: E741
    return l.upper()


def test_the_graph_is_kept_on_the_value_and_not_taken_over_by_a_copy() -> None:
    network = chain()
    equal = chain()
    graph = compiled(network)
    assert compiled(network) is graph and network_of(graph) is network
    assert network == equal
    changed = network.load_state_dict({"one/instructions": "Else."}, strict=False)
    assert network_of(compiled(changed)) is changed
    assert compiled(network) is graph


def test_a_compiled_network_can_still_be_copied_and_pickled() -> None:
    import copy
    import pickle

    network = Network("one", [prompt("one", "x", "a")])
    compiled(network)
    assert copy.deepcopy(network) == network
    assert pickle.loads(pickle.dumps(network)).version == network.version


def test_an_interrupt_at_no_node_is_refused() -> None:
    with pytest.raises(UsageError, match="no node nowhere"):
        compile(chain(), interrupt_before=["nowhere"])


def test_a_foreign_graph_is_not_mistaken_for_ours() -> None:
    with pytest.raises(UsageError, match="not compiled from an agent"):
        network_of(outer(chain()))


async def test_an_agent_in_a_function_node_is_pointed_to_agent_node() -> None:
    network = Network("wrong", [FunctionNode("inner", chain(), inputs=["x"], output="c")])
    with pytest.raises(UsageError, match="AgentNode"):
        compile(network)


async def test_a_missing_input_in_a_foreign_graph_names_the_node_and_the_field() -> None:
    with pytest.raises(NodeError, match="node 'one': it reads 'x', which nobody gives it"):
        await compile(chain()).ainvoke({}, configured())
