"""Agents over streamable HTTP: many calls at once, who is let in, and how it ends."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import Client, MCPError

from agentsym import Agent, Session, ToolNode, mcp_tools
from agentsym.errors import UsageError
from tests.deploy.mcp.conftest import Served, served, serving, with_token
from tests.deploy.mcp.test_stdio import until

TOKEN = "correct-horse-battery-staple"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
HEADERS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, served("words", "naps", "failing")) as found:
        yield found


async def test_32_calls_at_once_are_answered_and_kept_within_the_concurrency(tmp_path: Path) -> None:
    with serving(tmp_path, [*served("words", "naps"), "--concurrency", "5"]) as url:
        async with Client(url) as client:
            asked = [client.call_tool("words", {"text": "x" * length}) for length in range(32)]
            napping = [client.call_tool("naps", {"seconds": 0.05}) for _ in range(32)]
            answers = await asyncio.gather(*asked, *napping)
    assert [answer.structured_content for answer in answers[:32]] == [
        {"length": length, "loud": "X" * length} for length in range(32)
    ]
    assert [answer.structured_content for answer in answers[32:]] == [{"slept": 0.05}] * 32
    assert 2 <= int((tmp_path / "most").read_text()) <= 5


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_old_and_new_clients_call_get_progress_and_cancel(url: Served, tmp_path: Path, mode: str) -> None:
    told: list[str | None] = []

    async def tell(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with Client(url, mode=mode) as client:
        words = await client.call_tool("words", {"text": "tea"}, progress_callback=tell)
        assert words.structured_content == {"length": 3, "loud": "TEA"} and told == ["count", "shout"]
        assert (await client.call_tool("failing", {"text": "7"})).is_error
        calling = asyncio.create_task(client.call_tool("naps", {"seconds": 60.0}))
        await until(tmp_path / "most")
        calling.cancel()
        await until(tmp_path / "cancelled")


@pytest.mark.parametrize("given", ["environment", "file"])
async def test_only_the_right_token_is_let_in(tmp_path: Path, given: str) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    flags = ["--token-file", str(tmp_path / "token")] if given == "file" else []
    variables = {} if given == "file" else {"AGENTSYM_MCP_TOKEN": TOKEN}
    with serving(tmp_path, [*served("words"), *flags], **variables) as url:
        async with httpx2.AsyncClient() as client:
            for header in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
                refused = await client.post(url, json=PING, headers={**HEADERS, **header})
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"].startswith("Bearer")
        with pytest.raises(ExceptionGroup):
            async with Client(url):
                pass
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as client,
            with_token(url, client) as let_in,
        ):
            assert (await let_in.call_tool("words", {"text": "tea"})).structured_content is not None


async def test_a_foreign_host_or_origin_is_refused(url: Served) -> None:
    async with httpx2.AsyncClient() as client:
        host = await client.post(url, json=PING, headers={**HEADERS, "Host": "evil.example"})
        origin = await client.post(url, json=PING, headers={**HEADERS, "Origin": "https://evil.example"})
        ours = await client.post(url, json=PING, headers={**HEADERS, "Origin": "http://localhost:3000"})
    assert (host.status_code, origin.status_code) == (421, 403)
    assert ours.status_code not in (403, 421)


async def test_a_further_name_can_be_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, [*served("words"), "--allow-host", "agents.example.org"]) as url:
        async with httpx2.AsyncClient() as client:
            known = await client.post(url, json=PING, headers={**HEADERS, "Host": "agents.example.org"})
            other = await client.post(url, json=PING, headers={**HEADERS, "Host": "agents.example.com"})
    assert known.status_code != 421 and other.status_code == 421


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_also_with_a_call_under_way(url: Served, tmp_path: Path, number: int) -> None:
    async with httpx2.AsyncClient(timeout=None) as client, with_token(url, client) as caller:
        calling = asyncio.create_task(caller.call_tool("naps", {"seconds": 60.0}))
        await until(tmp_path / "most")
        url.process.send_signal(number)
        assert await asyncio.to_thread(url.process.wait, 30) == 130
        with pytest.raises(MCPError):
            await calling
    assert (tmp_path / "cancelled").is_file()
    assert url.process.stderr is not None
    assert "Traceback" not in url.process.stderr.read()


def test_an_agent_uses_a_served_agent_as_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_TOKEN", TOKEN)
    with serving(tmp_path, served("words"), AGENTSYM_MCP_TOKEN=TOKEN) as url:
        with pytest.raises(UsageError, match=r"it answers HTTP 401: it wants another token, or one at all"):
            mcp_tools(url)
        words = mcp_tools(url, token_env="OUR_TOKEN")["words"]
        assert words.effect == "read"
        agent = Agent("caller", nodes=[ToolNode("ask", words, output={"length": int, "loud": str})])
        folder = agent.save(tmp_path / "saved")
        assert TOKEN not in (folder / "agent.yaml").read_text()
        with Session() as session:
            assert session.batch(Agent.load(folder), [{"text": "tea"}] * 8) == [{"length": 3, "loud": "TEA"}] * 8
