"""`Recall`: the last run of each row of train, and which rows can tell something new about a version.

A teacher that reads all rows at once reads the whole of train at every step, but little of it changes from one step to
the next; what has not changed need not be run again.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from math import ceil
from typing import Any

from agentsym.learning.journal import Gradients
from agentsym.learning.protocols import Evidence, Row
from agentsym.network.records import LossReport, Trajectory
from agentsym.store.store import Store

SHARE = 0.2  # of a batch
FEWEST = 100  # rows: what a smaller batch could save is not worth a step that learns too little


class Recall:
    """Remembers runs, and says which are worth doing again.

    Args:
        train: the rows that batches are drawn from.
        seed: breaks ties between rows that ran last at the same step.
        share: of a batch, how much is run at least while anything in it could have changed, in [0, 1].
        fewest: rows that are run at least, likewise.
    """

    def __init__(self, train: Iterable[Row], seed: int, share: float = SHARE, fewest: int = FEWEST) -> None:
        self._rows = {row.id: row for row in train}
        self._seed = seed
        self._share = share
        self._fewest = fewest
        self._last: dict[str, Evidence] = {}
        self._step: dict[str, int] = {}

    def to_run(self, batch: Iterable[Row], version: str, step: int, *, every: bool = False) -> tuple[Row, ...]:
        """Return the rows of a batch whose run can tell something new, each once.

        Those are the rows that never ran and those that failed in another version. An edit may also have cost rows that
        passed: up to the share, those of them are added that ran longest ago, so that none is taken on trust for long.

        Args:
            batch: the rows of the step.
            version: what would run them; what it has run before is not run again.
            step: the step's number.
            every: add all rows that passed in other versions.
        """
        rows = {row.id: row for row in batch}
        stale = [row for row in rows.values() if not self._knows(row, version)]
        passed = [row for row in stale if row.id in self._last and self._last[row.id].loss.satisfied]
        random.Random(f"{self._seed}/{step}").shuffle(passed)
        passed.sort(key=lambda row: self._step[row.id])
        least = max(ceil(self._share * len(rows)), self._fewest)
        room = len(passed) if every else max(0, least - (len(stale) - len(passed)))
        trusted = {row.id for row in passed[room:]}
        return tuple(row for row in stale if row.id not in trusted)

    def add(self, evidence: Iterable[Evidence], step: int) -> None:
        """Remember the runs of a step, with their gradients, in place of earlier ones of the same rows."""
        for item in evidence:
            kept = item.model_copy(update={"trajectory": _sharing_texts(item.trajectory)})
            self._last[item.row.id], self._step[item.row.id] = kept, step

    def holds(self, item: Evidence) -> bool:
        """Whether it is a remembered run."""
        return self._last.get(item.row.id) is item

    def complete(self, batch: Iterable[Row], fresh: Iterable[Evidence]) -> tuple[Evidence, ...]:
        """Return the evidence of a whole batch: fresh runs, and the remembered ones of all other rows."""
        known = {**self._last, **{item.row.id: item for item in fresh}}
        return tuple(known[row.id] for row in batch)

    def read(self, store: Store, run_id: str, before: int) -> None:
        """Remember what the journal of a run says of the steps before step number `before`; for a resumed run.

        A batch that nothing was learned from has no gradients, and is not remembered by a run that goes on either.
        """
        steps = [e for kind in ("forward", "backward") for e in store.events(run_id, kind=kind)]
        step, losses = 0, list[Any]()
        for event in sorted(steps, key=lambda event: event.seq):
            if event.kind == "forward":
                step, losses = event.data["step"], event.data["losses"]
            elif step < before:
                runs = store.trajectories(run_id, phase="forward", step=step)
                gradients = Gradients.model_validate(event.data["value"]).rows
                evidence = [
                    Evidence(
                        row=self._rows[run.trajectory.example_id],
                        trajectory=run.trajectory,
                        loss=LossReport.model_validate(loss),
                        gradients=own,
                    )
                    for run, loss, own in zip(runs, losses, gradients, strict=True)
                ]
                self.add(evidence, step)

    def _knows(self, row: Row, version: str) -> bool:
        return row.id in self._last and self._last[row.id].trajectory.version == version


def _sharing_texts(trajectory: Trajectory) -> Trajectory:
    """Return a trajectory whose messages share their texts with all others: most differ in the last message only."""
    steps = tuple(
        step.model_copy(
            update={"messages": tuple(m.model_copy(update={"content": sys.intern(m.content)}) for m in step.messages)}
        )
        for step in trajectory.steps
    )
    return trajectory.model_copy(update={"steps": steps})
