"""A store that dies with its process while a run is written.

A run that was killed anywhere must end as if it had not been, which is tried by killing it after each event.
"""

from typing import Any

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
