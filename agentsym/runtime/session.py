"""A session holds what outlives one call: the door, the clients and, for sync callers, an event loop.

It works the same with and without a running loop (a notebook has one), since sync calls run in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from agentsym.errors import NodeError, UsageError
from agentsym.models.door import Door
from agentsym.network.network import Network
from agentsym.network.records import Trajectory
from agentsym.runtime.context import Context, Student, student_model
from agentsym.runtime.executors.choose import LOCAL, executor_named
from agentsym.runtime.executors.protocol import Executor
from agentsym.runtime.loop import LoopThread

if TYPE_CHECKING:
    from agentsym.runtime.forward import Outcome
    from agentsym.runtime.streaming import StreamMode
    from agentsym.telemetry.telemetry import Telemetry


class Session:
    """Runs agents with one student.

    Async methods run in the caller's loop, sync ones in a thread with a loop of its own; without `door`, each loop
    gets its own door, since connections belong to the loop they were opened in.

    Args:
        student: a model string or a model; None is `AGENTSYM_STUDENT`, else the embedded reader.
        concurrency: the most examples, and the most remote calls, at once.
        door: what model calls go through; by default one without cache and caps.
        tracing: let LangSmith trace the runs, where its environment variables ask for it; prompts leave the machine.
        telemetry: makes OpenTelemetry spans; yes or no; None for what the environment and the process say. A door of
            your own brings its own.
        executor: where many rows are run: `local`, `ray`, or an `Executor`. It is entered by the first of them and left
            when the session ends, so use the session in a `with` or close it.

    Raises:
        UsageError: there are both a door and telemetry, or the executor is not there.
    """

    def __init__(
        self,
        student: Student = None,
        *,
        concurrency: int = 8,
        door: Door | None = None,
        tracing: bool = False,
        telemetry: Telemetry | bool | None = None,
        executor: str | Executor = LOCAL,
    ) -> None:
        if door is not None and telemetry is not None:
            raise UsageError("a door has telemetry of its own: write Session(door=Door(telemetry=…))")
        self.student = student
        self.concurrency = concurrency
        self._door = door
        self._tracing = tracing
        self._telemetry = telemetry
        self._contexts: WeakKeyDictionary[asyncio.AbstractEventLoop, Context] = WeakKeyDictionary()
        self._thread: LoopThread | None = None
        self._executor = None if executor == LOCAL else executor_named(executor)
        self._holds = AsyncExitStack()
        self._holding = False

    def context(self) -> Context:
        """Return the context of the running loop: the student, a door, and the clients made so far."""
        loop = asyncio.get_running_loop()
        if loop not in self._contexts:
            self._contexts[loop] = Context(
                student=student_model(self.student),
                door=self._door or Door(concurrency=self.concurrency, telemetry=self._telemetry),
                tracing=self._tracing,
            )
        return self._contexts[loop]

    async def ainvoke(self, agent: Network, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one example and return the agent's output.

        Raises:
            UsageError: when the inputs do not fit the agent.
            NodeError: when the example fails; names the node and the cause.
            BudgetExceeded: when a cap of the door stops it.
        """
        from agentsym.runtime.forward import run

        return output_of(await run(agent, inputs, self.context()))

    async def abatch(
        self, agent: Network, inputs: Iterable[Mapping[str, Any]], *, return_exceptions: bool = False
    ) -> list[Any]:
        """Run many examples and return their outputs in order.

        Args:
            agent: the agent.
            inputs: one mapping an example.
            return_exceptions: put the error of a failed example in its place instead of raising it.
        """
        from agentsym.runtime.forward import run_many

        rows = ((str(number), item) for number, item in enumerate(inputs))
        outputs: list[Any] = []
        executor = await self._entered()
        runs = run_many(agent, rows, self.context(), concurrency=self.concurrency, executor=executor)
        async with aclosing(runs) as outcomes:
            async for outcome in outcomes:
                try:
                    outputs.append(output_of(outcome))
                except Exception as error:
                    if not return_exceptions:
                        raise
                    outputs.append(error)
        return outputs

    async def astream(
        self, agent: Network, inputs: Mapping[str, Any], *, stream_mode: StreamMode = "updates"
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Run one example and yield what happens: `{node: output}` as each node ends, as langgraph's `updates` do.

        With `stream_mode="text"` it is `{node: piece}` of each model's answer while it is written.
        """
        from agentsym.runtime.streaming import MODES

        if stream_mode not in MODES:
            raise UsageError(f"there is no stream_mode {stream_mode!r}; there are: {', '.join(MODES)}")
        async with aclosing(MODES[stream_mode](agent, inputs, self.context())) as stream:
            async for item in stream:
                yield item

    async def aforward(self, agent: Network, inputs: Mapping[str, Any], *, example_id: str = "") -> Trajectory:
        """Run one example and return its trajectory; a failed one is returned, not raised."""
        from agentsym.runtime.forward import forward

        return await forward(agent, inputs, self.context(), example_id=example_id)

    async def aforward_many(
        self, agent: Network, rows: Iterable[Any] | AsyncIterable[Any]
    ) -> AsyncGenerator[Trajectory, None]:
        """Run many rows (pairs of id and inputs, or objects with both) and yield their trajectories in order."""
        from agentsym.runtime.forward import forward_many

        executor = await self._entered()
        runs = forward_many(agent, rows, self.context(), concurrency=self.concurrency, executor=executor)
        async with aclosing(runs) as trajectories:
            async for trajectory in trajectories:
                yield trajectory

    def invoke(self, agent: Network, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one example and wait for it; see `ainvoke`."""
        return self._loop().run(self.ainvoke(agent, inputs))

    def batch(
        self, agent: Network, inputs: Iterable[Mapping[str, Any]], *, return_exceptions: bool = False
    ) -> list[Any]:
        """Run many examples and wait for them; see `abatch`."""
        return self._loop().run(self.abatch(agent, inputs, return_exceptions=return_exceptions))

    def stream(
        self, agent: Network, inputs: Mapping[str, Any], *, stream_mode: StreamMode = "updates"
    ) -> Iterator[dict[str, Any]]:
        """Run one example and yield what happens; see `astream`."""
        return self._drain(self.astream(agent, inputs, stream_mode=stream_mode))

    def forward(self, agent: Network, inputs: Mapping[str, Any], *, example_id: str = "") -> Trajectory:
        """Run one example, wait for it, and return its trajectory; see `aforward`."""
        return self._loop().run(self.aforward(agent, inputs, example_id=example_id))

    def forward_many(self, agent: Network, rows: Iterable[Any] | AsyncIterable[Any]) -> Iterator[Trajectory]:
        """Run many rows and yield their trajectories in order; see `aforward_many`."""
        return self._drain(self.aforward_many(agent, rows))

    def close(self) -> None:
        """End the session's thread and cancel what is still under way in it, and leave the executor."""
        if self._thread is not None:
            self._thread.run(self._leave())
            self._thread.close()
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._thread is None:
            await self._leave()
        self.close()

    async def _entered(self) -> Executor | None:
        """Return the executor, which is held from now on; None for the running loop itself."""
        if self._executor is not None and not self._holding:
            await self._holds.enter_async_context(self._executor)
            self._holding = True
        return self._executor

    async def _leave(self) -> None:
        self._holding = False
        await self._holds.aclose()

    def _loop(self) -> LoopThread:
        if self._thread is None:
            self._thread = LoopThread()
        return self._thread

    def _drain(self, items: AsyncGenerator[Any, None]) -> Iterator[Any]:
        """Hand out the items of an async iterator one by one, each computed when it is asked for."""
        loop, end = self._loop(), object()
        try:
            while (item := loop.run(_next(items, end))) is not end:
                yield item
        finally:
            loop.run(items.aclose())


async def _next(items: AsyncGenerator[Any, None], end: object) -> Any:
    return await anext(items, end)


def output_of(outcome: Outcome) -> dict[str, Any]:
    """Return the output of an example that went well, or raise why it did not."""
    trajectory, error = outcome
    if error is not None:
        raise error
    if trajectory.status == "capped":
        path = " → ".join(step.node for step in trajectory.steps)
        raise NodeError(
            f"a cycle met its visit limit and has no way out ({path}); raise max_visits, or add an edge that leaves it"
        )
    return dict(trajectory.output)
