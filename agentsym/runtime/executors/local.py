"""The executor of one process: every row is a task of the running loop."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from agentsym.network.network import Network
from agentsym.runtime.compile import Graph
from agentsym.runtime.context import Context
from agentsym.runtime.forward import Outcome, run


class LocalExecutor:
    """Runs rows here; it holds nothing."""

    def width(self, concurrency: int) -> int:
        return concurrency

    async def run(
        self, network: Network | Graph, inputs: Mapping[str, Any], context: Context, *, example_id: str = ""
    ) -> Outcome:
        return await run(network, inputs, context, example_id=example_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
