"""The driver's side: it spreads rows over the workers, answers their questions, and goes on when one of them dies.

What a worker had under way when it died is run again by others. Who is to blame nobody can tell from one death, so a
row that has seen two is run by a worker of its own; if that dies too, it was the row.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from agentsym.errors import AgentsymError, NodeError, UsageError
from agentsym.models.protocol import Reply, Request
from agentsym.network.network import Network
from agentsym.network.records import Trajectory, Usage
from agentsym.runtime.context import Context
from agentsym.runtime.executors.faces import Faces
from agentsym.runtime.executors.failures import error_of, failure_of
from agentsym.runtime.executors.links import Link, Links, WorkerLost
from agentsym.runtime.executors.messages import (
    Answered,
    Asked,
    Done,
    Drop,
    Job,
    Lease,
    Settled,
    ToDriver,
    ToWorker,
    Withdrawn,
    Written,
)
from agentsym.runtime.executors.rows import Row
from agentsym.runtime.executors.travel import parcel_of
from agentsym.runtime.forward import Outcome, accepted, run, usual_id
from agentsym.runtime.spans import agent_span, end_agent

ROOM = 32  # rows that a worker has at once
DEATHS = 3  # of workers, until the row that they had in common is given up
STARTS = 3  # in a row that failed, until the crew is given up
START_S = 120.0  # until the first worker is there
_KEPT = 16  # versions that a worker holds, and that are held for workers


@dataclass(eq=False)
class Member:
    """One worker of the crew: the way to it, the rows that it has by job, and what waits to be sent to it."""

    link: Link
    rows: dict[int, Row] = field(default_factory=dict)
    outbox: list[ToWorker] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    versions: OrderedDict[str, None] = field(default_factory=OrderedDict)
    pid: int = 0

    def send(self, message: ToWorker) -> None:
        """Send a message with the next batch."""
        self.outbox.append(message)
        self.wake.set()

    def has_room(self, row: Row) -> bool:
        """Whether it may be given a row: one that is suspected gets a worker of its own."""
        if _suspected(row):
            return not self.rows
        return len(self.rows) < ROOM and not any(map(_suspected, self.rows.values()))


class Crew:
    """Workers that run rows for one driver, on one event loop.

    Args:
        links: where workers come from.
        size: how many there are.

    Attributes:
        members: the workers that are ready.
    """

    def __init__(self, links: Links, size: int) -> None:
        self.members: list[Member] = []
        self._links = links
        self.size = size
        self._faces = Faces()
        self._parcels: OrderedDict[str, Any] = OrderedDict()
        self._waiting: deque[Row] = deque()
        self._jobs = count()
        self._tasks: dict[asyncio.Task[None], Link] = {}
        self._due = False
        self._failed_starts = 0
        self._error: AgentsymError | None = None
        self._ready = asyncio.Event()

    async def open(self) -> None:
        """Start the workers, and wait for the first one.

        Raises:
            AgentsymError: none starts.
        """
        for _ in range(self.size):
            self._start()
        try:
            async with asyncio.timeout(START_S):
                await self._ready.wait()
        except TimeoutError:
            raise AgentsymError(
                f"no worker has started within {START_S:g} seconds: the cluster's CPUs are taken by others, or too "
                "few; wait for them, or ask for fewer --workers"
            ) from None
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End the workers."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in tasks.values():
            link.kill()

    async def run(self, network: Network, inputs: Mapping[str, Any], context: Context, *, example_id: str) -> Outcome:
        """Run one row on a worker, inside of a span where there is telemetry.

        Raises:
            UsageError: no worker could find the user's code.
            AgentsymError: what ends a run, or there are no workers any more.
        """
        if self._error is not None:
            raise self._error
        try:
            given = accepted(network, inputs)
        except UsageError:
            return await run(network, inputs, context, example_id=example_id)  # is refused here as it would be there
        if context.telemetry is None:
            return await self._run(network, given, context, example_id)
        with agent_span(context.telemetry, network, given) as span:
            outcome = await self._run(network, given, context, example_id)
            end_agent(context.telemetry, span, *outcome)
            return outcome

    async def _run(self, network: Network, given: dict[str, Any], context: Context, example_id: str) -> Outcome:
        budget = context.door.budget
        caps = (budget.max_calls, budget.max_tokens, budget.max_usd, budget.max_seconds)
        job = Job(
            id=0,
            version=network.version,
            inputs=given,
            example_id=example_id,
            phase=context.phase,
            rollout=context.rollout,
            record=context.record,
            tracing=context.tracing,
            stands_in=context.writes is not None,
            faces=self._faces(network, context),
            caps=None if caps == (None,) * len(caps) else caps,
        )
        row = Row(network, self._parcel(network), job, context)
        self._waiting.append(row)
        self._soon()
        try:
            return await row.outcome
        finally:
            self._leave(row)
            await row.end()

    def _parcel(self, network: Network) -> Any:
        """Return what stands for a network; it is packed once."""
        version = network.version
        if version not in self._parcels:
            self._parcels[version] = self._links.keep(parcel_of(network))
            if len(self._parcels) > _KEPT:
                self._parcels.popitem(last=False)
        self._parcels.move_to_end(version)
        return self._parcels[version]

    def _start(self) -> None:
        link = self._links.start()
        task = asyncio.create_task(self._serve(Member(link)))
        self._tasks[task] = link
        task.add_done_callback(lambda task: self._tasks.pop(task, None))

    async def _serve(self, member: Member) -> None:
        """Work with a worker for as long as it lives."""
        try:
            member.pid = await member.link.hello()
            self._failed_starts = 0
            self.members.append(member)
            self._ready.set()
            self._soon()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._deliver(member))
                both.create_task(self._listen(member))
        except* WorkerLost as lost:
            self._lose(member, str(lost.exceptions[0]))
        except* Exception as failed:
            self._give_up(
                AgentsymError(f"a worker and its driver do not understand each other: {failed.exceptions[0]!r}")
            )

    async def _deliver(self, member: Member) -> None:
        while True:
            await member.wake.wait()
            member.wake.clear()
            batch, member.outbox = member.outbox, []
            for message in batch:
                if isinstance(message, Job) and message.id in member.rows:
                    await self._teach(member, member.rows[message.id])
            await member.link.push(batch)

    async def _teach(self, member: Member, row: Row) -> None:
        """See that a worker holds the version of a row; for a new one it forgets one that it has no row of."""
        version = row.job.version
        if version not in member.versions:
            busy = {other.job.version for other in member.rows.values()}
            idle = [known for known in member.versions if known not in busy]
            forget = idle[: max(0, len(member.versions) + 1 - _KEPT)]
            await member.link.learn(row.parcel, forget)
            for known in forget:
                del member.versions[known]
        member.versions[version] = None
        member.versions.move_to_end(version)

    async def _listen(self, member: Member) -> None:
        while True:
            for message in await member.link.poll():
                if (row := member.rows.get(message.job)) is not None:
                    self._take(member, row, message)

    def _take(self, member: Member, row: Row, message: ToDriver) -> None:
        match message:
            case Done():
                del member.rows[message.job]
                _finish(row, message)
                self._soon()
            case Asked():
                self._ask(member, row, message)
            case Lease():
                task = row.lease(message.number, message.lease, Usage.model_validate(message.estimate))
                task.add_done_callback(partial(_answer, member, message.job, message.number))
            case Written():
                task = row.write(message.number, message.name, message.arguments)
                task.add_done_callback(partial(_answer, member, message.job, message.number))
            case Withdrawn():
                row.withdraw(message.number)
            case Settled():
                row.settle(message.lease, Usage.model_validate(message.used))

    def _ask(self, member: Member, row: Row, asked: Asked) -> None:
        """Have the door of a row answer a worker's question."""
        context, request = row.context, Request.model_validate(asked.request)
        try:
            model = context.model(asked.model or None)
        except AgentsymError as error:
            return member.send(Answered(asked.job, asked.number, failure=failure_of(error)))
        key = " ".join((asked.phase, asked.node, request.key(model.name)))
        task = row.call(
            asked.number, key, lambda: context.door.complete(model, request, phase=asked.phase, node=asked.node)
        )
        task.add_done_callback(partial(_answer, member, asked.job, asked.number))

    def _soon(self) -> None:
        """Spread what waits, once all that happens now has happened."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._spread)

    def _spread(self) -> None:
        self._due = False
        while self._waiting:
            row = self._waiting[0]
            free = [member for member in self.members if member.has_room(row)]
            if not free:
                return
            member = min(free, key=lambda member: len(member.rows))
            self._waiting.popleft()
            row.job = row.job._replace(id=next(self._jobs))
            member.rows[row.job.id] = row
            member.send(row.job)

    def _leave(self, row: Row) -> None:
        """Let nobody work on a row any more that is not done: its caller has gone."""
        if row in self._waiting:
            self._waiting.remove(row)
        for member in self.members:
            if member.rows.pop(row.job.id, None) is not None:
                member.send(Drop(row.job.id))
                self._soon()

    def _lose(self, member: Member, why: str) -> None:
        """Take a dead worker's rows back, and start another one."""
        member.link.kill()
        if member in self.members:
            self.members.remove(member)
        else:
            self._failed_starts += 1
        if self._failed_starts >= STARTS:
            return self._give_up(AgentsymError(f"no worker can be started: {why}"))
        for row in reversed(member.rows.values()):
            row.deaths += 1
            row.rewind()
            if not row.writes and row.deaths < DEATHS:
                self._waiting.appendleft(row)
            elif not row.outcome.done():
                row.outcome.set_result(_lost(row, why))
        member.rows.clear()
        self._start()
        self._soon()

    def _give_up(self, error: AgentsymError) -> None:
        """End every row with an error: there is nobody to run it."""
        self._error = error
        for row in (*self._waiting, *(row for member in self.members for row in member.rows.values())):
            if not row.outcome.done():
                row.outcome.set_exception(error)
        self._ready.set()


