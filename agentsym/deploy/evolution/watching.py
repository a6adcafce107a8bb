"""Turning the wheel again and again: one process of all that watch a deployment does it, the others stand by.

A lease says who; it is renewed while a long turn (a learning run) is under way. Whoever has lost it all the same goes
on: at worst two learn at once, and of what they do to the deployment compare-and-swap lets one happen.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from agentsym.deploy.evolution.evolution import Evolution, Turn
from agentsym.errors import AgentsymError, ConflictError
from agentsym.store.store import Store

LEASE = 30.0
"""Seconds without a sign of life, after which another process takes over."""


def holder() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


async def turn_once(evolution: Evolution, me: str) -> Turn | None:
    """Do one turn, if no other process is at it; None if one is.

    What another process did faster counts as waiting.
    """
    store, lease = evolution.store, f"evolve {evolution.name}"
    if not await asyncio.to_thread(store.leases.take, lease, me, LEASE):
        return None
    renewing = asyncio.create_task(_renewed(store, lease, me))
    try:
        return await evolution.turn()
    except ConflictError as error:
        return Turn(what="waits", reason=str(error))
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        store.leases.drop(lease, me)


async def watch(
    evolution: Evolution, *, every: float, told: Callable[[AgentsymError], None]
) -> AsyncGenerator[Turn, None]:
    """Yield what each turn did, until the caller has had enough; a turn that did something is followed by the next.

    Args:
        evolution: the evolution.
        every: seconds between turns that only waited.
        told: is told of errors; they end a turn, not the watch.
    """
    me = holder()
    while True:
        turn: Turn | None = None
        try:
            turn = await turn_once(evolution, me)
        except AgentsymError as error:
            told(error)
        if turn is not None:
            yield turn
        if turn is None or turn.what in ("waits", "frozen", "nothing"):
            await asyncio.sleep(every)


async def _renewed(store: Store, lease: str, me: str) -> None:
    while True:
        await asyncio.sleep(LEASE / 3)
        with suppress(AgentsymError):  # the next try may reach the store again; what must be safe rests on no lease
            await asyncio.to_thread(store.leases.take, lease, me, LEASE)
