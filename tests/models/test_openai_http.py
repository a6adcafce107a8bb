"""The direct client by itself: what it sends, how it reads, and how its connections live and end."""

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from agentsym.errors import (
    AnswerRefused,
    BadReply,
    ContextTooLong,
    KeyRefused,
    OutOfCredit,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TimedOut,
    UnknownModel,
    Unreachable,
    UsageError,
)
from agentsym.models.chat_errors import failure, retry_after
from agentsym.models.chat_protocol import Asked, Dialect, body_of, reply_of, strict
from agentsym.models.chat_stream import Assembly, data_of
from agentsym.models.http_sessions import is_loopback, proxy_of
from agentsym.models.openai_http import OpenAIModel
from agentsym.models.protocol import Reply, Request
from agentsym.network.records import Message
from agentsym.runtime.loop import run_sync
from evals.openai_server import Server, faults

ASKED = Asked("openai/student", "http://127.0.0.1:1/v1", "OPENAI_API_KEY")
SCHEMA = {
    "type": "object",
    "properties": {"team": {"type": "string"}},
    "required": ["team"],
    "additionalProperties": False,
}


def request(*texts: str, **changes: Any) -> Request:
    return Request(messages=tuple(Message(role="user", content=text) for text in texts or ("Hello",)), **changes)


def model(server: Server, **changes: Any) -> OpenAIModel:
    return OpenAIModel("openai/student", base_url=server.base_url, **changes)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(lambda body: "yes", keep=True) as running:
        yield running


async def test_only_what_is_asked_is_sent(server: Server) -> None:
    await model(server).complete(request(rollout=3))
    assert server.stats.bodies == [{"model": "student", "messages": [{"role": "user", "content": "Hello"}]}]


@pytest.mark.parametrize("length", ["max_tokens", "max_completion_tokens"])
def test_the_longest_length_has_the_name_that_the_server_knows(length: Any) -> None:
    assert body_of("m", request(max_tokens=5), Dialect(length=length))[length] == 5


def test_a_schema_in_the_prompt_stands_in_the_last_system_message() -> None:
    messages = (Message(role="system", content="Be brief."), Message(role="user", content="Hello"))
    asked = Request(messages=messages, schema_=SCHEMA)
    for mode in ("json_object", "prompt"):
        body = body_of("m", asked, Dialect(mode))
        assert body["messages"][0]["content"].startswith("Be brief.\n\n")
        assert json.dumps(SCHEMA) in body["messages"][0]["content"]
        assert body.get("response_format") == ({"type": "json_object"} if mode == "json_object" else None)
    bare = body_of("m", request(schema_=SCHEMA), Dialect("prompt"))
    assert [message["role"] for message in bare["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "additionalProperties": True}, False),
        ({**SCHEMA, "required": []}, False),
        ({**SCHEMA, "properties": {"team": {"type": "string", "minLength": 1}}}, False),
        ({**SCHEMA, "properties": {"team": {}}}, False),
        ({**SCHEMA, "properties": {"team": {"type": "array", "items": SCHEMA}}}, True),
        ({**SCHEMA, "properties": {"team": {"anyOf": [SCHEMA, {"type": "object", "properties": {}}]}}}, False),
        ({**SCHEMA, "properties": {"team": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"type": "object"}}}, False),
    ],
)
def test_a_schema_is_strict_where_it_keeps_the_rules_of_strict_mode(schema: dict[str, Any], kept: bool) -> None:
    assert strict(schema) is kept


@pytest.mark.parametrize(
    ("refusal", "changed"),
    [
        ("This model does not support response format `json_schema`.", {"schema": "prompt"}),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", {"length": "max_completion_tokens"}),
        ("max_tokens is too large: this model supports at most 100 completion tokens", {}),
        ("Extra inputs are not permitted: stream_options", {"stream_usage": False}),
        ("temperature must be below 2", {}),
    ],
)
def test_what_a_server_says_it_does_not_know_is_left_out(refusal: str, changed: dict[str, Any]) -> None:
    asked = request(schema_=SCHEMA, max_tokens=5)
    assert Dialect().without(refusal, asked, stream=True) == Dialect(**changed)
    assert Dialect().without(refusal, request(), stream=False) == Dialect()