def _suspected(row: Row) -> bool:
    return row.deaths == DEATHS - 1


def _finish(row: Row, done: Done) -> None:
    """Count what a worker's own models have used, and hand the outcome over."""
    for entry in done.ledger:
        used = {name: value for name, value in entry.items() if name not in ("phase", "node")}
        row.context.door.ledger.add(entry["phase"], entry["node"], Usage.model_validate(used))
    error = None if done.failure is None else error_of(done.failure)
    if row.outcome.done():
        return
    if done.trajectory is None:
        assert error is not None
        row.outcome.set_exception(error)
    else:
        trajectory = Trajectory.model_validate({**done.trajectory, "worth": done.worth})
        row.outcome.set_result(Outcome(trajectory, error))


def _answer(member: Member, job: int, number: int, task: asyncio.Task[Any]) -> None:
    """Send a worker the answer to its question, if there is one and the job is still its own."""
    if task.cancelled():
        return
    error, failure = task.exception(), None
    if error is not None:
        failure = failure_of(error if isinstance(error, Exception) else NodeError(repr(error)))
    if job in member.rows:
        reply = task.result() if failure is None else None
        member.send(Answered(job, number, reply.model_dump() if isinstance(reply, Reply) else reply, failure))


def _lost(row: Row, why: str) -> Outcome:
    """Return the outcome of a row that no worker has survived, or that must not be run twice."""
    network, job = row.network, row.job
    where = f"agent {network.name!r}: row {job.example_id!r}"
    if row.writes:
        said = (
            f"{where}: its worker has died ({why}). Whether {', '.join(row.writes)} had been called nobody knows, and "
            "since that changes the world the row is not run again"
        )
    else:
        said = (
            f"{where} has ended {row.deaths} workers, the last of which had nothing else to do ({why}); run it alone "
            "with --executor local to see where"
        )
    error = NodeError(said)
    trajectory = Trajectory(
        id=usual_id(network, job.inputs, row.context, job.example_id),
        version=network.version,
        example_id=job.example_id,
        inputs=job.inputs,
        status="error",
        error=said,
    )
    return Outcome(trajectory, error)
