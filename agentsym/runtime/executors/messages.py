"""What driver and workers say to each other: plain values, so that neither has to unpickle what the other thinks up.

A worker is told jobs, answers and cancellations, and tells results, questions and what its local models use.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agentsym.models.protocol import Phase
from agentsym.runtime.executors.failures import Failure

Caps = tuple[int | None, int | None, float | None, float | None]
"""Calls, tokens, dollars, seconds, as a `Budget` takes them."""


class Face(NamedTuple):
    """What a worker knows of a model: its name, and whether the worker makes it itself or has the driver asked.

    `failure` says why nobody answers for the name; it is raised where the model is asked for.
    """

    name: str
    remote: bool = True
    here: bool = False
    prompts: str | None = None
    failure: Failure | None = None


class Job(NamedTuple):
    """A row to run: the version, its inputs, and what its context is.

    `stands_in` says that the driver has something that stands in for code that writes. `faces` has the student under ""
    and the models that nodes name under their names; `caps` is None without caps.
    """

    id: int
    version: str
    inputs: Any
    example_id: str
    phase: Phase
    rollout: int
    record: bool
    tracing: bool
    stands_in: bool
    faces: dict[str, Face]
    caps: Caps | None


class Drop(NamedTuple):
    """A job whose result nobody waits for any more."""

    job: int


class Answered(NamedTuple):
    """The answer to a question of a job: a reply, leave to go on (None), what stands in for a result, or an error."""

    job: int
    number: int
    reply: Any = None
    failure: Failure | None = None


class Done(NamedTuple):
    """The result of a job: its trajectory with what it is worth, or, without one, the error that was raised."""

    job: int
    trajectory: dict[str, Any] | None
    worth: dict[str, Any]
    failure: Failure | None
    ledger: list[dict[str, Any]]


class Asked(NamedTuple):
    """A request for a model that the driver's door asks; the model is the student's "" or a node's own name."""

    job: int
    number: int
    model: str
    request: dict[str, Any]
    phase: Phase
    node: str


class Lease(NamedTuple):
    """A call of a worker's own model that wants to be made under the driver's caps; leases are numbered by job."""

    job: int
    number: int
    lease: int
    estimate: dict[str, Any]


class Written(NamedTuple):
    """Code that writes and is not to be called: what the driver's stand-in makes of its arguments is its result."""

    job: int
    number: int
    name: str
    arguments: dict[str, Any]


class Withdrawn(NamedTuple):
    """A question whose answer the job waits for no more, because a node's time was up."""

    job: int
    number: int


class Settled(NamedTuple):
    """What a leased call has used."""

    job: int
    lease: int
    used: dict[str, Any]


ToWorker = Job | Drop | Answered
ToDriver = Done | Asked | Lease | Written | Withdrawn | Settled
