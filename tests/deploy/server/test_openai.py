"""The agent as a model, asked with OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from agentsym import Agent, FunctionNode
from agentsym.errors import UsageError
from tests.deploy.conftest import Running, Start, bearer, slow, things


def _count(text: str, times: int) -> str:
    return text * times


def _said(messages: list) -> str:  # type: ignore[type-arg]
    return " | ".join(f"{message['role']}: {message['content']}" for message in messages)


def _both(a: str, b: str) -> str:
    return a + b


repeats = Agent(
    "repeats",
    nodes=[FunctionNode("count", _count, inputs=["text", "times"], output={"all": str})],
    inputs={"text": str, "times": int},
)
listens = Agent(
    "listens",
    nodes=[FunctionNode("said", _said, inputs=["messages"], output={"heard": str})],
    inputs={"messages": list},
)
pairs = Agent(
    "pairs",
    nodes=[FunctionNode("both", _both, inputs=["a", "b"], output={"ab": str})],
    inputs={"a": str, "b": str},
)
USER = [{"role": "user", "content": "a dog"}]


@pytest.fixture
def ask(start: Start) -> Iterator[Any]:
    """Serve an agent and return a client of it."""
    clients: list[openai.OpenAI] = []

    def ask(agent: Agent = things, **settings: Any) -> tuple[Running, openai.OpenAI]:
        running = start(agent, **settings)
        key = bearer(running.store, "invoke")["authorization"].removeprefix("Bearer ")
        clients.append(openai.OpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0, timeout=20))
        return running, clients[-1]

    yield ask
    for client in clients:
        client.close()


def test_the_last_message_is_answered_and_the_completion_is_the_trace(ask: Any) -> None:
    running, client = ask()
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "a saw"}, *USER]
    done = client.chat.completions.create(model="things", messages=messages, user="ann")
    assert done.choices[0].message.content == "animal" and done.choices[0].finish_reason == "stop"
    trace = running.store.traces.trace(done.id)
    assert trace is not None and trace.trajectory is not None
    assert trace.thread == "ann" and trace.trajectory.inputs == {"text": "a dog"}
    assert done.usage is not None and done.usage.total_tokens == trace.tokens
    assert client.models.list().data[0].id == "things"
    assert client.models.retrieve("things").id == "things"


def test_a_stream_holds_the_same_text_and_its_usage(ask: Any) -> None:
    running, client = ask()
    chunks = list(
        client.chat.completions.create(
            model="things", messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "animal"
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1
    assert running.store.traces.trace(chunks[0].id) is not None


async def test_the_async_client_works_too(start: Start) -> None:
    running = start()
    key = bearer(running.store, "invoke")["authorization"].removeprefix("Bearer ")
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0) as client:
        done = await client.chat.completions.create(model="things", messages=USER)
        assert done.choices[0].message.content == "animal"
        stream = await client.chat.completions.create(model="things", messages=USER, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "animal"


def test_errors_are_those_that_the_client_knows(ask: Any) -> None:
    running, client = ask(slow)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="agentsym_0_wrong").chat.completions.create(model="slow", messages=USER)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=USER)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="slow", messages=[{"role": "system", "content": "x"}])
    fails = [{"role": "user", "content": "fail 1234"}]
    with pytest.raises(openai.InternalServerError) as told:
        client.chat.completions.create(model="slow", messages=fails)
    assert "1234" not in str(told.value)
    with pytest.raises(openai.APIError) as streamed:
        list(client.chat.completions.create(model="slow", messages=fails, stream=True))
    assert "1234" not in str(streamed.value)
    feedback_only = running.token("feedback")["authorization"].removeprefix("Bearer ")
    with pytest.raises(openai.PermissionDeniedError):
        client.with_options(api_key=feedback_only).chat.completions.create(model="slow", messages=USER)


def test_a_rate_that_is_used_up_is_a_rate_limit_error(ask: Any) -> None:
    _, client = ask(rate=1)
    client.chat.completions.create(model="things", messages=USER)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="things", messages=USER)


def test_further_inputs_come_from_the_metadata(ask: Any) -> None:
    _, client = ask(repeats)
    done = client.chat.completions.create(model="repeats", messages=USER, metadata={"times": "2", "tag": "mine"})
    assert done.choices[0].message.content == "a doga dog"
    for metadata, says in (({}, "times"), ({"times": "two"}, "integer"), ({"times": "2", "text": "x"}, "no input")):
        with pytest.raises(openai.BadRequestError, match=says):
            client.chat.completions.create(model="repeats", messages=USER, metadata=metadata)


def test_which_input_takes_the_message_is_named_or_follows_from_the_others(ask: Any) -> None:
    _, client = ask(pairs)
    with pytest.raises(openai.BadRequestError, match="chat-input"):
        client.chat.completions.create(model="pairs", messages=USER)
    done = client.chat.completions.create(model="pairs", messages=USER, metadata={"a": "not "})
    assert done.choices[0].message.content == "not a dog"


def test_the_operator_may_name_the_input(ask: Any, start: Start) -> None:
    _, client = ask(pairs, chat_input="b")
    done = client.chat.completions.create(model="pairs", messages=USER, metadata={"a": "not "})
    assert done.choices[0].message.content == "not a dog"
    with pytest.raises(UsageError, match="--chat-input c"):
        start(pairs, chat_input="c")


def test_an_agent_that_takes_messages_gets_all_of_them(ask: Any) -> None:
    _, client = ask(listens)
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    done = client.chat.completions.create(model="listens", messages=[{"role": "assistant", "content": "hi"}, *parts])
    assert done.choices[0].message.content == "assistant: hi | user: a\nb"


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": []},
        {"messages": "a dog"},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"metadata": "x"},
    ],
)
def test_what_the_agent_cannot_honour_is_refused(start: Start, more: dict[str, Any]) -> None:
    running = start()
    body = {"model": "things", "messages": USER, **more}
    sent = running.client.post("/v1/chat/completions", json=body, headers=running.token("invoke"))
    assert sent.status_code == 400 and sent.json()["error"]["message"]
