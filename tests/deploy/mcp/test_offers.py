"""What an offer says of itself, and who is let in, where no client is needed to see it."""

import asyncio
import os
import socket
from collections.abc import Collection

import httpx2
import pytest

from agentsym import Agent, AgentNode, FunctionNode, PromptNode, Session, ToolNode, as_tool
from agentsym.deploy.listener import listen
from agentsym.deploy.mcp.http import Address, app_of, read_address
from agentsym.deploy.mcp.offers import effect_of, offer_agent
from agentsym.deploy.mcp.server import server_of
from agentsym.deploy.mcp.tokens import Verifier, single_token
from agentsym.errors import SandboxError, UsageError
from agentsym.network.nodes import Node
from tests.deploy.mcp.learned import whose


def add(a: int, b: int) -> int:
    return a + b


def agent_of(*nodes: Node) -> Agent:
    return Agent("some", nodes=list(nodes))


def test_the_effect_of_an_agent_is_the_most_that_is_in_it() -> None:
    pure, write = as_tool(add), as_tool(add, name="write", effect="write")
    asks = PromptNode("asks", "Add.", inputs=["a"], output={"c": int}, tools=[pure])
    deep = agent_of(AgentNode("inner", agent_of(ToolNode("w", write, output="c"))))
    assert effect_of(agent_of(ToolNode("add", pure, output="c"))) == "pure"
    assert effect_of(agent_of(asks)) == "read"
    assert effect_of(agent_of(PromptNode("asks", "Add.", inputs=["a"], output={"c": int}, tools=[write]))) == "write"
    assert effect_of(agent_of(FunctionNode("own", add, output="c"))) == "write"
    assert effect_of(deep) == "write"


async def test_learned_code_is_called_in_the_sandbox() -> None:
    learned = agent_of(ToolNode("whose", as_tool(whose, learnable=True), output="pid"))
    with Session() as session:
        try:
            offer = await asyncio.to_thread(offer_agent, learned, session, asyncio.Semaphore(1))
        except SandboxError as error:
            pytest.skip(str(error))
        given = await offer.call({"of": "x"}, lambda node: None)
    assert given["pid"] != os.getpid()


async def test_a_single_token_knows_itself_only() -> None:
    verify = single_token("correct-horse")
    assert await verify("correct-horse") == ("*",)
    for other in ("correct-hors", "correct-horse ", "", "CORRECT-HORSE", "\udcff"):
        assert await verify(other) is None


async def test_scopes_and_clients_come_from_the_verifier() -> None:
    async def verify(token: str) -> Collection[str] | None:
        return {"run"} if token.startswith("known") else None

    verifier = Verifier(verify)
    one, two = await verifier.verify_token("known-1"), await verifier.verify_token("known-2")
    assert one is not None and two is not None and one.scopes == ["run"]
    assert one.client_id != two.client_id and "known" not in one.client_id
    assert await verifier.verify_token("unknown") is None


@pytest.mark.parametrize("token", ["", "two words", "täglich", "line\nbreak"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="one word of ASCII characters"):
        single_token(token)


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80), True),
        ("127.9.9.9:80", Address("127.9.9.9", 80), True),
        ("localhost:0", Address("localhost", 0), True),
        ("[::1]:80", Address("::1", 80), True),
        ("10.0.0.1:80", Address("10.0.0.1", 80), False),
        ("localhost.example:80", Address("localhost.example", 80), False),
        ("[::]:80", Address("::", 80), False),
    ],
)
def test_addresses_are_read_and_told_apart(text: str, address: Address, is_loopback: bool) -> None:
    assert read_address(text) == address
    assert (address.is_loopback, str(address)) == (is_loopback, text)


def test_small_answers_are_not_held_back() -> None:
    with listen("127.0.0.1", 0) as sock:
        # asyncio sends at once (TCP_NODELAY) only over sockets that say that they are of TCP
        assert sock.proto == socket.IPPROTO_TCP


async def test_a_verifier_of_ones_own_can_be_plugged_in() -> None:
    asked: list[str] = []

    async def verify(token: str) -> Collection[str] | None:
        asked.append(token)
        return None

    app = app_of(server_of({}), "127.0.0.1", verify)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as client:
        refused = await client.post("http://127.0.0.1/mcp", json={}, headers={"Authorization": "Bearer mine"})
    assert refused.status_code == 401 and asked == ["mine"]
