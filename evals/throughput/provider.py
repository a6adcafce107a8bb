"""The provider's double as a process of its own, so that its CPU time is not the client's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evals.openai_server import Server
from evals.openai_server.__main__ import serve
from evals.throughput.task import answer


@contextmanager
def provider(latency: float) -> Iterator[str]:
    """Run the double in another process and yield its base URL.

    Args:
        latency: seconds slept in every request.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "evals.throughput.provider", str(latency)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def books(base_url: str) -> dict[str, Any]:
    """Return the double's books and open new ones."""
    root = base_url.removesuffix("/v1")
    with urllib.request.urlopen(f"{root}/stats") as response:
        kept: dict[str, Any] = json.load(response)
    with urllib.request.urlopen(urllib.request.Request(f"{root}/reset", method="POST")):
        return kept


if __name__ == "__main__":
    asyncio.run(serve(Server(answer, latency=float(sys.argv[1]))))