async def test_a_server_that_streams_no_usage_is_asked_again_without(server: Server) -> None:
    server.plan = [faults.Refusal("strict", 422, "Extra inputs are not permitted", param="stream_options")]
    from agentsym.models.door import Door

    texts: list[str] = []
    reply = await Door().complete(model(server), request(), phase="forward", on_text=texts.append)
    assert (texts, reply.text, reply.usage.calls) == (["yes"], "yes", 2)
    assert reply.usage.estimated
    assert "stream_options" not in server.stats.bodies[1]


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "bad temperature", RequestRefused),
        (413, "body too large", RequestRefused),
        (400, '{"error": {"message": "prompt is too long: 9 tokens > 8"}}', ContextTooLong),
        (400, '{"error": {"code": "content_filter", "message": "no"}}', AnswerRefused),
        (400, '{"error": {"code": "model_not_found", "message": "no"}}', UnknownModel),
        (401, "", KeyRefused),
        (402, "pay", OutOfCredit),
        (404, "<html>Not Found</html>", UnknownModel),
        (405, "", UnknownModel),
        (307, "", UnknownModel),
        (408, "", TimedOut),
        (429, "slow down", RateLimited),
        (429, '{"error": {"type": "exceeded_current_quota_error"}}', OutOfCredit),
        (503, "", ServerFailed),
        (529, '{"type": "error", "error": {"type": "overloaded_error"}}', ServerFailed),
    ],
)
def test_a_status_becomes_a_typed_error_with_the_servers_words(status: int, text: str, kind: type[Exception]) -> None:
    error = failure(ASKED, status, text, {})
    assert type(error) is kind
    assert str(error).startswith("openai/student")
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"message": "the words"}}',
        '{"error": "the words"}',
        '{"message": "the words"}',
        '{"detail": "the words"}',
        '[{"error": {"message": "the words"}}]',
        "the words",
    ],
)
def test_the_servers_words_are_found_in_every_form_of_error(body: str) -> None:
    assert str(failure(ASKED, 500, body, {})).endswith(": the words")


def test_the_wait_is_read_in_milliseconds_seconds_and_as_a_date() -> None:
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after": "9"}) == 9.0
    assert retry_after({"retry-after": "-3"}) == 0.0
    soon = retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)})
    assert soon is not None
    assert 3500 < soon <= 3600
    for nothing in ({}, {"retry-after": "soon"}, {"retry-after": "inf"}):
        assert retry_after(nothing) is None


async def test_an_error_of_status_200_is_an_error(server: Server) -> None:
    text = json.dumps({"error": {"code": 429, "message": "Upstream is busy"}})
    server.plan = [faults.Garbage("late error", text, "application/json", False)]
    with pytest.raises(RateLimited, match="Upstream is busy"):
        await model(server).complete(request())


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    body = json.loads('{"choices": [{"message": {"content": "a\\ud83d\\ude00b\\ud83d"}}]}')
    assert reply_of(body, request(), ASKED).text == "a\U0001f600b\ufffd"


def test_content_in_parts_is_put_together() -> None:
    content = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert reply_of({"choices": [{"message": {"content": content}}]}, request(), ASKED).text == "ab"


@pytest.mark.parametrize("arguments", ["", None, "{}", {}])
def test_a_tool_that_takes_nothing_gets_no_arguments(arguments: Any) -> None:
    calls = [{"function": {"name": "now", "arguments": arguments}}]
    (call,) = reply_of({"choices": [{"message": {"tool_calls": calls}}]}, request(), ASKED).tool_calls
    assert (call.tool, call.arguments, call.error, call.id) == ("now", {}, None, "call_0")


