"""The process that all calls are forked from: confined once, with the usual modules loaded, so that calls cost little.

It reads requests from descriptor 0 and writes answers to descriptor 1, as frames. A call is a child of its own, which
must find nothing of other calls in the memory that it inherits: so what goes to learned code is read by the child
itself, and what comes from it is passed on unread, in a buffer that is wiped each time.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import sys
import time
from typing import Any, NoReturn

from agentsym.runtime.sandbox.inside.confine import Jail, Limits
from agentsym.runtime.sandbox.inside.frames import CONFINED, LENGTHS, head
from agentsym.runtime.sandbox.inside.learned import answer

_BUFFER = 1 << 16


class _Call:
    """One call under way.

    Attributes:
        number: the caller's number for it.
        pid: its process.
        pipe: where its answer comes from.
        deadline: when it is given up, on the monotonic clock.
        left: bytes that its answer may still have.
    """

    def __init__(self, number: int, pid: int, pipe: int, deadline: float, left: int) -> None:
        self.number, self.pid, self.pipe, self.deadline, self.left = number, pid, pipe, deadline, left


def serve(settings: str) -> None:
    """Answer requests until descriptor 0 is closed.

    Args:
        settings: the arguments of `Jail`, as JSON.
    """
    jail = Jail(**json.loads(settings))
    os.environ.clear()
    sys.argv[:] = ["tool"]
    gc.collect()
    gc.freeze()
    _Template(jail).run()


class _Template:
    def __init__(self, jail: Jail) -> None:
        self._jail = jail
        self._calls: dict[int, _Call] = {}  # by pipe
        self._buffer = bytearray(_BUFFER)
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)

    def run(self) -> None:
        try:
            _send({"found": self._jail.found})
            while True:
                self._turn()
        except OSError:
            return  # who asks is gone
        finally:
            for call in list(self._calls.values()):
                self._end(call)

    def _turn(self) -> None:
        """Wait for something to happen and see to it."""
        nearest = min((call.deadline for call in self._calls.values()), default=None)
        wait = None if nearest is None else max(0.0, nearest - time.monotonic())
        for key, _ in self._selector.select(wait):
            if key.fd in self._calls:
                self._pass_on(self._calls[key.fd])
            elif key.fd == 0:
                self._read_request()
        now = time.monotonic()
        for call in [call for call in self._calls.values() if call.deadline <= now]:
            self._finish(call, "timeout")

    def _read_request(self) -> None:
        text, body = LENGTHS.unpack(_exactly(LENGTHS.size))
        header = json.loads(_exactly(text))
        if "drop" in header:
            for call in [call for call in self._calls.values() if call.number == header["drop"]]:
                self._end(call)
        else:
            self._start(header, body)

    def _start(self, header: dict[str, Any], body: int) -> None:
        pipe, answers = os.pipe()
        taken, takes = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_the_call(self._jail, Limits(*header["limits"]), answers, body, takes)
        os.close(answers)
        os.close(takes)
        os.set_blocking(pipe, False)
        deadline = time.monotonic() + header["timeout_s"]
        call = self._calls[pipe] = _Call(header["number"], pid, pipe, deadline, header["most"])
        self._selector.register(call.pipe, selectors.EVENT_READ)
        whole = os.read(taken, 1)
        os.close(taken)
        if not whole:
            raise OSError("a call ended before it had read its request, so the next one cannot be found")

    def _pass_on(self, call: _Call) -> None:
        try:
            size = os.readv(call.pipe, [self._buffer])
        except BlockingIOError:  # the event was that of an earlier call with this descriptor
            return
        call.left -= size
        if call.left < 0:
            self._finish(call, "output")
        elif size:
            _send({"number": call.number}, memoryview(self._buffer)[:size])
        else:
            self._finish(call, "answer")
        self._buffer[:size] = bytes(size)

    def _finish(self, call: _Call, end: str) -> None:
        status, cpu_s = self._end(call)
        _send({"number": call.number, "end": end, "status": status, "cpu_s": cpu_s})

    def _end(self, call: _Call) -> tuple[int, float]:
        """End a call's process, whatever it does; returns how it ended, and its seconds of processor time."""
        os.kill(call.pid, signal.SIGKILL)
        _, status, used = os.wait4(call.pid, 0)
        self._selector.unregister(call.pipe)
        os.close(call.pipe)
        del self._calls[call.pipe]
        return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def _be_the_call(jail: Jail, limits: Limits, answers: int, body: int, takes: int) -> NoReturn:
    write, leave = os.write, os._exit  # before any code can redefine them
    try:
        payload = _exactly(body)
        write(takes, b"!")
        jail.enter(limits, answers)
    except BaseException as error:
        write(answers, f"{type(error).__name__}: {error}".encode())
        leave(1)
    write(answers, CONFINED)
    try:
        rest = memoryview(answer(payload))
        while rest:
            rest = rest[write(answers, rest) :]
    finally:
        leave(0)


def _exactly(size: int) -> bytearray:
    """Read so many bytes from descriptor 0; raises OSError where they do not come."""
    read = bytearray(size)
    rest = memoryview(read)
    while rest:
        came = os.readv(0, [rest])
        if not came:
            raise OSError("descriptor 0 was closed")
        rest = rest[came:]
    return read


def _send(header: dict[str, Any], body: bytes | memoryview = b"") -> None:
    for rest in (memoryview(head(header, len(body))), memoryview(body)):
        while rest:
            rest = rest[os.write(1, rest) :]
