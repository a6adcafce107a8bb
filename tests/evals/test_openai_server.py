"""The provider's double speaks the protocol, keeps honest books, and misbehaves only as it is told to."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from evals.openai_server import Price, Server, Stats, faults
from evals.openai_server.brains import BRAINS

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"query": "bell"}'}}


def echo(body: dict[str, Any]) -> str:
    return f"You said {body['messages'][-1]['content']}, and nothing else that I could hear."


def asking(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


class Client:
    """Plain aiohttp, with an error where the answer does not come in time."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.url = f"{server.base_url}/chat/completions"
        self.session = session

    async def post(self, body: Any, **more: Any) -> tuple[int, str]:
        async with self.session.post(self.url, json=body, **more) as response:
            return response.status, await response.text()

    async def ask(self, *args: Any, **more: Any) -> dict[str, Any]:
        status, text = await self.post(asking(*args, **more))
        assert status == 200
        answer: dict[str, Any] = json.loads(text)
        return answer

    async def chunks(self, **more: Any) -> list[dict[str, Any]]:
        _, text = await self.post(asking(stream=True, **more))
        events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
        assert events.pop() == "[DONE]"
        return [json.loads(event) for event in events]


@asynccontextmanager
async def client_of(server: Server, seconds: float = 10.0) -> AsyncIterator[Client]:
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with server, aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(server, session)


