"""One suite for both clients: what a provider does wrong gets the same name, and as many requests, through either."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentsym.errors import (
    AnswerRefused,
    BadReply,
    ContextTooLong,
    Disconnected,
    KeyRefused,
    ModelError,
    OutOfCredit,
    RateLimited,
    ServerFailed,
    TimedOut,
    UnknownModel,
    Unreachable,
    UsageError,
)
from agentsym.models.budget import Budget
from agentsym.models.door import Door, OnText
from agentsym.models.prices import Prices
from agentsym.models.protocol import LanguageModel, Reply, Request, StreamingModel
from agentsym.models.resolve import resolve
from agentsym.models.retry import RetryPolicy
from agentsym.network.records import Message, ToolCall
from evals.openai_server import Fault, Server, faults

pytestmark = [
    pytest.mark.xdist_group("litellm"),  # loading it takes seconds: one worker does
    pytest.mark.filterwarnings(r"ignore:Item '\w+' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

KEY = "sk-test-0123456789abcdef"
MODEL = "openai/gpt-4o-mini"
RETRIES = 2
SCHEMA = {
    "type": "object",
    "properties": {"team": {"type": "string", "enum": ["heating", "plumbing"]}},
    "required": ["team"],
    "additionalProperties": False,
}
TOOL = {
    "name": "deadline",
    "description": "When the work must be done.",
    "parameters": {
        "type": "object",
        "properties": {"team": {"type": "string"}},
        "required": ["team"],
        "additionalProperties": False,
    },
}
ANSWER = '{"team": "heating"}  ' + "So it is, since radiators are theirs. " * 4


def request(**changes: Any) -> Request:
    messages = (Message(role="system", content="Choose."), Message(role="user", content="The radiator is cold."))
    return Request(messages=messages, **changes)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(lambda body: ANSWER, key=KEY, keep=True) as running:
        yield running


@pytest.fixture(params=[MODEL, f"litellm:{MODEL}"], ids=["direct", "litellm"])
async def model(request: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LanguageModel]:
    """Each client in turn."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield resolve(request.param)
    if request.param == MODEL:
        return
    import litellm

    await litellm.close_litellm_async_clients()  # it would keep them beyond their event loop
    litellm.in_memory_llm_clients_cache.flush_cache()


def door(**changes: Any) -> Door:
    return Door(retry=RetryPolicy(retries=RETRIES, first=0.001), **changes)


async def ask(model: LanguageModel, asked: Request | None = None, **through: Any) -> Reply:
    return await door(**through).complete(model, asked or request(), phase="forward")


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        (faults.SERVER_ERROR, ServerFailed, RETRIES + 1),
        (faults.OVERLOADED, ServerFailed, RETRIES + 1),
        (faults.rate_limited(0), RateLimited, RETRIES + 1),
        (faults.DROP_BEFORE, Disconnected, RETRIES + 1),
        (faults.DROP_MIDDLE, Disconnected, RETRIES + 1),
        (faults.BAD_KEY, KeyRefused, 1),
        (faults.FORBIDDEN, KeyRefused, 1),
        (faults.OUT_OF_CREDIT, OutOfCredit, 1),
        (faults.NO_MODEL, UnknownModel, 1),
        (faults.TOO_LONG, ContextTooLong, 1),
        (faults.HTML, BadReply, 1),
        (faults.BAD_JSON, BadReply, 1),
        (faults.CUT_OFF, BadReply, 1),
        (faults.NO_CHOICES, BadReply, 1),
        (faults.DECLINED, AnswerRefused, 1),
        (faults.FILTERED, AnswerRefused, 1),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_failure_has_its_type_and_its_number_of_requests(
    fault: Fault, error: type[ModelError], requests: int, model: LanguageModel, server: Server
) -> None:
    server.plan = lambda number: fault
    through = door()
    with pytest.raises(error) as caught:
        await through.complete(model, request(), phase="forward")
    assert type(caught.value) is error
    assert str(caught.value).startswith(model.name.partition(" at ")[0])
    assert KEY not in str(caught.value)
    assert server.stats.requests == through.ledger.total().calls == requests


