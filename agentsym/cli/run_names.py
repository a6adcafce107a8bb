"""How a command names a run of training: by its id, the beginning of one, or `last`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentsym.errors import StoreError, UsageError

if TYPE_CHECKING:
    from agentsym.store.reading import RunInfo
    from agentsym.store.store import Store

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or last.")]


def run_named(store: Store, name: str) -> RunInfo:
    """Return a run by its id, the beginning of one, or `last`; raises UsageError where there is none."""
    try:
        return store.run(name)
    except StoreError as error:
        raise UsageError(str(error)) from error
