"""A run's journal without what two equal runs cannot share: times, random ids, and what the calls have cost.

Costs are left out: an answer that one run paid for another finds in the cache, and of two callers with one question
the first to come pays. What was asked, answered, proposed and decided does not depend on that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentsym.store.events import AFTERWARDS, Event

RUN = "RUN"
"""Stands for the run's id."""
_COSTS = ("usage", "seconds")
_MEASURED = {"score", "tokens", "usd", "seconds"}  # what a version is worth
_TOTALS = ("calls", "tokens", "usd", "seconds")


def comparable(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """Yield each event's kind and data; what is equal for runs of equal agent, data, settings, seed and answers.

    Stopping and going on leave no trace, so a run that was killed and resumed compares with one that was not: of the
    stops only one at the very end stands there, no `resume`, and no numbers, which count both. Neither does what
    is said of a run afterwards; what it was taught by others stands there without the ids of these.
    """
    stop: Event | None = None
    for event in events:
        stop = event if event.kind == "stop" else stop if event.kind in AFTERWARDS else None
        if event.kind not in ("resume", "stop", *AFTERWARDS):
            yield _plain(event)
    if stop is not None:
        yield _plain(stop)


def _plain(event: Event) -> dict[str, Any]:
    data = _without(event.data, "ledger")
    if "summary" in data:
        data["summary"] = _without(data["summary"], *_TOTALS)
    if event.kind == "trajectory":
        data["trajectory"] = _trajectory(data["trajectory"])
    if "lessons" in data:
        data["lessons"] = [_without(lesson, "run") for lesson in data["lessons"]]
    named: dict[str, Any] = _renamed(data, event.run_id)
    return {"kind": event.kind, "data": named}


def _trajectory(trajectory: Mapping[str, Any]) -> dict[str, Any]:
    kept = _without(trajectory, *_COSTS)
    if "steps" in kept:
        kept["steps"] = [_step(step) for step in kept["steps"]]
    return kept


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    kept = _with_calls(_without(step, *_COSTS))
    if "messages" in kept:
        kept["messages"] = [_with_calls(_without(message, "tool_call_id")) for message in kept["messages"]]
    return kept


def _with_calls(holder: dict[str, Any]) -> dict[str, Any]:
    """Take the models' random ids and the times out of the tool calls of a step or a message."""
    if "tool_calls" in holder:
        holder["tool_calls"] = [_without(call, "id", "seconds") for call in holder["tool_calls"]]
    return holder


def _without(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _renamed(value: Any, run_id: str) -> Any:
    """Return a copy with sorted keys, without measured times, in which every text calls the run by the same name."""
    if isinstance(value, str):
        return value.replace(run_id, RUN)
    if isinstance(value, list):
        return [_renamed(item, run_id) for item in value]
    if isinstance(value, dict):
        value = _without(value, "seconds") if value.keys() == _MEASURED else value
        return {name: _renamed(item, run_id) for name, item in sorted(value.items())}
    return value
