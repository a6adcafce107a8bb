"""Keeps what happened while a network runs, and makes the steps of the trajectory from it afterwards.

It travels beside the state, not in it, so the steps done so far survive an exception; they are numbered by
super-step and node, never by time, so a trajectory is the same under every concurrency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agentsym.network.records import Message, Step, ToolCall, Usage
from agentsym.runtime.context import Context

_NO_USAGE = Usage()

Place = tuple[Any, ...]
"""`(super-step, node)`, with those of the agent nodes around it in front."""

Origin = tuple[Place, str]
"""Where a value comes from: the place of the writer and the field it wrote."""


@dataclass(slots=True)
class Visit:
    """One visit of a node while it runs and what it leaves behind, also when it fails.

    It does not refer to its recorder, which holds it: in a circle, each run would stay in memory until Python's garbage
    collector finds it, and finding all that langgraph keeps of a run takes longer than the run.
    """

    place: Place
    context: Context
    inputs: dict[str, Any] = field(default_factory=dict)
    parents: tuple[Origin, ...] = ()
    control: Place | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    tool_calls: list[ToolCall] = field(default_factory=list)
    raw: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    usage: Usage = _NO_USAGE
    worth: Usage = _NO_USAGE
    seconds: float = 0.0
    error: str | None = None
    kept: bool = False

    @property
    def node(self) -> str:
        """The node's id, with those of the agent nodes around it in front."""
        return "/".join(self.place[1::2])


class Scope(NamedTuple):
    """What a visit runs in: the recorder of its run, and the config that langgraph has handed over."""

    recorder: Recorder
    config: Any


class _Log:
    """What the recorders of one run share: visits, chosen targets, and whether a limit ended the run."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.routes: dict[Place, str] = {}
        self.capped = False
        self.told: list[Exception] = []


class Recorder:
    """Keeps the visits of one run, or of an agent node's inner run.

    Args:
        context: who answers.
        record: whether visits are kept.
        path: the place of the agent node that this run is inside.
        origins: field → where the run's own input comes from.
        control: who chose the agent node.
    """

    def __init__(
        self,
        context: Context,
        *,
        record: bool | None = None,
        path: Place = (),
        origins: Mapping[str, Origin] | None = None,
        control: Place | None = None,
        log: _Log | None = None,
    ) -> None:
        self.context = context
        self.record = context.record if record is None else record
        self.path = path
        self.origins = origins or {}
        self.control = control
        self._log = log or _Log()

    def inside(self, visit: Visit) -> Recorder:
        """Return the recorder for the inner run of an agent node."""
        origins = {origin[1]: origin for origin in visit.parents}
        return Recorder(
            self.context, record=self.record, path=visit.place, origins=origins, control=visit.control, log=self._log
        )

    def keep(self, visit: Visit) -> None:
        """Keep a visit that has ended, once."""
        if self.record and not visit.kept:
            visit.kept = True
            self._log.visits.append(visit)

    def routed(self, place: Place, target: str) -> None:
        """Keep which target a conditional edge chose."""
        if self.record:
            self._log.routes[place] = target

    def tell(self, error: Exception) -> None:
        """Keep that an error names its node already, so that no agent node around it does so again."""
        self._log.told.append(error)

    def has_told(self, error: Exception) -> bool:
        """Say whether an error comes from a node of this run, which is kept."""
        return any(told is error for told in self._log.told)

    def cap(self) -> None:
        """Keep that a visit limit ended the run."""
        self._log.capped = True

    @property
    def capped(self) -> bool:
        """Whether a visit limit ended the run."""
        return self._log.capped

    def worth(self) -> Usage:
        """Return what the run would cost anew: its answers as if none came from the cache, and its own code's time."""
        code = sum(_code_seconds(visit) for visit in self._log.visits)
        return sum((visit.worth for visit in self._log.visits), Usage(seconds=code))

    def steps(self) -> tuple[Step, ...]:
        """Return the steps in order: by super-step and node, a failed one last."""
        visits = sorted(self._log.visits, key=lambda visit: (visit.error is not None, visit.place))
        at = {visit.place: index for index, visit in enumerate(visits)}
        routes = {_last(visits, at, place): target for place, target in self._log.routes.items()}
        counts: dict[str, int] = {}
        steps = []
        for index, visit in enumerate(visits):
            node = visit.node
            counts[node] = counts.get(node, -1) + 1
            parents = {_writer(visits, at, *origin) for origin in visit.parents}
            steps.append(
                Step(
                    index=index,
                    node=node,
                    visit=counts[node],
                    parents=tuple(sorted(parent for parent in parents if parent is not None)),
                    control_parent=None if visit.control is None else _last(visits, at, visit.control),
                    inputs=visit.inputs,
                    messages=visit.messages,
                    parameters=dict(visit.parameters),
                    tool_calls=tuple(visit.tool_calls),
                    raw=visit.raw,
                    output=visit.output,
                    route=routes.get(index),
                    usage=visit.usage,
                    seconds=visit.seconds,
                    error=visit.error,
                )
            )
        return tuple(steps)


def _code_seconds(visit: Visit) -> float:
    """Return how long a visit ran code: all of it, or the tools that a model has called."""
    return sum(call.seconds for call in visit.tool_calls) if visit.worth.calls else visit.seconds


def _last(visits: list[Visit], at: Mapping[Place, int], place: Place) -> int | None:
    """Return the index of the step at a place; for an agent node's place, of its last inner step."""
    if place in at:
        return at[place]
    inside = [visit.place for visit in visits if visit.place[: len(place)] == place]
    return at[max(inside)] if inside else None


def _writer(visits: list[Visit], at: Mapping[Place, int], place: Place, name: str) -> int | None:
    """Return the index of the step that wrote a field; for an agent node's place, the inner step that did last."""
    if place in at:
        return at[place]
    inside = [v.place for v in visits if v.place[: len(place)] == place and name in v.output]
    return at[max(inside)] if inside else None
