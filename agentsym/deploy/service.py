"""`Service`: a deployed agent without HTTP. It answers, streams and takes feedback, and records all three.

Every way to ask a deployed agent goes through here, so sampling, redaction, the canary and the limit on time hold for
all of them. (`agentsym mcp` offers agents as their files are; those are not deployed and leave no traces.)
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar

from agentsym.deploy.evolution.examples import judgement, score_of
from agentsym.deploy.failures import ModelBusy, RunExpired, RunFailed, Stopping, UnknownTrace
from agentsym.deploy.live import Ready, Versions
from agentsym.deploy.opinions import checked
from agentsym.deploy.policy import Policy
from agentsym.deploy.redaction import Redactor
from agentsym.deploy.writer import Writer
from agentsym.errors import AgentsymError, Transient
from agentsym.learning.metrics import load_metric
from agentsym.network.network import Network
from agentsym.network.records import Trajectory, Usage
from agentsym.runtime.context import Context, Student
from agentsym.runtime.forward import Outcome, accepted, run
from agentsym.runtime.session import Session
from agentsym.runtime.streaming import StreamMode
from agentsym.store.live.traces import Feedback, Kind, Trace
from agentsym.store.store import Store

T = TypeVar("T")
Usable = Literal["update", "text"]


class Answer(NamedTuple):
    """What a client is told: the output of a run that is recorded as the trace."""

    trace_id: str
    version: str
    output: dict[str, Any]
    usage: Usage


class Happening(NamedTuple):
    """Something that a run does on its way: a node's output, or a piece of a model's text."""

    kind: Usable
    node: str
    value: Any


class Begun(NamedTuple):
    """One request from its beginning: the version that it stays on, and where its trace will be."""

    trace_id: str
    thread: str
    ready: Ready
    inputs: dict[str, Any]
    at: str


class Service:
    """A deployed agent.

    Args:
        store: where its versions, traces and feedback are; it stays the caller's.
        name: the deployment's name; it must exist (`deploy.beginning`).
        agent: the agent as its files are; its code is lent to the versions in the store.
        student: who runs the prompt nodes.
        policy: sampling, redaction and retention.
        timeout: seconds that a run may take.
        concurrency: the most calls of remote models at once.

    Raises:
        AgentsymError: the live version cannot be run, or a pattern of the policy is wrong.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        agent: Network,
        *,
        student: Student = None,
        policy: Policy | None = None,
        timeout: float = 60.0,
        concurrency: int = 32,
    ) -> None:
        self.store = store
        self.id = secrets.token_hex(6)  # this server among those that share the store
        self.name = name
        self.agent = agent
        self.policy = policy or Policy()
        self.timeout = timeout
        self.stopping = False
        self.versions = Versions(store, name, agent)
        self.writer = Writer(store, Redactor(self.policy.traces))
        self._metric = load_metric(self.policy.learning.metric)
        self._session = Session(student, concurrency=concurrency)
        self._running: set[asyncio.Task[Any]] = set()
        self._aborted = False

    def start(self) -> None:
        """Begin to write traces and to follow the deployment; both in threads, until `close`."""
        self.writer.start()
        self.versions.start()

    def close(self) -> None:
        """Write what waits and end the threads."""
        self.stopping = True
        self.versions.close()
        self.writer.close()
        self._session.close()

    @property
    def network(self) -> Network:
        """The live version."""
        return self.versions.current.live.network

    @property
    def running(self) -> int:
        """How many runs are under way."""
        return len(self._running)

    def abort(self) -> None:
        """Cancel all runs that are under way; whoever waits for them gets Stopping."""
        self.stopping = self._aborted = True
        for task in self._running:
            task.cancel()

    def begin(self, inputs: Mapping[str, Any], thread: str | None = None) -> Begun:
        """Begin a request: check its inputs and choose the version that answers it, now and to its end.

        Args:
            inputs: field → value, exactly the agent's inputs.
            thread: the conversation or user that it belongs to; a request without one is a thread of its own.

        Raises:
            UsageError: the inputs do not fit the agent; nothing is recorded.
        """
        trace_id = secrets.token_hex(16)
        thread = trace_id if thread is None else thread
        ready = self.versions.current.of(self.name, thread)
        return Begun(trace_id, thread, ready, accepted(ready.network, inputs), _now())

    async def answer(self, inputs: Mapping[str, Any], thread: str | None = None) -> Answer:
        """Run one request, record it, and return the answer.

        Raises:
            UsageError: the inputs do not fit the agent; nothing is recorded.
            RequestFailed: there is no answer, or it could not be recorded.
        """
        return await self.answer_to(self.begin(inputs, thread))

    async def answer_to(self, begun: Begun) -> Answer:
        """Run a request that has begun; see `answer`."""
        return await self._counted(self._answer(begun, self._session.context()), begun)

    async def stream(self, begun: Begun, *, mode: StreamMode = "updates") -> AsyncGenerator[Happening | Answer, None]:
        """Run a request that has begun and yield what happens, then the answer, which is recorded by then.

        Closing the generator cancels the run. Raises what `answer` raises.
        """
        happened: asyncio.Queue[Happening | None] = asyncio.Queue()
        context = self._session.context()
        if mode == "text":
            context = replace(context, on_text=lambda node, text: happened.put_nowait(Happening("text", node, text)))
        else:
            context = replace(context, on_output=lambda node, out: happened.put_nowait(Happening("update", node, out)))
        running = asyncio.ensure_future(self._counted(self._answer(begun, context), begun))
        running.add_done_callback(lambda _: happened.put_nowait(None))
        try:
            while (happening := await happened.get()) is not None:
                yield happening
            yield await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def feedback(
        self,
        trace_id: str,
        kind: Kind,
        *,
        author: str,
        score: float | None = None,
        text: str = "",
        label: Mapping[str, Any] | None = None,
    ) -> Feedback:
        """Record what somebody says of a trace, and return it; the policy's metric scores a label without a score.

        Raises:
            UsageError: it does not fit its kind or the agent's outputs.
            UnknownTrace: this deployment has no such trace.
            NotRecorded: it could not be written.
        """
        said = Feedback(
            id=secrets.token_hex(12),
            trace_id=trace_id,
            deployment=self.name,
            kind=kind,
            score=score,
            text=text,
            label=None if label is None else dict(label),
            author=author,
            at=_now(),
        )
        said = checked(said, self.network)
        trace = await asyncio.to_thread(self.store.traces.trace, trace_id)
        if trace is None or trace.deployment != self.name:
            raise UnknownTrace("there is no such trace: it never was, or is older than traces are kept")
        if said.label and score is None and (found := judgement([said])) is not None:
            said = said.model_copy(update={"score": await score_of(self._metric, trace, found)})
        await self.writer.feedback(said)
        return said

    async def _counted(self, work: Awaitable[T], begun: Begun) -> T:
        """Do the work of a run so that `abort` reaches it."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if self._aborted and task.uncancel() == 0:
                raise Stopping("the server ends and could not finish this request", begun.trace_id) from None
            raise
        finally:
            self._running.discard(task)

    async def _answer(self, begun: Begun, context: Context) -> Answer:
        trajectory, error = await self._outcome(begun, context)
        failed = trajectory.status != "ok"
        policy = self.policy.traces
        keep = failed or random.random() < policy.sampling
        await self.writer.trace(_trace(self.name, begun, trajectory), keep=keep)
        if failed:
            raise self._failure(begun.trace_id, error)
        return Answer(begun.trace_id, begun.ready.version, trajectory.output, trajectory.usage)

    async def _outcome(self, begun: Begun, context: Context) -> Outcome:
        """Run; a run that takes too long leaves a trajectory without steps."""
        try:
            async with asyncio.timeout(self.timeout):
                return await run(begun.ready.graph, begun.inputs, context, trajectory_id=begun.trace_id)
        except TimeoutError:
            why = f"there was no answer within {self.timeout:g} seconds"
            trajectory = Trajectory(
                id=begun.trace_id,
                version=begun.ready.version,
                inputs=begun.inputs,
                status="error",
                error=why,
                seconds=self.timeout,
            )
            return Outcome(trajectory, RunExpired(why, begun.trace_id))

    def _failure(self, trace_id: str, error: AgentsymError | None) -> AgentsymError:
        """Return what a client is told of a run without an answer; see `failures`."""
        if isinstance(error, RunExpired):
            return error
        cause = error if isinstance(error, Transient) else getattr(error, "__cause__", None)
        if isinstance(cause, Transient):
            return ModelBusy("the model behind the agent does not answer for now; try again later", trace_id)
        return RunFailed("the agent failed at this request; its trace says why", trace_id)


def _trace(name: str, begun: Begun, trajectory: Trajectory) -> Trace:
    usage = trajectory.usage
    return Trace(
        id=begun.trace_id,
        deployment=name,
        version=begun.ready.version,
        thread=begun.thread,
        at=begun.at,
        example_id="",
        status=trajectory.status,
        error=trajectory.error,
        calls=usage.calls,
        tokens=usage.tokens,
        usd=usage.usd,
        seconds=trajectory.seconds,
        trajectory=trajectory,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
