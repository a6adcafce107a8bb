"""Running the app: the loop, and the end.

At the first SIGTERM or Ctrl-C nothing new is taken and what runs may finish within the grace; a further one ends the
process at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from agentsym.deploy.server.protocol import HEAD_BYTES, guarded_protocol
from agentsym.deploy.server.served import Served
from agentsym.runtime.loop import with_threads

KEEP_ALIVE_S = 30  # without a request, then the connection is closed
BOUNCE_S = 1.0  # in which a further signal says nothing new: a shell may pass one on twice
SLACK_S = 2.0  # for answers on their way, after the runs were cancelled
INTERRUPTED = 130


class Server(uvicorn.Server):
    """Serves an app until a signal, or `stop`, says that it is enough.

    Args:
        app: made by `create_app`.
        listener: made by `deploy.listener.listen`.
        announce: called when requests are answered.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, announce: Callable[[], None] = lambda: None) -> None:
        self._served: Served = app.state.served
        self._listener = listener
        self._announce = announce
        self._first: float | None = None
        super().__init__(
            uvicorn.Config(
                app,
                http=guarded_protocol(self._served.settings),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",  # what a client sends wrong is no warning to the operator
                timeout_keep_alive=KEEP_ALIVE_S,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=int(self._served.settings.grace + SLACK_S) + 1,
            )
        )

    def serve_until_stopped(self) -> None:
        """Serve; returns when everything has been written down."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(with_threads(self.serve(sockets=[self._listener])))

    def stop(self) -> None:
        """Take nothing new and end when what runs has ended; may be called from any thread."""
        self._served.service.stopping = self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # all that was imported and compiled stays, so it is not looked through again and again
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, let runs finish within the grace, then cancel them."""
        self._served.service.stopping = True
        timer = asyncio.get_running_loop().call_later(self._served.settings.grace, self._served.service.abort)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hold the signals while serving; uvicorn would end by the signal afterwards, which is no orderly exit."""
        try:
            before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread, so whoever runs this stops it
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self.stop()
        elif now - self._first > BOUNCE_S:
            os._exit(INTERRUPTED)  # no run is waited for; what was answered is written
