"""The server: it takes a chat request, asks the brain, and sends the answer well or, on demand, badly.

It runs inside a test's own event loop (`async with`), or in a thread of its own for callers without one (`with`).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from evals.openai_server import protocol, responses
from evals.openai_server.faults import BAD_KEY, Altered, Broken, Fault, Garbage, Refusal
from evals.openai_server.stats import Price, Stats

Answer = str | Mapping[str, Any]
Brain = Callable[[dict[str, Any]], Answer | Awaitable[Answer]]
Plan = Sequence[Fault | None] | Callable[[int], Fault | None]

_DRIPPED = 16  # bytes
_FREE = Price(0.0, 0.0)
_MOST_BYTES = 64 * 2**20


class Server:
    """A provider's double on a free port of 127.0.0.1.

    A provider finishes, and bills, what its client no longer waits for; so does this one.

    Args:
        brain: request body → text, or a message with `tool_calls`; sync or async. One that raises gives status 500.
        latency: seconds slept in every request, however many there are at once.
        key: the key that requests must bear; None takes all.
        plan: what goes wrong: a fault, or None, for each request in turn, or a function of its number (from 0).
        prices: model → US dollars a million tokens; other models are free.
        keep: whether bodies and headers are kept in `stats`.
        models: what `/v1/models` lists; any model may be asked.
        port: the port; 0 takes a free one.

    Attributes:
        base_url: where it listens, while it runs.
        stats: its books.
    """

    def __init__(
        self,
        brain: Brain,
        *,
        latency: float = 0.0,
        key: str | None = None,
        plan: Plan = (),
        prices: Mapping[str, Price] | None = None,
        keep: bool = False,
        models: Sequence[str] = ("student", "teacher"),
        port: int = 0,
    ) -> None:
        self.brain = brain
        self.latency = latency
        self.key = key
        self.plan = plan
        self.prices = prices or {}
        self.keep = keep
        self.models = tuple(models)
        self.base_url = ""
        self.stats = Stats()
        self._port = port
        self._under_way = 0
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def reset(self) -> None:
        """Open new books and start the plan anew."""
        self.stats = Stats()

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def __enter__(self) -> Self:
        started = threading.Event()
        failures: list[BaseException] = []

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            try:
                await self._start()
            except OSError as error:
                failures.append(error)
                return
            finally:
                started.set()
            await self._stopping.wait()
            await self._stop()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="openai-server", daemon=True)
        self._thread.start()
        started.wait()
        if failures:
            self._thread.join()
            raise failures[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None and self._thread is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _start(self) -> None:
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_MOST_BYTES)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post(responses.PATH, self._chat),
            web.get("/v1/models", self._list),
            web.get("/stats", self._books),
            web.post("/reset", self._new_books),
        ]

    async def _stop(self) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        if self._is_stranger(request):
            return _error(BAD_KEY, "")
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "double"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _books(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats.to_json())

    async def _new_books(self, request: web.Request) -> web.Response:
        self.reset()
        return web.json_response({})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        number = self.stats.requests
        self.stats.arrived(raw, request.transport and request.transport.get_extra_info("peername"))
        self._under_way += 1
        self.stats.peak = max(self.stats.peak, self._under_way)
        try:
            return await self._answer(request, raw, number)
        finally:
            self._under_way -= 1

    async def _answer(self, request: web.Request, raw: bytes, number: int) -> web.StreamResponse:
        """Answer one chat request; `number` counts from 0."""
        if self._is_stranger(request):
            return self._refused(BAD_KEY, "")
        try:
            body = json.loads(raw)
            if request.path == responses.PATH:
                body = responses.as_chat(body)
            model, messages = body["model"], body["messages"]
            if not messages:
                raise ValueError("`messages` is empty")
        except (ValueError, KeyError, TypeError) as error:
            return self._refused(Refusal("unreadable", 400, f"The request cannot be read: {error!r}"), "")
        if self.keep:
            self.stats.bodies.append(body)
            self.stats.headers.append({name.lower(): value for name, value in request.headers.items()})
        await asyncio.sleep(self.latency)
        fault = self._fault(number)
        if isinstance(fault, Refusal):
            return self._refused(fault, model)
        if isinstance(fault, Garbage) and not fault.billed:
            return web.Response(text=fault.text, content_type=fault.content_type)
        try:
            said = self.brain(body)
            answer = await said if inspect.isawaitable(said) else said
        except Exception as error:
            self.stats.errors.append(repr(error))
            return _error(Refusal("brain failed", 500, repr(error), "server_error"), model)
        made = protocol.completion(body, answer, number, int(time.time()))
        self.stats.bill(model, made["usage"], self.prices.get(model, _FREE))
        if isinstance(fault, Garbage):
            return web.Response(text=fault.text, content_type=fault.content_type)
        if isinstance(fault, Altered):
            made = fault.change(made)
        if request.path == responses.PATH:
            made = responses.from_chat(made)
        return await self._send(request, body, made, fault if isinstance(fault, Broken) else None)

    async def _send(
        self, request: web.Request, body: Mapping[str, Any], made: Mapping[str, Any], fault: Broken | None
    ) -> web.StreamResponse:
        if body.get("stream"):
            include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            pieces = list(protocol.events(made, include_usage=include_usage))
            head = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        else:
            pieces = [json.dumps(made, ensure_ascii=False).encode()]
            head = {"Content-Type": "application/json"}
        if fault is None and not body.get("stream"):
            return web.Response(body=pieces[0], headers=head)
        response = web.StreamResponse(headers=head)
        with contextlib.suppress(ConnectionError):  # the client has gone
            if fault is None:
                await response.prepare(request)
                for piece in pieces:
                    await response.write(piece)
                await response.write_eof()
            else:
                await self._send_badly(request, response, b"".join(pieces), fault)
        return response

    async def _send_badly(
        self, request: web.Request, response: web.StreamResponse, whole: bytes, fault: Broken
    ) -> None:
        part = whole[: int(len(whole) * fault.sends)]
        if part:
            await response.prepare(request)
        step = _DRIPPED if fault.pause else max(1, len(part))
        for start in range(0, len(part), step):
            await asyncio.sleep(fault.pause)
            await response.write(part[start : start + step])
        if fault.then == "end":
            await response.write_eof()
            return
        if fault.then == "hang":
            await self._stopping.wait()
        if request.transport is not None:
            request.transport.close()

    def _fault(self, number: int) -> Fault | None:
        if callable(self.plan):
            return self.plan(number)
        return self.plan[number] if number < len(self.plan) else None

    def _is_stranger(self, request: web.Request) -> bool:
        return self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}"

    def _refused(self, refusal: Refusal, model: str) -> web.Response:
        self.stats.refused += 1
        return _error(refusal, model)


def _error(refusal: Refusal, model: str) -> web.Response:
    return web.json_response(refusal.body(model), status=refusal.status, headers=dict(refusal.headers))
