"""The shop as a server that a test can start, reach and count."""

import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsym import Tool, mcp_tools

SHOP = Path(__file__).parent / "shop.py"


class Shop:
    """Where the shop is, over stdio or HTTP, and what has happened in it."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        if port is None:
            self.server = f"stdio:{shlex.quote(sys.executable)} {shlex.quote(str(SHOP))}"
        else:
            self.server = f"http://127.0.0.1:{port}/mcp"

    def options(self, **more: Any) -> dict[str, Any]:
        """Return what `mcp_tools` must be told besides the address."""
        return more if self.port is not None else {"env": ["SHOP_FOLDER"], **more}

    def tools(self, **more: Any) -> dict[str, Tool]:
        return mcp_tools(self.server, **self.options(**more))

    def noted(self, name: str) -> int:
        file = self.folder / name
        return len(file.read_text().splitlines()) if file.is_file() else 0

    def open(self) -> None:
        """Start it, where a client does not do that."""
        if self.port is None:
            return
        self.process = subprocess.Popen([sys.executable, str(SHOP), str(self.port)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the shop does not open")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@pytest.fixture(params=["stdio", "http"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The shop over each way to reach it."""
    monkeypatch.setenv("SHOP_FOLDER", str(tmp_path))
    made = Shop(tmp_path, free_port() if request.param == "http" else None)
    made.open()
    yield made
    made.close()


@pytest.fixture
def stdio_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop as a command."""
    monkeypatch.setenv("SHOP_FOLDER", str(tmp_path))
    return Shop(tmp_path, None)


@pytest.fixture
def http_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The shop at a URL."""
    monkeypatch.setenv("SHOP_FOLDER", str(tmp_path))
    made = Shop(tmp_path, free_port())
    made.open()
    yield made
    made.close()
