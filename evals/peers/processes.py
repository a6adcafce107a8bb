"""Processes of their own for the server and for every run, so that no run profits from, or pays for, another one.

A run gets an empty home, empty caches and an environment without keys and proxies; its working folder is thrown away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evals.peers import environments
from evals.peers.assignment import CONCURRENCY, Assignment
from evals.peers.catalog import ENVIRONMENTS, Peer
from evals.startup import cpu_seconds

_ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 900
_IMPORTS = 3  # after one that writes the byte code
_SAID = 2_000  # characters of what a failed run said


class RunFailed(Exception):
    """A run came to no row; says which, and what it said last."""


@contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own, and yield its base URL."""
    with subprocess.Popen([sys.executable, "-m", "evals.peers.server"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait()  # after Ctrl-C `with` would not


def run(peer: Peer, job: str, assignment: Assignment) -> dict[str, Any]:
    """Run one contestant once, and return its row.

    Args:
        peer: the contestant; its environment must be built.
        job: `learn` or `forward`.
        assignment: what is asked for.

    Raises:
        RunFailed: it failed, or took too long.
    """
    command = [_python(peer), "-m", peer.module, job, assignment.to_json()]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=_LIMIT_S
            )
        except subprocess.TimeoutExpired as error:
            raise RunFailed(f"{peer.name} took more than {_LIMIT_S} s with seed {assignment.seed}") from error
        took = time.monotonic() - started
    if done.returncode:
        raise RunFailed(f"{peer.name} failed with seed {assignment.seed}:\n{done.stderr[-_SAID:].strip()}")
    row = json.loads(done.stdout.splitlines()[-1])
    return {"peer": peer.name, **row, "process_s": round(took, 2), **assignment.options}


def import_row(peer: Peer) -> dict[str, Any]:
    """Return what importing a contestant's library costs: CPU seconds of a fresh process, the least of three.

    Raises:
        RunFailed: it cannot be imported.
    """
    program = ENVIRONMENTS[peer.environment].start if peer.environment else "import agentsym"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            taken = [
                cpu_seconds(program, _python(peer), cwd=folder, env=_environment(folder)) for _ in range(1 + _IMPORTS)
            ]
        except subprocess.CalledProcessError as error:
            raise RunFailed(f"{peer.name} cannot be imported: {program}") from error
    return {"measure": "import", "peer": peer.name, "cpu_s": round(min(taken[1:]), 3)}


def fault(row: Mapping[str, Any]) -> str:
    """Return why a row is not valid; "" for one that is."""
    if row.get("errors"):
        return f"the server could not answer {row['errors']} of the requests"
    if row.get("max_in_flight", 0) > CONCURRENCY:
        return f"{row['max_in_flight']} requests were in flight at once, and {CONCURRENCY} are allowed"
    return ""


def is_built(peer: Peer) -> bool:
    """Say whether a contestant can be run here."""
    return not peer.environment or environments.built(ENVIRONMENTS[peer.environment]) is not None


def _python(peer: Peer) -> str:
    return str(environments.python(ENVIRONMENTS[peer.environment])) if peer.environment else sys.executable


def _environment(folder: str) -> dict[str, str]:
    """Return the variables of a run; the last three are for libraries that would ask the network or write elsewhere."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(_ROOT),
        "HOME": folder,
        "TMPDIR": folder,
        "XDG_CACHE_HOME": f"{folder}/cache",
        "XDG_DATA_HOME": f"{folder}/data",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DSPY_CACHEDIR": f"{folder}/dspy",
        "TEXTGRAD_LOG_DIR": f"{folder}/logs",
    }