@pytest.mark.parametrize("arguments", ["[1]", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud83d"}', "no"])
def test_arguments_that_are_no_storable_object_are_an_error(arguments: str) -> None:
    calls = [{"function": {"name": "now", "arguments": arguments}}]
    (call,) = reply_of({"choices": [{"message": {"tool_calls": calls}}]}, request(), ASKED).tool_calls
    assert call.arguments == {}
    assert call.error is not None


@pytest.mark.parametrize(
    "body",
    [{}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": {"tool_calls": [{}]}}]}],
)
def test_a_body_of_another_form_is_a_bad_reply(body: dict[str, Any]) -> None:
    with pytest.raises(BadReply, match="openai/student"):
        reply_of(body, request(), ASKED)


async def test_events_are_found_however_the_bytes_are_cut() -> None:
    whole = b': ping\r\n\r\ndata: {"a": "\xc3\xa9"}\r\n\r\nevent: x\ndata:[DONE]\n\ndata: {"cut'

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    for size in (1, 2, 7, 100):
        assert [data async for data in data_of(chunks(size))] == ['{"a": "é"}', "[DONE]"]


@pytest.mark.parametrize("rest", ["", ', "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]'])
def test_a_stream_that_carries_an_error_raises_it(rest: str) -> None:
    with pytest.raises(ServerFailed, match="it broke"):
        Assembly(request(), ASKED).add(f'{{"error": {{"message": "it broke"}}{rest}}}')


async def test_a_server_that_does_not_stream_is_understood() -> None:
    async def answer(asked: web.Request) -> web.Response:
        return web.json_response({"choices": [{"message": {"content": "all at once"}}]})

    async with _site(answer) as address:
        pieces = [piece async for piece in OpenAIModel("acme/m", base_url=address).stream(request())]
    assert pieces[0] == "all at once"
    assert isinstance(pieces[1], Reply)


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async def elsewhere(asked: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "https://elsewhere.example/v1/chat/completions"})

    async with _site(elsewhere) as address:
        with pytest.raises(UnknownModel, match=r"redirects to https://elsewhere\.example"):
            await OpenAIModel("acme/m", base_url=address, key="0123456789").complete(request())


async def test_a_server_that_speaks_no_http_is_a_bad_reply() -> None:
    async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(banner, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(BadReply, match="no HTTP"):
            await OpenAIModel("acme/m", base_url=f"http://127.0.0.1:{port}").complete(request())


async def test_an_unknown_host_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"openai/x at http://nowhere\.invalid/v1 cannot be reached"):
        await OpenAIModel("openai/x", base_url="http://nowhere.invalid/v1").complete(request())


async def test_a_key_that_a_server_repeats_is_not_shown(server: Server) -> None:
    server.plan = [faults.Refusal("echo", 401, "Who is open sesame?")]
    with pytest.raises(KeyRefused, match=r"Who is \[secret\]\?"):
        await model(server, key="open sesame").complete(request())


async def test_a_server_that_wants_a_key_where_none_was_sent_says_which(server: Server) -> None:
    server.key = "0123456789"
    with pytest.raises(KeyRefused, match=r"none was sent; set OPENAI_API_KEY"):
        await model(server, key_variable="OPENAI_API_KEY").complete(request())


@pytest.mark.parametrize("address", ["", "localhost:8000/v1", "ftp://host/v1"])
def test_an_address_that_is_none_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError, match="base_url holds no address"):
        OpenAIModel("acme/m", base_url=address)


async def test_a_login_in_the_address_is_sent_and_never_shown(server: Server) -> None:
    address = server.base_url.replace("http://", "http://me:0123456789@")
    asked = OpenAIModel("acme/m", base_url=address)
    await asked.complete(request())
    assert server.stats.headers[-1]["authorization"].startswith("Basic ")
    server.key = "another"
    with pytest.raises(KeyRefused) as caught:
        await asked.complete(request())
    assert "0123456789" not in f"{caught.value} {asked!r}"


async def test_connections_are_kept_and_shared(server: Server) -> None:
    asked = model(server)
    for wave in range(3):
        await asyncio.gather(*(asked.complete(request(f"{wave} {number}")) for number in range(8)))
    assert server.stats.requests == 24
    assert server.stats.connections == 8


def test_each_loop_has_its_own_connections_and_closes_them() -> None:
    with Server(lambda body: "yes") as server, warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asked = model(server)
        for _ in range(2):
            assert asyncio.run(asked.complete(request())).text == "yes"
            assert not asked._sessions._held

        async def inside() -> str:
            return run_sync(asked.complete(request())).text  # a loop in a thread beside this one

        assert asyncio.run(inside()) == "yes"
        assert not asked._sessions._held
        gc.collect()


async def test_a_model_that_is_forgotten_while_its_loop_runs_on_closes_its_connections(server: Server) -> None:
    asked: Any = model(server)
    await asked.complete(request())
    asked._sessions.itself = asked  # a cycle, as models in larger structures are part of
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        del asked
        gc.collect()  # takes the session in the same sweep, unless somebody holds it to close it
        for _ in range(10):
            await asyncio.sleep(0)
        gc.collect()
    assert [str(each.message) for each in said if issubclass(each.category, ResourceWarning)] == []


def test_a_loop_that_was_closed_without_a_word_is_forgotten() -> None:
    with Server(lambda body: "yes") as server:
        asked = model(server)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asked.complete(request()))
        loop.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # sockets of a loop that was closed over them
            assert asyncio.run(asked.complete(request())).text == "yes"
            assert not asked._sessions._held
            gc.collect()


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://api.localhost/", True),
        ("http://127.0.0.1.example/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_this_machine_is_told_from_others(address: str, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert is_loopback(URL(address)) is own
    assert (proxy_of(URL(address)) is None) is own


async def test_a_remote_host_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def proxied(asked: web.Request) -> web.Response:
        seen.append((asked.url.host or "", asked.headers.get("Proxy-Authorization", "")))
        return web.json_response({"choices": [{"message": {"content": "by proxy"}}]})

    seen: list[tuple[str, str]] = []
    async with _site(proxied) as address:
        monkeypatch.setenv("http_proxy", address.replace("http://", "http://me:pass@").removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        reply = await OpenAIModel("acme/m", base_url="http://llm.invalid/v1").complete(request())
    assert reply.text == "by proxy"
    assert seen == [("llm.invalid", "Basic bWU6cGFzcw==")]


class _site:
    """A web server for the length of a block, with one handler for every path; its address ends with /v1."""

    def __init__(self, handler: Any) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.0)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
