"""Every provider that does not speak OpenAI's chat protocol, through the litellm package.

It is loaded at the first call, in a thread, since that takes seconds; its retries, callbacks and prices stay unused,
because the door does all that, and what it gets wrong of a failure is put right here.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import urllib.request
import warnings
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

from agentsym.errors import (
    AgentsymError,
    AnswerRefused,
    BadReply,
    ContextTooLong,
    Disconnected,
    KeyRefused,
    ModelError,
    TimedOut,
    Transient,
    UnknownModel,
)
from agentsym.models.chat_errors import failure, unreachable
from agentsym.models.chat_protocol import TIMEOUT, Asked, Dialect, messages_of, reply_of, response_format, tools_of
from agentsym.models.chat_stream import Assembly
from agentsym.models.protocol import Reply, Request
from agentsym.models.secrets import excerpt

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_CONNECTION = {"ConnectError", "ConnectTimeout", "ProxyError", "ClientConnectorError"}
_NO_TIME = {"TimeoutError", "TimeoutException", "APITimeoutError"}
_NO_ANSWER = {"TransportError", "ClientConnectionError", "ClientPayloadError"}


class LitellmModel:
    """A model that litellm knows how to ask.

    Args:
        name: the model string, `litellm:PREFIX/MODEL` or `PREFIX/MODEL`, and an unusual address as ` at ADDRESS`.
        base_url: the address; None leaves it to litellm.
        key: the key; None leaves it to litellm, which looks into the environment.
        key_variable: the environment variable that the key is from, for errors.
        timeout: seconds for a whole answer.
    """

    remote = True

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        key: str | None = None,
        key_variable: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        self.name = name
        self._model = name.partition(" at ")[0].removeprefix("litellm:")
        self._asked = Asked(name, base_url or "", key_variable)
        self._base_url = base_url
        self._key = key or ("none" if base_url else None)  # litellm wants one even where the server does not
        self._timeout = timeout
        self._dialect: Dialect | None = None
        _spare_loopback()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete(self, request: Request) -> Reply:
        answer = await self._send(request, stream=False)
        body = answer.model_dump()
        for choice in body.get("choices") or ():
            message = choice.get("message") or {}
            message["refusal"] = (message.get("provider_specific_fields") or {}).get("refusal")
        if not (body.get("usage") or {}).get("prompt_tokens"):
            body["usage"] = None  # zeros stand for a count that the server did not send
        return reply_of(body, request, self._asked)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        deadline = asyncio.get_running_loop().time() + self._timeout
        chunks = await self._send(request, stream=True)
        assembly = Assembly(request, self._asked)
        try:
            while (chunk := await self._next(chunks, deadline)) is not None:
                if text := assembly.take(chunk.model_dump()):
                    yield text
        finally:
            await chunks.aclose()
        if chunks.received_finish_reason is None:  # it makes one up where a stream was cut
            raise Disconnected(f"{self.name}: the stream broke off")
        reply = assembly.reply()
        yield reply.model_copy(update={"usage": reply.usage.model_copy(update={"estimated": True})})

    async def _send(self, request: Request, *, stream: bool) -> Any:
        """Send one request and return what litellm makes of the answer."""
        litellm = await _loaded()
        dialect = self._dialect or self._prepared(litellm)
        try:
            async with asyncio.timeout(self._timeout):
                return await litellm.acompletion(
                    model=self._model,
                    messages=messages_of(request, dialect),
                    api_base=self._base_url,
                    api_key=self._key,
                    timeout=self._timeout,
                    num_retries=0,
                    max_retries=0,
                    **_wishes(request, dialect, stream=stream),
                )
        except Exception as error:
            simpler = dialect.without(str(error), request, stream=stream)
            if getattr(error, "status_code", None) in (400, 422) and simpler != dialect:
                self._dialect = simpler
                said = excerpt(str(error))
                raise Transient(f"{self.name}: the server asks to be asked otherwise: {said}", 0.0) from None
            raise self._failure(error) from None  # not its cause: litellm's texts may hold the key

    async def _next(self, chunks: Any, deadline: float) -> Any:
        """Return the next part of a stream; None at its end."""
        try:
            async with asyncio.timeout_at(deadline):
                return await anext(chunks, None)
        except Exception as error:
            raise self._failure(error) from None

    def _prepared(self, litellm: Any) -> Dialect:
        """Check once that the model can be asked, and find out what its server understands.

        Raises:
            UnknownModel: litellm does not know the provider.
            KeyRefused: there is no key in the environment.
        """
        try:
            litellm.get_llm_provider(model=self._model)
        except Exception:
            prefix = self._model.partition("/")[0]
            raise UnknownModel(f"{self.name}: litellm knows no provider {prefix!r}") from None
        if self._key is None:
            missing = litellm.validate_environment(model=self._model)["missing_keys"]
            if keys := [name for name in missing if name.endswith("_API_KEY")]:
                raise KeyRefused(
                    f"{self.name} needs a key, and there is none in the environment; set {' or '.join(keys)}"
                )
        knows = litellm.supports_response_schema(model=self._model)
        self._dialect = Dialect("json_schema" if knows else "prompt")
        return self._dialect

    def _failure(self, error: Exception) -> ModelError:
        """Return our error for one of litellm's; its own types and statuses are wrong for what the network did."""
        causes = list(_causes(error))
        kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
        text = str(error).rpartition("Exception - ")[2]
        said = excerpt(text)
        if kinds & _NO_CONNECTION:
            return unreachable(self._asked, excerpt(str(causes[-1])))
        if kinds & _NO_TIME:
            return TimedOut(f"{self.name}: no whole answer within {self._timeout:g} seconds")
        if kinds & _NO_ANSWER:
            return Disconnected(f"{self.name}: the connection broke: {said}")
        if "JSONDecodeError" in kinds or "Empty or invalid response" in text:
            return BadReply(f"{self._asked.place}: what came is no answer: {said}; the base URL may lack /v1")
        if "ContextWindowExceededError" in kinds:
            return ContextTooLong(f"{self.name}: the request does not fit into the context window: {said}")
        if "ContentPolicyViolationError" in kinds:
            return AnswerRefused(f"{self.name}: the provider's filter refuses the request: {said}")
        status = getattr(error, "status_code", None)
        if not isinstance(status, int):
            return ModelError(f"{self.name}: litellm failed: {type(error).__name__}: {said}")
        body = getattr(error, "body", None)
        whole = json.dumps({"error": body if isinstance(body, dict) else {"message": text}}, default=str)
        return failure(self._asked, status, whole, getattr(error, "litellm_response_headers", None) or {})


