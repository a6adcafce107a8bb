"""Where a command runs its rows: `--executor`, `--ray-address` and `--workers`.

It is part of no version and of no run's settings: what comes out is the same, so a run may go on somewhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from agentsym.cli import caps

if TYPE_CHECKING:
    from agentsym.runtime.executors.protocol import Executor

Name = Annotated[
    Literal["local", "ray"] | None,
    typer.Option("--executor", help="Where rows are run: in this process, or on a Ray cluster (default: local)."),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="ADDR", help="The Ray cluster to join (default: RAY_ADDRESS, else one is started here)."),
]
Workers = Annotated[
    int | None,
    caps.above_zero("--workers", "Worker processes for --executor ray (default: one a CPU).", without="one a CPU"),
]


class Where(NamedTuple):
    """Where rows are run."""

    name: str = "local"
    address: str | None = None
    workers: int | None = None

    @classmethod
    def given(cls, name: str | None, address: str | None, workers: int | None) -> Where:
        """Take the flags, and say at once what is missing for them.

        Raises:
            UsageError: Ray is not installed, or flags for it are given without it.
        """
        where = cls(name or "local", address, workers)
        if name is not None or address is not None or workers is not None:
            where.executor()
        return where

    def executor(self) -> Executor:
        """Return a new executor."""
        from agentsym.runtime.executors.choose import executor_named

        return executor_named(self.name, address=self.address, workers=self.workers)
