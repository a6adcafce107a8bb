"""Retention: traces older than the policy keeps them are dropped, by one of the servers that share a store."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from agentsym.deploy.service import Service
from agentsym.errors import StoreError

EVERY_S = 3600.0
LEASE_S = 600.0
PAUSE_S = 0.05  # between two lots, so that traces can be written in between

log = logging.getLogger(__name__)


async def retain(service: Service) -> None:
    """Drop old traces now and every hour, until cancelled; a store that fails is tried again the next time."""
    while service.policy.traces.retention_days is not None:
        try:
            await drop_old(service)
        except StoreError as error:
            log.warning("old traces cannot be dropped: %s", error)
        await asyncio.sleep(EVERY_S)


async def drop_old(service: Service) -> int:
    """Drop what is too old, if no other server is at it; return how many traces that were."""
    days = service.policy.traces.retention_days
    if days is None:
        return 0
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    lease, dropped = f"retention {service.name}", 0
    while await asyncio.to_thread(service.store.leases.take, lease, service.id, LEASE_S):
        lot = await asyncio.to_thread(service.store.traces.drop_before, before, service.name)
        dropped += lot
        if lot == 0:
            await asyncio.to_thread(service.store.leases.drop, lease, service.id)
            break
        await asyncio.sleep(PAUSE_S)
    return dropped
