"""From the name of an executor to the executor; what is missing for it is said before anything is run."""

from __future__ import annotations

from agentsym.errors import UsageError
from agentsym.runtime.executors.protocol import Executor

LOCAL, RAY = "local", "ray"


def executor_named(name: str | Executor, *, address: str | None = None, workers: int | None = None) -> Executor:
    """Return the executor of a name; an executor is returned as it is.

    Args:
        name: `local` or `ray`.
        address: of the Ray cluster to join.
        workers: how many worker processes to use there.

    Raises:
        UsageError: there is none of that name, its package is missing, or it takes no address and workers.
    """
    if not isinstance(name, str):
        return name
    if name == RAY:
        from agentsym.runtime.executors.ray import RayExecutor

        return RayExecutor(address, workers)
    if name != LOCAL:
        raise UsageError(f"there is no executor {name!r}; there are: {LOCAL}, {RAY}")
    if address is not None or workers is not None:
        raise UsageError("a Ray address and a number of workers are for the executor ray; add --executor ray")
    from agentsym.runtime.executors.local import LocalExecutor

    return LocalExecutor()
