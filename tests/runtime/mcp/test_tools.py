"""Tools of real MCP servers in agents: called by nodes and by models, saved, loaded, and run again elsewhere."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent, FunctionNode, PromptNode, Session, Structure, ToolNode, mcp_tools
from agentsym.errors import NetworkError, NodeError, UsageError
from agentsym.models.doubles import Rule, ScriptedModel
from agentsym.models.protocol import Reply
from agentsym.network.edits import AddNode
from agentsym.network.records import ToolCall
from agentsym.network.remote import RemoteRef
from agentsym.network.revive import revive
from agentsym.network.tool import Tool

WORDS_FIRST = [("words", "ask")]


def word() -> Any:
    return 3


def agent_of(tool: Tool, output: Any = "result") -> Agent:
    return Agent("buyer", nodes=[ToolNode("ask", tool, output=output)])


def only_needed(tool: Tool, **given: Any) -> Any:
    """Call a tool in an agent of its own, once."""
    node = ToolNode("ask", tool, inputs=list(given), output="result")
    with Session() as session:
        return session.invoke(Agent("buyer", nodes=[node]), given)["result"]


def test_a_server_lists_its_tools_with_arguments_results_and_effects(shop: Any) -> None:
    tools = shop.tools(prefix="shop_")
    price, place = tools["price"], tools["order.place"]
    assert price.name == "shop_price" and place.name == "shop_order_place"
    assert [(field.name, field.type, field.required) for field in price.arguments] == [
        ("article", "string", True),
        ("count", "integer", False),
    ]
    assert price.returns.type == "number" and place.returns.type == "object"
    assert price.effect == "read" and place.effect == "write"  # what a server does not promise is not assumed
    assert price.parameters["description"].content == "The price of some articles, in euros."


def test_a_tool_node_gets_structured_and_unstructured_results_as_data(shop: Any) -> None:
    tools = shop.tools()
    with Session() as session:
        nodes = [
            ToolNode("price", tools["price"], output="cost"),
            ToolNode("place", tools["order.place"], output={"number": int, "total": float}),
            ToolNode("stock", tools["stock"], output="stock"),
            ToolNode("picture", tools["picture"], output="picture"),
        ]
        outputs = [session.invoke(Agent("buyer", nodes=nodes), {"article": "tea", "count": 3}) for _ in range(3)]
    assert [output["cost"] for output in outputs] == [7.5] * 3
    assert [output["number"] for output in outputs] == [1, 2, 3]
    assert outputs[0]["stock"] == {"tea": [1, 2], "coffee": None}
    assert outputs[0]["picture"] == [
        {"type": "text", "text": "tea"},
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
    ]


def test_all_calls_of_a_session_share_one_connection(stdio_shop: Any) -> None:
    price = stdio_shop.tools()["price"]
    assert stdio_shop.noted("starts") == 1  # to list them
    agents = [
        Agent(name, nodes=[ToolNode("ask", price, inputs=["article"], output="cost")]) for name in ("one", "other")
    ]
    with Session(concurrency=8) as session:
        costs = [session.batch(agent, [{"article": "coffee"}] * 20) for agent in agents]
    assert costs == [[{"cost": 4.0}] * 20] * 2
    assert stdio_shop.noted("starts") == 2


async def test_calls_of_one_loop_share_one_connection_too(stdio_shop: Any) -> None:
    price = (await asyncio.to_thread(stdio_shop.tools))["price"]
    agent = Agent("buyer", nodes=[ToolNode("ask", price, inputs=["article"], output="cost")])
    assert [await agent.ainvoke({"article": "tea"}) for _ in range(3)] == [{"cost": 2.5}] * 3
    assert stdio_shop.noted("starts") == 2


def test_an_error_of_the_tool_is_the_error_of_the_node(shop: Any) -> None:
    with pytest.raises(NodeError, match=r"^node 'ask': fail of MCP server .*: .*"):
        only_needed(shop.tools()["fail"])


def test_a_wrong_argument_is_named_before_anything_is_sent(http_shop: Any) -> None:
    price = http_shop.tools()["price"]
    words = FunctionNode("words", word, output="article")
    agent = Agent("buyer", nodes=[words, ToolNode("ask", price, inputs=["article"], output="cost")], edges=WORDS_FIRST)
    http_shop.close()
    with pytest.raises(NodeError, match="tool 'price': argument 'article' must be of type string, got 3"):
        agent.invoke({})


def test_a_call_that_takes_too_long_is_given_up_and_cancelled_there(shop: Any) -> None:
    wait = shop.tools(timeout_s=5)["wait"].model_copy(update={"timeout_s": 1.0})
    with Session() as session:
        agent = Agent("buyer", nodes=[ToolNode("ask", wait, output="result")])
        assert session.invoke(agent, {"seconds": 0.01}) == {"result": "done"}
        with pytest.raises(NodeError, match="tool 'wait' took longer than 1 seconds"):
            session.invoke(agent, {"seconds": 60.0})
        assert session.invoke(agent, {"seconds": 0.01}) == {"result": "done"}
        assert shop.noted("cancelled") == 1


def test_a_server_that_dies_in_a_call_is_started_anew_once(stdio_shop: Any) -> None:
    assert only_needed(stdio_shop.tools()["crash_once"]) == "alive"
    assert stdio_shop.noted("crashes") == 2
    assert stdio_shop.noted("starts") == 3  # to list, to crash, to answer


def test_what_may_have_changed_something_is_not_called_twice(stdio_shop: Any) -> None:
    tools = stdio_shop.tools()
    with Session() as session:
        with pytest.raises(NodeError, match=r"it has ended, during a call of crash_and_order; whether that was done"):
            session.invoke(agent_of(tools["crash_and_order"]), {})
        assert stdio_shop.noted("orders") == 1
        placed = session.invoke(agent_of(tools["order.place"], {"number": int, "total": float}), {"article": "tea"})
        assert placed["number"] == 2  # the next call finds a new server


def test_a_server_that_was_away_between_two_calls_is_found_again(http_shop: Any) -> None:
    place = agent_of(http_shop.tools()["order.place"], {"number": int, "total": float})
    with Session() as session:
        assert session.invoke(place, {"article": "tea"})["number"] == 1
        http_shop.close()
        with pytest.raises(NodeError, match=r"node 'ask': MCP server http://127.0.0.1:\d+/mcp: nobody answers there"):
            session.invoke(place, {"article": "tea"})
        http_shop.open()
        assert session.invoke(place, {"article": "tea"})["number"] == 2


def test_a_command_that_has_ended_between_two_calls_is_started_again(stdio_shop: Any) -> None:
    place = agent_of(stdio_shop.tools()["order.place"], {"number": int, "total": float})
    with Session() as session:
        assert session.invoke(place, {"article": "tea"})["number"] == 1
        os.kill(int((stdio_shop.folder / "starts").read_text().split()[-1]), signal.SIGKILL)
        time.sleep(0.5)  # until its end is seen: a call before that could have reached it
        assert session.invoke(place, {"article": "tea"})["number"] == 2


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    http_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert only_needed(http_shop.tools()["price"], article="tea") == 2.5


def test_the_process_of_a_server_ends_with_the_session(stdio_shop: Any) -> None:
    price = stdio_shop.tools()["price"]
    only_needed(price, article="tea")
    for pid in map(int, (stdio_shop.folder / "starts").read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


ELSEWHERE = """
import json, sys
from agentsym import Agent
print(json.dumps(Agent.load(sys.argv[1]).invoke({"article": "coffee", "count": 2})))
"""


def test_an_agent_is_saved_and_runs_in_another_process(shop: Any, tmp_path: Path) -> None:
    agent = agent_of(shop.tools()["price"], "cost")
    folder = agent.save(tmp_path / "saved")
    assert Agent.load(folder).version == agent.version
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"cost": 8.0}


def test_a_saved_agent_holds_names_of_variables_and_no_secret(
    stdio_shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct-horse")
    tools = stdio_shop.tools()
    assert only_needed(tools["secret"]) == "nothing"  # of itself a server is given no variable of ours
    secret = mcp_tools(stdio_shop.server, env=["SHOP_FOLDER", "SHOP_SECRET"])["secret"]
    folder = agent_of(secret).save(tmp_path / "saved")
    text = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    assert "SHOP_SECRET" in text and "correct-horse" not in text
    with Session() as session:
        assert session.invoke(Agent.load(folder), {}) == {"result": "correct-horse"}
        monkeypatch.delenv("SHOP_SECRET")
    with (
        Session() as session,
        pytest.raises(NodeError, match="the environment variable SHOP_SECRET is not set, and it needs it"),
    ):
        session.invoke(Agent.load(folder), {})


def test_a_changed_schema_is_told_with_both_hashes(stdio_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    price = stdio_shop.tools()["price"]
    ref = price.code_ref
    assert isinstance(ref, RemoteRef)
    monkeypatch.setenv("SHOP_NEW", "1")
    moved = ref.model_copy(update={"env": ("SHOP_FOLDER", "SHOP_NEW")})
    old = Tool(**{**{name: getattr(price, name) for name in Tool.model_fields}, "code_ref": moved})
    agent = Agent("buyer", nodes=[ToolNode("ask", old, inputs=["article"], output="cost")])
    with Session() as session, pytest.warns(UserWarning) as warned:
        assert session.batch(agent, [{"article": "tea"}] * 3) == [{"cost": 9.0}] * 3
    (message,) = [str(each.message) for each in warned]
    new = mcp_tools(stdio_shop.server, env=["SHOP_FOLDER", "SHOP_NEW"])["price"].code_ref
    assert new is not None
    assert f"its schema was {ref.sha256[:12]}, it is {new.sha256[:12]} now" in message


def test_a_tool_that_is_gone_is_named_with_those_that_are_there(http_shop: Any) -> None:
    price = http_shop.tools()["price"]
    gone = price.model_copy(update={"code_ref": price.code_ref.model_copy(update={"tool": "prize"})})
    with pytest.raises(NodeError, match=r"has no tool 'prize' \(any more\); it has: .*order\.place, picture, price"):
        only_needed(gone, article="tea")


def test_a_model_calls_the_tool_and_is_shown_its_whole_schema(shop: Any) -> None:
    tools = shop.tools()
    node = PromptNode(
        "answer",
        "What does it cost?",
        inputs=["article"],
        output={"cost": float},
        tools=[tools["price"], tools["fail"]],
    )
    wanted = (
        ToolCall(tool="price", id="1", arguments={"article": "coffee", "count": 2}),
        ToolCall(tool="fail", id="2"),
    )
    with (
        ScriptedModel([Rule(Reply(text="", tool_calls=wanted), times=1), '{"cost": 8.0}']) as model,
        Session(model) as session,
    ):
        run = session.forward(Agent("buyer", nodes=[node]), {"article": "coffee"})
    assert run.output == {"cost": 8.0}
    first, second = model.calls
    (shown,) = [tool for tool in first.request.tools if tool["name"] == "price"]
    assert shown["parameters"]["properties"]["article"]["enum"] == ["tea", "coffee"]
    assert next(message.content for message in second.messages if message.role == "tool") == "8.0"
    assert [call.error is None for call in run.steps[0].tool_calls] == [True, False]


def test_the_description_is_a_weight_and_the_server_is_none(http_shop: Any) -> None:
    agent = agent_of(http_shop.tools()["price"], "cost")
    assert agent.parameters()["ask/description"].learnable
    other = agent.load_state_dict({**agent.state_dict(), "ask/description": "What it costs."})
    assert other.version != agent.version
    revived = revive(agent, other.model_dump(mode="json"))
    with Session() as session:
        assert session.invoke(revived, {"article": "tea", "count": 1}) == {"cost": 2.5}


def test_a_written_edit_may_not_bring_in_another_server(http_shop: Any) -> None:
    tools = http_shop.tools()
    tool, other = tools["price"], tools["stock"]
    agent = Agent("buyer", nodes=[ToolNode("ask", tool, output="cost")], structure=Structure(learnable=True))
    person = agent.apply([AddNode(node=ToolNode("more", other, output="more"), after="ask")])
    assert person.node("more")
    plain = ToolNode("more", tool, output="more").model_dump(mode="json")
    for change in ({"server": "stdio:rm -rf x"}, {"tool": "order.place"}, {"token_env": "HOME"}):
        written = {**plain, "tool": {**plain["tool"], "code_ref": {**plain["tool"]["code_ref"], **change}}}
        with pytest.raises(NetworkError, match="it refers to code that is not in this agent"):
            agent.apply([AddNode.model_validate({"op": "add_node", "node": written, "after": "ask"})])


@pytest.mark.parametrize(
    ("server", "options", "said"),
    [
        ("python server.py", {}, "write stdio:COMMAND, for example stdio:python server.py, or a URL"),
        ("stdio:", {}, "there is no command behind stdio:"),
        ("stdio:python 'server.py", {}, "its command cannot be read"),
        ("http:///mcp", {}, "write stdio:COMMAND"),
        ("http://user:password@127.0.0.1/mcp", {}, "keep secrets out of the address"),
        ("http://127.0.0.1/mcp?token=abcdefghijkl", {}, "keep secrets out of the address"),
        ("stdio:python s.py", {"token_env": "X"}, "token_env is for URLs"),
        ("http://127.0.0.1:9/mcp", {"env": ["X"]}, "env is for commands"),
        ("http://127.0.0.1:9/mcp", {"token_env": "NOT_SET"}, "the environment variable NOT_SET is not set"),
        ("http://127.0.0.1:9/mcp", {}, "nobody answers there"),
        ("stdio:no-such-program-anywhere", {}, "FileNotFoundError"),
    ],
)
def test_a_wrong_address_is_refused_with_the_remedy(server: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        mcp_tools(server, **options)
    assert said in str(error.value)
    assert "password" not in str(error.value) and "abcdefghijkl" not in str(error.value)


def test_a_program_that_is_no_server_is_said_to_have_ended() -> None:
    with pytest.raises(UsageError, match="MCP server stdio:true: "):
        mcp_tools("stdio:true")