async def test_an_answer_is_the_brains_and_its_usage_is_a_quarter_of_the_characters_rounded_up() -> None:
    async with client_of(Server(echo)) as client:
        answer = await client.ask("1234567", response_format={"type": "json_object"})
    (choice,) = answer["choices"]
    text = echo(asking("1234567"))
    assert choice["message"] == {"role": "assistant", "content": text} and choice["finish_reason"] == "stop"
    form = len('{"type": "json_object"}')
    assert answer["usage"]["prompt_tokens"] == -(-(7 + form) // 4)
    assert answer["usage"]["completion_tokens"] == -(-len(text) // 4)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_is_cut_at_its_longest_length(name: str) -> None:
    async with client_of(Server(echo)) as client:
        answer = await client.ask(**{name: 3})
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "You said hel" and choice["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


async def test_a_stream_says_what_the_whole_answer_says_and_its_usage_where_that_is_asked_for() -> None:
    brain = {"text": lambda body: echo(body), "tool": lambda body: {"content": None, "tool_calls": [CALL]}}
    for kind, server in ((kind, Server(each)) for kind, each in brain.items()):
        async with client_of(server) as client:
            whole = await client.ask()
            chunks = await client.chunks(stream_options={"include_usage": True})
            assert not any("usage" in chunk for chunk in await client.chunks())
        *pieces, last = chunks
        assert last["choices"] == [] and last["usage"] == whole["usage"]
        deltas = [choice["delta"] for chunk in pieces for choice in chunk["choices"]]
        if kind == "text":
            assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
        else:
            calls = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
            assert "".join(call["arguments"] for call in calls) == CALL["function"]["arguments"]
        assert pieces[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


async def test_the_books_count_tokens_dollars_repeats_models_connections_and_how_many_were_there_at_once() -> None:
    server = Server(echo, latency=0.02, prices={"m": Price(1.0, 10.0)}, keep=True)
    async with client_of(server) as client:
        used = [each["usage"] for each in await asyncio.gather(*(client.ask(f"n{n % 5}") for n in range(20)))]
        await client.ask(model="other")
        books = server.stats
    assert (books.requests, books.answered, books.repeats) == (21, 21, 15)
    assert books.peak == books.connections == 20
    one = books.by_model["m"]
    assert one.prompt_tokens == sum(each["prompt_tokens"] for each in used)
    assert one.usd == books.usd == pytest.approx(one.prompt_tokens / 1e6 + one.completion_tokens / 1e5)
    assert books.tokens == sum(model.tokens for model in books.by_model.values()) > one.tokens
    assert len(books.bodies) == len(books.headers) == 21 and books.headers[0]["content-type"] == "application/json"


async def test_new_books_are_empty_and_the_plan_begins_anew() -> None:
    server = Server(echo, plan=[faults.OVERLOADED])
    async with client_of(server) as client:
        assert [(await client.post(asking()))[0] for _ in range(3)] == [503, 200, 200]
        assert server.stats.refused == 1 and server.stats.answered == 2
        server.reset()
        assert server.stats == Stats()
        assert [(await client.post(asking()))[0] for _ in range(2)] == [503, 200]


async def test_the_plan_may_be_a_function_of_the_requests_number() -> None:
    server = Server(echo, plan=lambda number: faults.SERVER_ERROR if number % 2 else None)
    async with client_of(server) as client:
        assert [(await client.post(asking()))[0] for _ in range(4)] == [200, 500, 200, 500]


async def test_only_who_bears_the_key_is_answered() -> None:
    async with client_of(Server(echo, key="right")) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            status, text = await client.post(asking(), headers=headers)
            assert status == 401 and json.loads(text)["error"]["code"] == "invalid_api_key"
        assert (await client.post(asking(), headers={"Authorization": "Bearer right"}))[0] == 200
        async with client.session.get(client.url.replace("chat/completions", "models")) as response:
            assert response.status == 401


async def test_a_brain_that_raises_is_a_500_and_counted() -> None:
    server = Server(BRAINS["tutor"]())
    async with client_of(server) as client:
        status, text = await client.post(asking())
    assert status == 500 and "the tutor answers the teacher's requests only" in text
    assert len(server.stats.errors) == 1 and server.stats.answered == 0


async def test_what_is_no_request_is_refused() -> None:
    async with client_of(Server(echo)) as client:
        for body in ({}, [], asking() | {"messages": []}):
            assert (await client.post(body))[0] == 400


REFUSALS = [fault for fault in faults.ALL if isinstance(fault, faults.Refusal)]


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.name)
async def test_a_refusal_has_its_status_its_headers_and_an_error_in_the_protocols_form(fault: faults.Refusal) -> None:
    server = Server(echo, plan=[fault])
    async with client_of(server) as client, client.session.post(client.url, json=asking()) as response:
        error = (await response.json())["error"]
        assert response.status == fault.status and set(fault.headers.items()) <= set(response.headers.items())
    assert set(error) == {"message", "type", "param", "code"} and "{model}" not in error["message"]
    assert server.stats.tokens == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_every_way_in_which_an_answer_can_be_spoilt(stream: bool) -> None:
    seen: dict[str, Any] = {}
    spoilt = [fault for fault in faults.ALL if not isinstance(fault, faults.Refusal | faults.Altered)]
    server = Server(echo, plan=[*spoilt, None])
    async with client_of(server, seconds=0.4) as client:
        for fault in (*spoilt, None):
            try:
                _, seen[fault.name if fault else ""] = await client.post(asking(stream=stream, max_tokens=5))
            except (aiohttp.ClientError, TimeoutError) as error:
                seen[fault.name if fault else ""] = error
    whole = seen.pop("")
    assert isinstance(seen.pop("drop before"), aiohttp.ServerDisconnectedError)
    assert isinstance(seen.pop("drop in the middle"), aiohttp.ClientPayloadError)
    assert isinstance(seen.pop("hang"), TimeoutError)
    assert seen.pop("html").startswith("<!doctype html>")
    with pytest.raises(ValueError):
        json.loads(seen.pop("bad json"))
    assert len(seen.pop("cut off")) < len(whole) and "[DONE]" not in seen.get("cut off", "")
    dripped = seen.pop("drip")
    assert isinstance(dripped, TimeoutError) or len(dripped) >= len(whole) - 2  # the request's number is in it
    assert not seen
    assert server.stats.answered == len(spoilt)  # all but the page of HTML, and the sound one


async def test_the_answers_that_are_altered() -> None:
    altered = [faults.NO_CHOICES, faults.NO_USAGE, faults.DECLINED, faults.FILTERED, faults.BAD_ARGUMENTS]
    async with client_of(Server(echo, plan=altered)) as client:
        empty, unbilled, declined, filtered, malformed = [await client.ask() for _ in altered]
    assert empty["choices"] == [] and "usage" not in unbilled
    assert declined["choices"][0]["message"]["content"] is None and declined["choices"][0]["message"]["refusal"]
    assert filtered["choices"][0]["finish_reason"] == "content_filter"
    with pytest.raises(ValueError):
        json.loads(malformed["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])


def test_it_serves_callers_without_a_loop_from_a_thread() -> None:
    with Server(echo) as server:
        request = urllib.request.Request(f"{server.base_url}/chat/completions", json.dumps(asking()).encode())
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["choices"][0]["message"]["content"] == echo(asking())
    assert server.stats.answered == 1


async def test_it_runs_as_a_process_that_tells_its_address_and_its_books() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evals.openai_server", "--brain", "tutor", "--key", "k"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        base_url = (await process.stdout.readline()).decode().strip()
        root = base_url.removesuffix("/v1")
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as session:
            async with session.post(f"{base_url}/chat/completions", json=asking()) as response:
                assert response.status == 500
            async with session.get(f"{root}/stats") as response:
                assert (await response.json())["requests"] == 1
            async with session.post(f"{root}/reset"), session.get(f"{root}/stats") as response:
                assert (await response.json())["requests"] == 0
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
