"""The journal of one run: each phase of a step is written down when it is finished, and read back on resume.

A phase whose event is there is not done again; the first one that is missing is where a resumed run goes on, with the
answers that had arrived in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from agentsym.errors import UsageError
from agentsym.learning.answers import RunAnswers, spent
from agentsym.learning.memory.lesson import Lesson
from agentsym.learning.protocols import Evidence, Row
from agentsym.learning.state import State
from agentsym.models.ledger import Ledger
from agentsym.network.canonical import Frozen
from agentsym.network.network import Network
from agentsym.network.records import Gradient, LossReport
from agentsym.store.events import AFTERWARDS, as_stored
from agentsym.store.store import Store

F = TypeVar("F", bound=Frozen)
S = TypeVar("S", bound=State)


class Baseline(Frozen):
    """The scores of the first version, before anything was learned."""

    val: dict[str, float] = {}
    must_pass: dict[str, float] = {}


class Gradients(Frozen):
    """The gradients of a batch, one list a row, in the rows' order."""

    rows: tuple[tuple[Gradient, ...], ...]


class Journal:
    """Writes and reads the events of one run.

    Args:
        store: where they are kept.
        run_id: the run.

    Attributes:
        answers: the log of the run's model calls, for the door.
        lessons: what earlier runs in the store taught when the run began.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.answers = RunAnswers(store, run_id, lambda: self._seq)
        self.lessons: tuple[Lesson, ...] = ()
        self._seq = 0
        self._pending: dict[str, Mapping[str, Any]] = {}
        self._versions: dict[str, str] = {}

    def begin(self, agent: str, config: Mapping[str, Any], lessons: Sequence[Lesson] = ()) -> None:
        """Start the journal of a new run; the lessons stand in it, since the store may know others on resume."""
        self.lessons = tuple(map(read_back, lessons))
        self.write("run", agent=agent, config=dict(config), **({"lessons": self.lessons} if lessons else {}))

    def reopen(self, config: Mapping[str, Any], kind: type[S]) -> tuple[S | None, Ledger]:
        """Go on with a run; returns the state of its last checkpoint and all that the run has cost so far.

        Args:
            config: what the run must have begun with.
            kind: the class of the states.

        Raises:
            UsageError: there is no such run, or agent, data or settings are not those it began with.
        """
        state: S | None = None
        phase_ended = 0
        for event in self.store.events(self.run_id):
            self._seq = event.seq
            if event.kind not in ("resume", "stop", *AFTERWARDS):
                phase_ended = event.seq
            match event.kind:
                case "run":
                    _same(self.run_id, event.data["config"], config)
                    self.lessons = tuple(map(Lesson.model_validate, event.data.get("lessons", ())))
                case "version":
                    self._versions[event.data["hash"]] = event.data["content"]
                case "checkpoint":
                    state = kind.model_validate(event.data["state"])
                    self._pending = {}
                case "trajectory" | "resume" | "stop":
                    pass
                case phase if phase not in AFTERWARDS:
                    self._pending[phase] = event.data
        if not self._seq:
            raise UsageError(f"there is no run {self.run_id!r}; `agentsym runs list` shows those there are")
        self.answers.reopen(since=phase_ended)
        ledger = spent(self.store, self.run_id)
        total = ledger.total()
        summary = {"calls": total.calls, "tokens": total.tokens, "usd": total.usd, "seconds": total.seconds}
        self.write("resume", ledger=ledger.to_json(), summary=summary)
        return state, ledger

    def write(self, kind: str, **data: Any) -> None:
        """Append one event; refused if another process has gone on with the run meanwhile.

        Where a resumed run would begin, and where there is nothing to resume, the answers until then are dropped.
        """
        self._seq = self.store.append(self.run_id, kind, data, expect_seq=self._seq)
        if kind == "checkpoint" or (kind == "stop" and data.get("status") == "done"):
            self.answers.drop()

    async def phase(self, kind: str, result: type[F], compute: Callable[[], Awaitable[F]]) -> F:
        """Return the finished phase's value from the journal, or compute it and write it down."""
        if kind in self._pending:
            return result.model_validate(self._pending.pop(kind)["value"])
        value = await compute()
        self.write(kind, value=value)
        return read_back(value)

    async def forward(
        self, step: int, rows: Sequence[Row], compute: Callable[[], Awaitable[tuple[Evidence, ...]]]
    ) -> tuple[Evidence, ...]:
        """Like `phase`, for the runs of a batch: each is an event of its own, their losses one event together."""
        ids = [f"{self.run_id}-{step}-{position}" for position in range(len(rows))]
        if "forward" in self._pending:
            reports = [LossReport.model_validate(data) for data in self._pending.pop("forward")["losses"]]
            return tuple(
                Evidence(row=row, trajectory=self.store.trajectory(trajectory_id), loss=report)
                for row, trajectory_id, report in zip(rows, ids, reports, strict=True)
            )
        evidence = tuple(
            item.model_copy(update={"trajectory": item.trajectory.model_copy(update={"id": trajectory_id})})
            for item, trajectory_id in zip(await compute(), ids, strict=True)
        )
        runs = [
            (
                "trajectory",
                {"trajectory": e.trajectory, "phase": "forward", "step": step, "score": e.loss.score},
            )
            for e in evidence
        ]
        losses = ("forward", {"step": step, "losses": [e.loss for e in evidence]})
        self._seq = self.store.append_many(self.run_id, [*runs, losses], expect_seq=self._seq)
        return tuple(
            e.model_copy(update={"trajectory": read_back(e.trajectory), "loss": read_back(e.loss)}) for e in evidence
        )

    def version(self, network: Network, parent: str | None) -> None:
        """Write down a version, unless it is known."""
        if network.version not in self._versions:
            content = network.model_dump(mode="json", exclude_defaults=True)
            self.write("version", hash=network.version, parent=parent, content=content)
            self._versions[network.version] = ""


def read_back(value: F) -> F:
    """Return a value as a resumed run reads it from the events; a run that goes on without a stop must know no other.

    A date of the user's, for one, comes back as a text.
    """
    return type(value).model_validate(as_stored(value))


def _same(run_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise UsageError when a run would go on with something else than it began with."""
    if changed := list(_changes(old, new)):
        raise UsageError(
            f"run {run_id} cannot go on: {', '.join(changed)} changed since it began; "
            "put that back as it was, or start a new run"
        )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Name what is different between two configs; an address at which a model is asked may be another one."""
    for name in _differing(old, new):
        before, after = old.get(name), new.get(name)
        if name == "data":
            yield f"the data of {' and '.join(_differing(before or {}, after or {}))}"
        elif name == "settings":
            yield f"{' and '.join(_differing(before or {}, after or {}))} in the settings"
        elif name == "metric_source":
            yield f"the code of the metric {new['metric']}"
        elif name in ("student", "teacher") and str(before).partition(" at ")[0] == str(after).partition(" at ")[0]:
            continue
        elif name != "origin":
            yield f"the {name}"


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
