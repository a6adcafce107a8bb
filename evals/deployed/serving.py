"""A deployed agent as its operator has it: a folder with agent and store, and `agentsym serve` in its own process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from agentsym.network.network import Network
from agentsym.store.store import Store
from evals.deployed.world import agent

COMMAND = str(Path(sys.executable).parent / "agentsym")
_START_S = 60.0


class Serving:
    """A served agent; `with` stops the server at the end.

    Args:
        folder: where agent, store and what the server says are put.
        student: who runs the prompt nodes.
        environment: more variables for the processes.
        policy: the policy, as YAML.
        store: the URL or path of the store; a file in the folder by default.
        served: the agent; the small trade's by default.
    """

    def __init__(
        self,
        folder: Path,
        *,
        student: str = "embedded",
        environment: Mapping[str, str] | None = None,
        policy: str = "",
        store: str | None = None,
        served: Network | None = None,
    ) -> None:
        self.folder = folder
        self.student = student
        self.store = store or str(folder / "agentsym.db")
        network = served or agent()
        self.name = network.name
        network.save(folder / "agent")
        (folder / "policy.yaml").write_text(policy, "utf-8")
        self._environment = {**os.environ, "AGENTSYM_HOME": str(folder), **(environment or {})}
        with Store.open(self.store) as opened:
            self.token = opened.tokens.create("load", ("invoke", "feedback"), actor="evals").secret
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start the server and wait until it answers; return the seconds that it took.

        Raises:
            RuntimeError: it did not come; says what it said.
        """
        began = time.monotonic()
        said = (self.folder / "server.log").open("ab")
        command = [*self._words("serve"), "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._environment, stdout=said, stderr=said)
        said.close()
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() - began > _START_S:
                raise RuntimeError(f"the server did not come: {(self.folder / 'server.log').read_text('utf-8')}")
            time.sleep(0.02)
        return time.monotonic() - began

    def stop(self) -> int:
        """Ask the server to end, wait, and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait()

    def kill(self) -> None:
        """End the server at once, as the kernel does when memory is out."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def evolve(self, command: str, *words: str, nice: int = 0) -> subprocess.Popen[str]:
        """Start a command of `agentsym evolve` in a process of its own, as nice as is said; its answer is JSON."""
        whole = self._words("evolve", command) if command in ("once", "watch") else self._decision(command)
        return subprocess.Popen(
            ["nice", "-n", str(nice), *whole, *words, "--json"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def decide(self, command: str, *words: str) -> dict[str, Any]:
        """Run a command of `agentsym evolve` that a person would, and return its answer.

        Raises:
            RuntimeError: it failed; says how.
        """
        return dict(done(self.evolve(command, *words)))

    def _words(self, *command: str) -> list[str]:
        agent_, policy = str(self.folder / "agent"), str(self.folder / "policy.yaml")
        options = ["--student", self.student, "--store", self.store, "--policy", policy, "--name", self.name]
        return [COMMAND, *command, agent_, *options, *(["--keep"] if command == ("serve",) else [])]

    def _decision(self, command: str) -> list[str]:
        return [COMMAND, "evolve", command, "--name", self.name, "--store", self.store]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


def done(process: subprocess.Popen[str]) -> Any:
    """Wait for a command, and return the JSON that it printed.

    Raises:
        RuntimeError: it failed; says how.
    """
    out, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, process.args[3:6]))} failed: {said}")  # type: ignore[index]
    return json.loads(out)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
