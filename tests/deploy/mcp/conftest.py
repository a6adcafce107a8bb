"""`agentsym mcp` as its users start it: a process of its own, over stdio or HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

SERVED = Path(__file__).parent / "served.py"
ALL = ("words", "naps", "failing", "writing", "sorting")
COMMAND = (sys.executable, "-c", "from agentsym.cli import app; app()", "mcp")


def served(*names: str) -> list[str]:
    """Return the AGENT arguments for agents of `served.py`."""
    return [f"{SERVED}:{name}" for name in names]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "SERVED_FOLDER": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def stdio(tmp_path: Path) -> StdioServerParameters:
    """All agents of `served.py`, and the shipped tool, over stdio."""
    command, *words = (*COMMAND, *served(*ALL), "--tools", "deadline")
    return StdioServerParameters(command=command, args=words, env=environment(tmp_path))


class Served(str):
    """The URL of a server, with its process."""

    process: subprocess.Popen[str]


@contextmanager
def serving(folder: Path, arguments: Sequence[str], **variables: str) -> Iterator[Served]:
    """Serve over HTTP at a free port of this machine."""
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--http", "127.0.0.1:0"],
        env={**environment(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = Served(_url(process.stderr))
        url.process = process
        yield url
    finally:
        process.kill()
        process.communicate()


def _url(errors: IO[str] | None) -> str:
    assert errors is not None
    said = []
    for line in errors:
        said.append(line)
        if found := re.search(r"http://\S+/mcp", line):
            return found[0]
    raise AssertionError("".join(said))


def with_token(url: str, client: httpx2.AsyncClient) -> Client:
    return Client(streamable_http_client(url, http_client=client))
