"""When a request is sent again: the one retry policy, for every model and every caller.

Models send one request a call and clients' own retries are off, so that each attempt is counted and capped here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from agentsym.errors import ModelError, Transient, UsageError


@dataclass(frozen=True)
class RetryPolicy:
    """Sends again what may go better the next time: 429, 5xx, lost connections and timeouts.

    Attributes:
        retries: how often a request is sent again, at most.
        first: seconds before the first repetition; each later one waits twice as long, less up to a quarter at random.
        longest: the longest wait in seconds; a server that asks for a longer one has failed.
    """

    retries: int = 4
    first: float = 0.5
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise UsageError(f"{self.retries} retries cannot be; it must be 0 or more")

    def wait(self, error: ModelError, attempt: int) -> float | None:
        """Return the seconds to wait before attempt number `attempt` + 1; None where it is not worth another one."""
        if not isinstance(error, Transient) or attempt > self.retries:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest else None
        return min(self.longest, float(self.first * 2 ** (attempt - 1))) * random.uniform(0.75, 1.0)
