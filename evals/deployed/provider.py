"""A provider's double for served agents, a process of its own: it takes 50 ms and next to no CPU for an answer.

It answers as the example says that shares most words with the message, from the prompt that it is sent; so it gets
better as the examples do, and the machine's two cores are left to the server that is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from evals.openai_server import Server
from evals.openai_server.__main__ import serve

STUDENT = "openai/student"
_WORD = re.compile(r"[a-z]+")
_EXAMPLE = re.compile(r"message: (.*)\n(?:.*\n)?=>\n(\w+): (\w+)")


def answer(body: Mapping[str, Any]) -> str:
    """Answer a chat request."""
    shown, asked = body["messages"][0]["content"], body["messages"][-1]["content"]
    words = _words(asked)
    _, field, value = max(_examples(shown), key=lambda example: len(example[0] & words))
    return json.dumps({field: value})


@lru_cache(maxsize=8)
def _examples(prompt: str) -> list[tuple[frozenset[str], str, str]]:
    return [(_words(text), field, value) for text, field, value in _EXAMPLE.findall(prompt)]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


@contextmanager
def provider(latency: float = 0.05) -> Iterator[str]:
    """Run the double in another process and yield its base URL.

    Args:
        latency: seconds slept in every request.
    """
    command = [sys.executable, "-m", "evals.deployed.provider", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(serve(Server(answer, latency=float(sys.argv[1]))))
