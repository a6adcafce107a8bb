"""The direct client: every server that speaks OpenAI's chat protocol, over plain HTTP.

One request a call, no retries and no counting: those are the door's. Costs a fraction of a millisecond of CPU a call,
so that a learning run waits for the model and not for its client.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from agentsym.errors import BadReply, Disconnected, ModelError, TimedOut, Transient
from agentsym.models.chat_errors import error_in, failure, unreachable, words
from agentsym.models.chat_protocol import TIMEOUT, Asked, Dialect, body_of, load, reply_of
from agentsym.models.chat_stream import Assembly, data_of
from agentsym.models.http_sessions import Sessions
from agentsym.models.protocol import Reply, Request
from agentsym.models.providers import checked
from agentsym.models.secrets import PLACEHOLDER, excerpt

_CONNECT_TIMEOUT = 30.0  # seconds


class OpenAIModel:
    """A model behind an address that speaks the chat protocol.

    Args:
        name: the model string, `PREFIX/MODEL`, and where the address is not the provider's usual one ` at ADDRESS`.
        base_url: the address, up to and without `/chat/completions`; a login in it is sent where there is no key.
        key: sent as bearer token; None sends none.
        key_variable: the environment variable that the key is from, for errors.
        dialect: what the server is known to understand.
        timeout: seconds for a whole answer.

    Raises:
        UsageError: the address is none.
    """

    remote = True

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        key: str | None = None,
        key_variable: str = "",
        dialect: Dialect | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        url = URL(checked(base_url, "base_url"))
        address = url.with_user(None)
        self.name = name
        self._model = name.partition(" at ")[0].partition("/")[2] or name
        self._url = address.with_path(f"{url.path.rstrip('/')}/chat/completions", keep_query=True)
        self._asked = Asked(name, str(address.with_query(None)).rstrip("/"), key_variable, bool(key))
        self._dialect = dialect or Dialect()
        self._timeout = timeout
        self._headers = CIMultiDict({"Content-Type": "application/json"})
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        elif url.user:
            login = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"
        self._sessions = Sessions(self._url, timeout=timeout, connect_timeout=_CONNECT_TIMEOUT)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete(self, request: Request) -> Reply:
        async with self._response(request, stream=False) as response:
            text = await response.text("utf-8", "replace")
        return self._read(text, request)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        assembly = Assembly(request, self._asked)
        async with self._response(request, stream=True) as response:
            if response.content_type == "text/event-stream":
                async for data in data_of(response.content.iter_any()):
                    if text := assembly.add(data):
                        yield text
                reply = assembly.reply()
            else:  # a server that does not stream
                reply = self._read(await response.text("utf-8", "replace"), request)
                yield reply.text
        yield reply

    def _read(self, text: str, request: Request) -> Reply:
        body = load(text, self._asked)
        if error := error_in(self._asked, body):
            raise error
        return reply_of(body, request, self._asked)

    @asynccontextmanager
    async def _response(self, request: Request, *, stream: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; what goes wrong until its answer is read becomes one of our errors."""
        dialect = self._dialect
        body = json.dumps(body_of(self._model, request, dialect, stream=stream)).encode()
        session = await self._sessions.get()
        try:
            async with session.post(self._url, data=body, headers=self._headers, allow_redirects=False) as response:
                if response.status != 200:
                    said = self._without_key(await response.text("utf-8", "replace"))
                    raise self._refusal(response, said, request, dialect, stream=stream)
                yield response
        except aiohttp.ClientError as error:
            raise self._broken(error) from error
        except TimeoutError as error:
            raise TimedOut(f"{self.name}: no whole answer within {self._timeout:g} seconds") from error

    def _refusal(
        self, response: aiohttp.ClientResponse, text: str, request: Request, dialect: Dialect, *, stream: bool
    ) -> ModelError:
        """Return the error for a status; what the server does not know of the protocol is left out from now on."""
        if response.status in (400, 422):
            simpler = dialect.without(text[:4000], request, stream=stream)
            if simpler != dialect:
                self._dialect = simpler
                return Transient(f"{self.name}: the server asks to be asked otherwise: {words(text)}", retry_after=0.0)
        return failure(self._asked, response.status, text, response.headers)

    def _without_key(self, text: str) -> str:
        """Take the key out of a server's words: not every key has the shape of one, or is in the environment."""
        key = self._headers.get("Authorization", "").partition(" ")[2]
        return text.replace(key, PLACEHOLDER) if key else text

    def _broken(self, error: aiohttp.ClientError) -> ModelError:
        """Return what a failure of the network means."""
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        said = excerpt(str(cause) or type(cause).__name__)
        match error:
            case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientHttpProxyError():
                return unreachable(self._asked, said)
            case aiohttp.ServerTimeoutError():
                return TimedOut(f"{self.name}: no whole answer within {self._timeout:g} seconds")
            case aiohttp.ClientResponseError():
                return BadReply(f"{self._asked.place}: what came is no HTTP: {said}")
            case _:
                return Disconnected(f"{self.name}: the connection broke: {said}")
