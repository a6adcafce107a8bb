"""The executor of a Ray cluster: its actors are the workers, one a core.

Ray carries messages and tells who has died; which row runs where, and what a death means for it, is the crew's matter.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from agentsym.errors import UsageError
from agentsym.network.network import Network
from agentsym.runtime.compile import Graph, network_of
from agentsym.runtime.context import Context
from agentsym.runtime.executors.crew import ROOM, Crew
from agentsym.runtime.executors.links import WorkerLost
from agentsym.runtime.executors.messages import ToDriver, ToWorker
from agentsym.runtime.executors.worker import Worker
from agentsym.runtime.forward import Outcome

ADDRESS = "RAY_ADDRESS"
_STORE_BYTES = 256 * 2**20  # of a cluster of our own: it only holds networks
_ANSWERS_S = 10.0
_CALLS = 16  # that an actor takes at once: one listens, one tells
_OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The name says Windows and macOS; on Linux too it makes a cluster listen on 127.0.0.1 alone.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


class RayExecutor:
    """Runs rows on a Ray cluster: one that is there, or one of its own for as long as it is entered.

    Args:
        address: of the cluster to join; by default `RAY_ADDRESS`, else one is started on this machine.
        workers: worker processes; by default as many as the cluster has CPUs.

    Raises:
        UsageError: Ray is not installed, or the number of workers is no number of workers.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UsageError('the executor ray needs Ray, which is not installed; pip install "agentsym[ray]"')
        if workers is not None and workers < 1:
            raise UsageError(f"the number of workers is {workers}; it must be 1 or more")
        self._address = address or os.environ.get(ADDRESS) or None
        self._workers = workers
        self._crew: Crew | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = False
        self._holders = 0
        self._turn = asyncio.Lock()

    def width(self, concurrency: int) -> int:
        return max(concurrency, ROOM * (self._workers or 1))

    async def run(
        self, network: Network | Graph, inputs: Mapping[str, Any], context: Context, *, example_id: str = ""
    ) -> Outcome:
        if self._crew is None or self._loop is not asyncio.get_running_loop():
            raise UsageError("the executor is not open here: use `async with` in the event loop that runs the rows")
        agent = network if isinstance(network, Network) else network_of(network)
        return await self._crew.run(agent, inputs, context, example_id=example_id)

    async def __aenter__(self) -> Self:
        async with self._turn:
            if not self._holders:
                await self._open()
            self._holders += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._turn:
            self._holders -= 1
            if not self._holders:
                await self._close()

    async def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        joining = asyncio.ensure_future(asyncio.to_thread(self._join))
        try:
            cpus = await asyncio.shield(joining)
            self._workers = self._workers or cpus
            if self._workers > cpus:
                raise UsageError(
                    f"--workers {self._workers}: the cluster has {cpus} CPUs, and a worker takes one; ask for fewer"
                )
            self._crew = Crew(_Actors(), self._workers)
            await self._crew.open()
        except BaseException:
            await asyncio.wait([joining])  # in its thread it cannot be stopped
            await self._close()
            raise

    async def _close(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            await crew.close()
        if self._started:
            self._started = False
            await asyncio.to_thread(_ray().shutdown)

    def _join(self) -> int:
        """Connect to a cluster, or start one, and return how many CPUs it has."""
        if self._address:
            _check_answers(self._address)
        with _environment({} if self._address else _OURS):
            ray = _ray()
            if not ray.is_initialized():
                own = {"num_cpus": self._workers, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
                try:
                    ray.init(
                        address=self._address or "local",
                        **({} if self._address else own),
                        log_to_driver=False,
                        logging_level="ERROR",
                    )
                except Exception as error:
                    where = f"at {self._address} cannot be joined" if self._address else "cannot be started here"
                    raise UsageError(f"a Ray cluster {where}: {type(error).__name__}: {error}") from error
                self._started = True
            return int(ray.cluster_resources().get("CPU", 0))


class _Actors:
    """Workers as actors of the cluster that this process is connected to."""

    def __init__(self) -> None:
        self._actor = _ray().remote(num_cpus=1, max_restarts=0, max_concurrency=_CALLS)(Worker)

    def start(self) -> _Actor:
        return _Actor(self._actor.remote())

    def keep(self, parcel: Any) -> Any:
        return _ray().put(parcel)


class _Actor:
    """The way to one actor."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def hello(self) -> int:
        number: int = await _answer(self._handle.hello.remote())
        return number

    async def learn(self, parcel: Any, forget: Sequence[str]) -> None:
        await _answer(self._handle.learn.remote(parcel, forget))

    async def push(self, messages: Sequence[ToWorker]) -> None:
        await _answer(self._handle.push.remote(messages))

    async def poll(self) -> Sequence[ToDriver]:
        said: Sequence[ToDriver] = await _answer(self._handle.poll.remote())
        return said

    def kill(self) -> None:
        _ray().kill(self._handle)


async def _answer(reference: Awaitable[Any]) -> Any:
    try:
        return await reference
    except _ray().exceptions.RayError as error:
        raise WorkerLost(_brief(error)) from error


def _check_answers(address: str) -> None:
    """Find out whether anybody listens at HOST:PORT, since Ray tries for minutes before it says so."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        return  # `auto`, or a form that Ray knows better
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_S).close()
    except OSError as error:
        raise UsageError(
            f"nobody answers for a Ray cluster at {address} ({error}); name one with --ray-address HOST:PORT or "
            f"{ADDRESS}, or neither to have one started here"
        ) from error


def _brief(error: Exception) -> str:
    """Return the lines of one of Ray's long messages that say what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " … ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else type(error).__name__


def _ray() -> Any:
    """Return Ray, which is an extra and so untyped here, and takes a second to load."""
    return importlib.import_module("ray")


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set, for as long as a cluster starts, which hands them on to its processes."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