def _wishes(request: Request, dialect: Dialect, *, stream: bool) -> dict[str, Any]:
    """Return the arguments of a call that only some requests have."""
    wishes: dict[str, Any] = {}
    if request.schema_ is not None and dialect.schema != "prompt":
        wishes["response_format"] = response_format(request.schema_, dialect.schema)
    if request.tools:
        wishes["tools"] = tools_of(request)
        wishes["_skip_mcp_handler"] = True  # it looks for tools of another kind, and needs a package for that
    if request.temperature is not None:
        wishes["temperature"] = request.temperature
    if request.max_tokens is not None:
        wishes["max_tokens"] = request.max_tokens
    if stream:
        wishes["stream"] = True
        if dialect.stream_usage:
            wishes["stream_options"] = {"include_usage": True}
    return wishes


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it comes from, the first cause last; not what our caller was just handling."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen and not isinstance(cause, AgentsymError):
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


async def _loaded() -> Any:
    """Return litellm, loaded in a thread at first use."""
    return _load() if _load.cache_info().currsize else await asyncio.to_thread(_load)


@lru_cache(1)
def _load() -> Any:
    """Load litellm without its look-up of prices, and without a warning of pydantic's that nobody here can heed."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    warnings.filterwarnings("ignore", r"Item '\w+' on TypedDict class", UserWarning)
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    return litellm


def _spare_loopback() -> None:
    """Take this machine itself out of the environment's proxies: litellm would use them even for 127.0.0.1.

    It has no setting for this but `NO_PROXY`.
    """
    proxies = urllib.request.getproxies()
    spared = [host.strip() for host in proxies.pop("no", "").split(",") if host.strip()]
    if proxies and spared != ["*"] and not set(_LOOPBACK) <= set(spared):
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(dict.fromkeys([*spared, *_LOOPBACK]))
