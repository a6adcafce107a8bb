"""The wire between the driver and one worker, whatever carries it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from agentsym.runtime.executors.messages import ToDriver, ToWorker


class WorkerLost(Exception):
    """A worker is gone, or nothing reaches it any more; the text says what is known of that."""


class Link(Protocol):
    """A worker as the driver sees it; each method raises WorkerLost when it is gone."""

    async def hello(self) -> int:
        """Wait until the worker is ready, and return the number of its process."""
        ...

    async def learn(self, parcel: Any, forget: Sequence[str]) -> None:
        """Let it keep a version, as `Links.keep` has returned it, and forget others."""
        ...

    async def push(self, messages: Sequence[ToWorker]) -> None:
        """Send it messages."""
        ...

    async def poll(self) -> Sequence[ToDriver]:
        """Wait for its messages."""
        ...

    def kill(self) -> None:
        """End it, if it is there."""
        ...


class Links(Protocol):
    """Where workers come from."""

    def start(self) -> Link:
        """Start a worker and return the way to it at once."""
        ...

    def keep(self, parcel: Any) -> Any:
        """Put a parcel where every worker can fetch it, and return what stands for it."""
        ...
