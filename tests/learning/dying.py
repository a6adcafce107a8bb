"""A store that dies with its process while a run is written.

A run that was killed anywhere must end as if it had not been, which is tried by killing it after each event.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentsym.store.answers import Answers
from agentsym.store.store import Store


class Killed(BaseException):
    """Stands for kill -9: nothing is caught, nothing is written any more."""


class DyingStore(Store):
    """Writes the first `life` batches of events, then dies with its process."""

    life = 0

    def append_many(self, run_id: str, items: Any, *, expect_seq: int | None = None) -> int:
        if self.life <= 0:
            raise Killed
        self.life -= 1
        return super().append_many(run_id, items, expect_seq=expect_seq)


class FragileAnswers(Answers):
    """Dies with its store."""

    store: "FragileStore"

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        self.store.breathe()
        return super()._write(statement, values)


class FragileStore(Store):
    """Writes `life` times, events and model calls alike, then dies with its process."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.life, self.writes = 10**9, 0
        self.answers = FragileAnswers(*parts)
        self.answers.store = self

    def breathe(self) -> None:
        if self.writes >= self.life:
            raise Killed
        self.writes += 1

    def append_many(self, run_id: str, items: Any, *, expect_seq: int | None = None) -> int:
        self.breathe()
        return super().append_many(run_id, items, expect_seq=expect_seq)


def killed(folder: Path, life: int, run: Callable[[Store], Any]) -> Store:
    """Let a run die after so many batches of events; returns the store that it leaves behind."""
    file = folder / "dying.db"
    with DyingStore.open(file) as dying:
        dying.life = life
        with pytest.raises(Killed):
            run(dying)
    return Store.open(file)
