"""The client for providers with protocols of their own: loaded late, one request a call, wrong names put right."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from agentsym.errors import KeyRefused, RateLimited, UnknownModel
from agentsym.models.litellm import LitellmModel
from agentsym.models.protocol import Request
from agentsym.models.resolve import resolve
from agentsym.network.records import Message
from evals.openai_server import Server

pytestmark = [
    pytest.mark.xdist_group("litellm"),  # loading it takes seconds: one worker does
    pytest.mark.filterwarnings(r"ignore:Item '\w+' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

SCHEMA = {"type": "object", "properties": {"team": {"type": "string"}}, "required": ["team"]}
REQUEST = Request(messages=(Message(role="system", content="Choose."), Message(role="user", content="It is cold.")))


@pytest.fixture(autouse=True)
async def closed_clients() -> AsyncIterator[None]:
    """Close litellm's connections with the test, which it would keep beyond its event loop."""
    yield
    import litellm

    await litellm.close_litellm_async_clients()
    litellm.in_memory_llm_clients_cache.flush_cache()


class Anthropic:
    """A double of another protocol: Anthropic's messages, on loopback."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        app = web.Application()
        app.router.add_post("/v1/messages", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.0)

    async def __aenter__(self) -> "Anthropic":
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append({"key": request.headers.get("x-api-key"), **await request.json()})
        if self.status != 200:
            error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down, please."}}
            return web.json_response(error, status=self.status, headers={"retry-after": "3"})
        said = {"type": "text", "text": "heating"}
        called = {"type": "tool_use", "id": "toolu_1", "name": "deadline", "input": {"team": "heating"}}
        return web.json_response(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": [said, called] if "tools" in self.asked[-1] else [said],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 11, "output_tokens": 2},
            }
        )


@pytest.fixture
async def anthropic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Anthropic]:
    async with Anthropic() as running:
        monkeypatch.setenv("ANTHROPIC_API_BASE", running.address)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "0123456789abcdef")
        yield running


async def test_a_provider_of_another_protocol_answers(anthropic: Anthropic) -> None:
    model = resolve("anthropic/claude-sonnet-4-5")
    assert model.name == f"anthropic/claude-sonnet-4-5 at {anthropic.address}"
    reply = await model.complete(REQUEST.model_copy(update={"max_tokens": 20}))
    assert reply.text == "heating"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.estimated) == (11, 2, False)
    (asked,) = anthropic.asked
    assert (asked["key"], asked["model"], asked["max_tokens"]) == ("0123456789abcdef", "claude-sonnet-4-5", 20)
    assert "Choose." in str(asked["system"])


async def test_tools_are_translated_both_ways(anthropic: Anthropic) -> None:
    tool = {"name": "deadline", "description": "When.", "parameters": SCHEMA}
    reply = await resolve("anthropic/claude-sonnet-4-5").complete(REQUEST.model_copy(update={"tools": (tool,)}))
    assert [(call.tool, call.arguments, call.id) for call in reply.tool_calls] == [
        ("deadline", {"team": "heating"}, "toolu_1")
    ]
    assert anthropic.asked[0]["tools"][0]["name"] == "deadline"


async def test_a_failure_keeps_the_providers_words_and_its_wait(anthropic: Anthropic) -> None:
    anthropic.status = 429
    with pytest.raises(RateLimited, match=r"anthropic/claude.*Slow down, please\.") as caught:
        await resolve("anthropic/claude-sonnet-4-5").complete(REQUEST)
    assert caught.value.retry_after == 3.0
    assert len(anthropic.asked) == 1
    assert caught.value.__cause__ is None


async def test_a_model_that_knows_no_schemas_is_told_in_the_prompt() -> None:
    async with Server(lambda body: "{}", keep=True) as server:
        model = LitellmModel("litellm:openai/home-made", base_url=server.base_url, timeout=10.0)
        await model.complete(REQUEST.model_copy(update={"schema_": SCHEMA}))
        (body,) = server.stats.bodies
    assert "response_format" not in body
    assert '"required": ["team"]' in body["messages"][0]["content"]


async def test_a_missing_key_is_found_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    with pytest.raises(KeyRefused, match="set REPLICATE_API_KEY"):
        await resolve("replicate/some/model").complete(REQUEST)


async def test_a_provider_that_litellm_does_not_know_is_an_unknown_model() -> None:
    with pytest.raises(UnknownModel, match="no provider 'frobnicate'"):
        await LitellmModel("frobnicate/x", timeout=10.0).complete(REQUEST)


async def test_nothing_of_litellm_is_changed_for_others(anthropic: Anthropic) -> None:
    import litellm

    await resolve("anthropic/claude-sonnet-4-5").complete(REQUEST)
    assert (litellm.callbacks, litellm.success_callback, litellm.failure_callback) == ([], [], [])
    assert (litellm.num_retries, litellm.cache, litellm.drop_params) == (None, None, False)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("", "localhost,127.0.0.1,::1"),
        ("intranet.example, 127.0.0.1", "intranet.example,127.0.0.1,localhost,::1"),
        ("*", "*"),
    ],
)
def test_only_this_machine_is_taken_out_of_the_proxies(given: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", given)
    monkeypatch.setenv("no_proxy", given)
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    LitellmModel("anthropic/claude", timeout=10.0)
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == left


def test_resolving_does_not_load_it() -> None:
    code = (
        "import sys; from agentsym.models.resolve import resolve; resolve('anthropic/claude'); "
        "assert not {'litellm', 'openai', 'aiohttp'} & set(sys.modules), 'loaded'"
    )
    env = {**os.environ, "ANTHROPIC_API_KEY": "0123456789"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=60)


@pytest.mark.slow
def test_loading_it_looks_nothing_up() -> None:
    code = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise SystemExit(f'looked up {args}')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from agentsym.models.litellm import _load\n"
        "assert _load().model_cost\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
