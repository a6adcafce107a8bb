"""The seam between whoever has many rows to run and the place where they are run.

It is one row wide, since races, gates and streams of rows each stop in their own way; an executor that sends rows
elsewhere gathers those that are under way together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from agentsym.network.network import Network
from agentsym.runtime.context import Context

if TYPE_CHECKING:
    from agentsym.runtime.forward import Outcome


class Executor(Protocol):
    """Runs rows. It is entered before the first and left after the last, by any number of holders at once."""

    def width(self, concurrency: int) -> int:
        """Return how many rows to keep under way, for callers who want so many and calls at once."""
        ...

    async def run(
        self, network: Network, inputs: Mapping[str, Any], context: Context, *, example_id: str = ""
    ) -> Outcome:
        """Run one row as `runtime.forward.run` does, with the same outcome and the same errors."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
