"""Caps on what model calls may use, checked before a call is sent.

A call first reserves what it is expected to use and settles afterwards what it did use, so that callers
who run at the same time can never go over a cap together.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agentsym.errors import BudgetExceeded, UsageError
from agentsym.network.records import Usage


class Budget:
    """The caps of one run; without any it only counts. For one event loop.

    Args:
        max_calls: the most calls; None for no cap.
        max_seconds: seconds from now after which no call is started any more; None for no cap.
        clock: returns seconds.
    """

    def __init__(
        self,
        max_calls: int | None = None,
        max_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, cap in (("max_calls", max_calls), ("max_seconds", max_seconds)):
            if cap is not None and not cap >= 0:
                raise UsageError(f"{name} is {cap}; a cap must be 0 or more, or left out")
        self.max_calls = max_calls
        self.max_seconds = max_seconds
        self._clock = clock
        self._start = clock()
        self._used_calls = 0
        self._held_calls = 0

    @property
    def used_calls(self) -> int:
        """Calls settled so far, failed ones too."""
        return self._used_calls

    @property
    def held_calls(self) -> int:
        """Calls reserved and not yet settled."""
        return self._held_calls

    @property
    def seconds(self) -> float:
        """Seconds since the budget was made."""
        return self._clock() - self._start

    def check(self, estimate: Usage) -> None:
        """Say whether what is estimated still fits, without reserving it.

        Raises:
            BudgetExceeded: when it does not.
        """
        taken = self._used_calls + self._held_calls
        if self.max_calls is not None and taken + estimate.calls > self.max_calls:
            under_way = f" and {self._held_calls} under way" if self._held_calls else ""
            raise BudgetExceeded(
                f"the cap of {self.max_calls} model calls leaves no room for {estimate.calls} more: "
                f"{self._used_calls} used{under_way}; allow more with --max-calls (in Python: max_calls=)"
            )
        if self.max_seconds is not None and self.seconds >= self.max_seconds:
            raise BudgetExceeded(
                f"the cap of {self.max_seconds:g} seconds is reached: {self.seconds:.1f} used; "
                "allow more with --max-seconds (in Python: max_seconds=)"
            )

    def reserve(self, estimate: Usage) -> None:
        """Set aside what a call is expected to use; every reservation must be settled once.

        Raises:
            BudgetExceeded: when it does not fit; nothing is reserved then.
        """
        self.check(estimate)
        self._held_calls += estimate.calls

    def settle(self, estimate: Usage, used: Usage) -> None:
        """Give a reservation back and count what the call really used."""
        self._held_calls -= estimate.calls
        self._used_calls += used.calls
