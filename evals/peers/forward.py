"""The forward pass alone: tickets through the agent as it is before learning, timed by the server and by CPU.

A few other tickets go first, so that neither side's first connections are in the figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evals.peers.assignment import CONCURRENCY, Assignment, call, configure, peak_mib
from evals.peers.task import FORWARD, Ticket

Answer = Callable[[Sequence[Ticket], int], list[str]]
"""Tickets, and how many of them at once → answers."""


@dataclass(frozen=True)
class Load:
    """What is sent through.

    Attributes:
        tickets: how many of the forward set.
        workers: how many at once.
        same: all of them are the first one.
    """

    tickets: int = FORWARD
    workers: int = CONCURRENCY
    same: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Load:
        """Return what an assignment's options ask for."""
        return cls(**{name: options[name] for name in ("tickets", "workers", "same") if name in options})


def timed(assignment: Assignment, answer: Answer) -> dict[str, Any]:
    """Run the forward pass and return the findings as one flat row.

    Args:
        assignment: what is asked for; its options say the load.
        answer: runs the agent of a library.

    Raises:
        ValueError: an answer is not what the agent says before learning.
    """
    load = Load.of(assignment.options)
    task, tickets = assignment.task, assignment.task.tickets("forward")[: load.tickets]
    if load.same:
        tickets = [tickets[0]] * load.tickets
    configure(replace(assignment, latency_ms=0.0))
    answer(task.tickets("train"), load.workers)
    configure(assignment)
    started = time.process_time()
    said = answer(tickets, load.workers)
    cpu = time.process_time() - started
    stats = call(assignment.url, "/stats")
    wanted = ["general" if task.needs(ticket.kind) else ticket.label for ticket in tickets]
    if said != wanted:
        raise ValueError("the forward pass gave answers that the agent does not give")
    calls = task.chain * len(tickets)
    return {
        "tickets": len(tickets),
        "workers": load.workers,
        "same": load.same,
        "latency_ms": assignment.latency_ms,
        "asked": calls,
        "calls": stats["requests"],
        "tokens": sum(role["tokens"] for role in stats["roles"].values()),
        "max_in_flight": stats["peak"],
        "errors": len(stats["errors"]),
        "wall_s": round(stats["seconds"], 3),
        "cpu_ms_a_call": round(1000 * cpu / calls, 3),
        "rss_mib": round(peak_mib(), 1),
    }
