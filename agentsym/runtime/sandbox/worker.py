"""This side of a template: one process that forks a child a call, and the frames that go to it and come from it.

It belongs to one event loop. Whatever ends a call here (an answer, its time, a cancellation) ends its child there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox.inside.frames import head, unpack

_START_S = 20.0  # until the template is ready: a tenth of a second, on an idle machine
_GRACE_S = 10.0  # after a call's own time: the template ends calls by itself, unless it hangs
_END_S = 2.0  # until it is killed, after it was told to end


class Answer(NamedTuple):
    """What the template says of a call: how it ended, and the bytes that its child wrote."""

    header: dict[str, Any]
    body: bytes


class Worker:
    """A template that runs.

    Attributes:
        found: what it says of the machine and the rights that it gave up.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.found: dict[str, Any] = {}
        self._process = process
        self._frames = _Frames()
        self._numbers = 0

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> Worker:
        """Start a template and wait until it has given up its rights.

        Raises:
            SandboxError: it did not start; names what it said.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd="/",
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise SandboxError(f"{command[0]} cannot be started ({error.strerror})") from error
        worker = cls(process)
        try:
            await asyncio.get_running_loop().create_connection(lambda: worker._frames, sock=ours)
            async with asyncio.timeout(_START_S):
                worker.found = (await worker._frames.expect(0)).header["found"]
        except (SandboxError, TimeoutError) as error:
            raise SandboxError(f"it does not start: {await worker._last_words()}") from error
        except BaseException:
            worker.kill()
            raise
        worker._frames.forget(0)
        return worker

    @property
    def ended(self) -> bool:
        """Whether no call can be made any more."""
        return self._frames.lost

    async def ask(self, header: Mapping[str, Any], payload: bytes) -> Answer:
        """Make a call and wait for its end.

        Raises:
            SandboxError: the template ended, or hangs and was killed.
        """
        self._numbers += 1
        number = self._numbers
        answer = self._frames.expect(number)
        self._frames.send({"number": number, **header}, payload)
        try:
            async with asyncio.timeout(header["timeout_s"] + _GRACE_S) as timer:
                return await answer
        except TimeoutError as error:
            if not timer.expired():
                raise
            self.kill()
            raise SandboxError("the sandbox's process hung and was killed; the next call starts another one") from error
        except asyncio.CancelledError:
            self._frames.send({"drop": number})
            raise
        finally:
            self._frames.forget(number)

    async def close(self) -> None:
        """Tell the template to end, with its calls, and see that it does."""
        self._frames.close()
        for _ in range(int(_END_S / 0.005)):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.005)
        self.kill()

    def kill(self) -> None:
        """End the template at once; its calls die with it."""
        with suppress(RuntimeError):  # its loop is closed already
            self._frames.close()
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    async def _last_words(self) -> str:
        """Return what a template that failed wrote last."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        _, words = await asyncio.to_thread(self._process.communicate)
        self._frames.close()
        return (words.decode("utf-8", "replace").strip().splitlines() or ["it ended without a word"])[-1]


class _Frames(asyncio.Protocol):
    """The frames that come, and who waits for which; number 0 is the template's greeting."""

    def __init__(self) -> None:
        self.lost = False
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()
        self._expected: dict[int, asyncio.Future[Answer]] = {}
        self._parts: dict[int, bytearray] = {}

    def expect(self, number: int) -> asyncio.Future[Answer]:
        """Return what will hold the answer to a call."""
        expected = self._expected[number] = asyncio.get_running_loop().create_future()
        if self.lost:
            expected.set_exception(_ended())
        return expected

    def forget(self, number: int) -> None:
        """Wait no longer for the answer to a call."""
        self._expected.pop(number, None)
        self._parts.pop(number, None)

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send one frame; nothing happens where the other side has gone."""
        if self._transport is not None and not self.lost:
            self._transport.write(head(header, len(body)) + body)

    def close(self) -> None:
        """Close the connection."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        for header, body in unpack(self._came):
            number = header.get("number", 0)
            expected = self._expected.get(number)
            if expected is None or expected.done():
                continue
            if number and "end" not in header:
                self._parts.setdefault(number, bytearray()).extend(body)
            else:
                expected.set_result(Answer(header, bytes(self._parts.pop(number, b""))))

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        for expected in self._expected.values():
            if not expected.done():
                expected.set_exception(_ended())
        self._expected.clear()


def _ended() -> SandboxError:
    return SandboxError("the sandbox's process ended in the middle of a call; the next call starts another one")
