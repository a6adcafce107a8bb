"""The experiment: a run through each client, and identical requests through the door and past it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agentsym.models.door import Door
from agentsym.models.protocol import Request
from agentsym.models.resolve import resolve
from agentsym.network.prompt import Prompt
from evals.clients.shop import FAULTS, desk, rows
from evals.clients.world import PREFIXES, Size, environment, server, train
from evals.openai_server import Server

SIZE = Size(train=48, val=24, batch=12, steps=6)
IDENTICAL = 32


def measure(client: str, size: Size = SIZE) -> dict[str, Any]:
    """Return what a client's run reached and used, by its own account and by the server's.

    Args:
        client: `direct` or `litellm`.
        size: how much is learned.
    """
    prefix = PREFIXES[client]
    with server(latency=0.02) as provider, environment(provider.base_url) as folder:
        figures = _learn(provider, folder, prefix, size)
        through = asyncio.run(_ask_at_once(provider, prefix, past=False))
        past = asyncio.run(_ask_at_once(provider, prefix, past=True))
    return {
        "client": client,
        **figures,
        "identical": {"asked": IDENTICAL, "through the door": through, "past it": past},
    }


def agrees(figures: dict[str, Any]) -> bool:
    """Say whether both accounts are equal and identical requests were sent once."""
    same = all(run == counted for run, counted in figures["accounts"].values())
    return same and figures["identical"]["through the door"] == 1


def _learn(provider: Server, folder: Path, prefix: str, size: Size) -> dict[str, Any]:
    run = train(folder, size, prefix=prefix)
    used, counted = run.ledger.total(), provider.stats
    before, after = run.val or (0.0, 0.0)
    return {
        "status": run.status,
        "validation": {"before": before, "after": after},
        "accounts": {
            "calls": (used.calls, counted.requests),
            "prompt tokens": (used.prompt_tokens, counted.prompt_tokens),
            "answer tokens": (used.completion_tokens, counted.completion_tokens),
            "millionths of a dollar": (round(1e6 * (used.usd or 0.0)), round(1e6 * counted.usd)),
        },
        "from the cache": used.cached,
        "most at once": counted.peak,
        "connections": counted.connections,
    }


async def _ask_at_once(provider: Server, prefix: str, *, past: bool) -> int:
    """Ask the same many times at once and return how many requests reached the server."""
    provider.reset()
    model, door = resolve(f"{prefix}openai/student"), Door(concurrency=IDENTICAL)
    (row,) = rows(1, held_out=True)
    node = desk().node("sort")
    part = {"type": "string", "enum": list(FAULTS)}
    schema = {"type": "object", "properties": {"part": part}, "required": ["part"], "additionalProperties": False}
    request = Request(messages=Prompt(node).messages(row), schema_=schema)
    if past:
        await asyncio.gather(*(model.complete(request) for _ in range(IDENTICAL)))
    else:
        await asyncio.gather(*(door.complete(model, request, phase="forward") for _ in range(IDENTICAL)))
    return provider.stats.requests