@pytest.mark.parametrize("on_text", [None, lambda text: None], ids=["whole", "stream"])
async def test_a_server_that_hangs_times_out(
    on_text: OnText | None, model: LanguageModel, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await model.complete(request())  # litellm's first call takes longer than is waited now
    server.reset()
    server.plan = lambda number: faults.HANG
    monkeypatch.setenv("AGENTSYM_TIMEOUT", "0.3")
    impatient = resolve(model.name.partition(" at ")[0])
    with pytest.raises(TimedOut, match=r"within 0\.3 seconds"):
        await door().complete(impatient, request(), phase="forward", on_text=on_text)
    assert server.stats.requests == RETRIES + 1


async def test_a_failure_that_passes_is_made_good(model: LanguageModel, server: Server) -> None:
    server.plan = [faults.SERVER_ERROR, faults.DROP_BEFORE]
    reply = await ask(model)
    assert reply.text == ANSWER
    assert reply.usage.calls == server.stats.requests == 3


async def test_what_a_server_asks_to_wait_is_known(model: LanguageModel, server: Server) -> None:
    server.plan = [faults.rate_limited(7)]
    with pytest.raises(RateLimited) as caught:
        await model.complete(request())
    assert caught.value.retry_after == 7.0


async def test_the_error_of_a_refused_key_names_its_variable(model: LanguageModel, server: Server) -> None:
    server.key = "another"
    with pytest.raises(KeyRefused, match="OPENAI_API_KEY"):
        await ask(model)


async def test_an_address_where_nobody_listens_is_unreachable(model: LanguageModel, server: Server) -> None:
    await server.__aexit__(None, None, None)
    with pytest.raises(Unreachable, match=server.base_url):
        await model.complete(request())


async def test_text_and_tokens_are_the_servers(model: LanguageModel, server: Server) -> None:
    reply = await ask(model)
    assert reply.text == ANSWER
    assert not reply.truncated
    assert reply.usage.prompt_tokens == server.stats.prompt_tokens
    assert reply.usage.completion_tokens == server.stats.completion_tokens
    assert not reply.usage.estimated


async def test_tokens_that_the_server_does_not_count_are_estimated(model: LanguageModel, server: Server) -> None:
    server.plan = [faults.NO_USAGE]
    usage = (await ask(model)).usage
    assert usage.estimated
    assert usage.prompt_tokens == server.stats.prompt_tokens
    assert usage.completion_tokens == server.stats.completion_tokens


async def test_an_answer_cut_at_its_longest_length_says_so(model: LanguageModel, server: Server) -> None:
    reply = await ask(model, request(max_tokens=3, temperature=0.5))
    assert reply.truncated
    assert reply.text == ANSWER[:12]
    assert server.stats.bodies[-1]["temperature"] == 0.5


async def test_the_schema_is_sent_as_it_is(model: LanguageModel, server: Server) -> None:
    await ask(model, request(schema_=SCHEMA))
    format_ = server.stats.bodies[-1]["response_format"]
    assert format_["type"] == "json_schema"
    assert format_["json_schema"]["schema"] == SCHEMA
    assert format_["json_schema"]["strict"] is True


async def test_a_server_that_knows_no_schema_finds_it_in_the_prompt_from_then_on(
    model: LanguageModel, server: Server
) -> None:
    server.plan = [faults.NO_SCHEMA]
    reply = await ask(model, request(schema_=SCHEMA))
    assert reply.text == ANSWER
    assert reply.usage.calls == server.stats.requests == 2
    await ask(model, request(schema_=SCHEMA, rollout=1))
    assert server.stats.requests == 3
    for body in server.stats.bodies[1:]:
        assert "response_format" not in body
        assert json.dumps(SCHEMA) in body["messages"][0]["content"]


async def test_tools_are_offered_and_their_calls_come_back(model: LanguageModel, server: Server) -> None:
    call = {"id": "call_7", "type": "function", "function": {"name": "deadline", "arguments": '{"team": "heating"}'}}
    server.brain = lambda body: {"content": None, "tool_calls": [call]}
    reply = await ask(model, request(tools=(TOOL,)))
    assert server.stats.bodies[-1]["tools"] == [{"type": "function", "function": TOOL}]
    assert reply.tool_calls == (ToolCall(tool="deadline", arguments={"team": "heating"}, id="call_7"),)
    assert reply.text == ""


async def test_tool_calls_and_their_results_go_back_to_the_server(model: LanguageModel, server: Server) -> None:
    called = ToolCall(tool="deadline", arguments={"team": "heating"}, id="call_7", result="Monday")
    asked = request(tools=(TOOL,))
    messages = (
        *asked.messages,
        Message(role="assistant", content="", tool_calls=(called,)),
        Message(role="tool", content='"Monday"', tool_call_id="call_7"),
    )
    await ask(model, asked.model_copy(update={"messages": messages}))
    said, told = server.stats.bodies[-1]["messages"][2:]
    assert said["tool_calls"][0]["function"] == {"name": "deadline", "arguments": '{"team": "heating"}'}
    assert (told["role"], told["tool_call_id"], told["content"]) == ("tool", "call_7", '"Monday"')


async def test_arguments_that_cannot_be_read_are_an_error_of_the_call(model: LanguageModel, server: Server) -> None:
    server.plan = [faults.BAD_ARGUMENTS]
    (call,) = (await ask(model, request(tools=(TOOL,)))).tool_calls
    assert (call.tool, call.arguments) == ("lookup", {})
    assert call.error is not None
    assert "no JSON object" in call.error


async def test_a_stream_is_the_answer_in_pieces(model: LanguageModel, server: Server) -> None:
    pieces: list[str] = []
    reply = await door().complete(model, request(), phase="forward", on_text=pieces.append)
    assert len(pieces) > 2
    assert "".join(pieces) == reply.text == ANSWER
    assert reply.usage.completion_tokens == server.stats.completion_tokens


async def test_tool_calls_come_whole_out_of_a_stream(model: LanguageModel, server: Server) -> None:
    arguments = json.dumps({"team": "heating and all that is warm and has pipes"})
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": "deadline", "arguments": arguments}} for n in "ab"
    ]
    server.brain = lambda body: {"content": "Let me see.", "tool_calls": calls}
    assert isinstance(model, StreamingModel)
    *_, reply = [piece async for piece in model.stream(request(tools=(TOOL,)))]
    assert isinstance(reply, Reply)
    assert reply.text == "Let me see."
    assert [(call.id, call.arguments) for call in reply.tool_calls] == [
        ("call_a", json.loads(arguments)),
        ("call_b", json.loads(arguments)),
    ]


@pytest.mark.parametrize("fault", [faults.CUT_OFF, faults.DROP_MIDDLE], ids=lambda fault: fault.name)
async def test_a_stream_that_is_cut_is_no_answer(fault: Fault, model: LanguageModel, server: Server) -> None:
    server.plan = lambda number: fault
    with pytest.raises(Disconnected):
        await door().complete(model, request(), phase="forward", on_text=lambda text: None)
    assert server.stats.requests == 1  # some of it was shown already


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "intranet.example")
    again = resolve(model.name.partition(" at ")[0])
    assert (await again.complete(request())).text == ANSWER


async def test_a_cap_on_dollars_needs_a_price(model: LanguageModel, server: Server) -> None:
    unpriced = Prices()
    unpriced.of = lambda name: None  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="price"):
        await ask(model, budget=Budget(max_usd=1.0), prices=unpriced)
    assert server.stats.requests == 0
    assert (await ask(model, prices=unpriced)).usage.usd is None
    assert (await ask(model, request(rollout=2), budget=Budget(max_usd=1.0))).usage.usd > 0
