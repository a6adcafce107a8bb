"""Which sandbox this machine has: each level is tried by running code in it that does what must not work.

The verdict of a level holds for as long as the process lives, and what is found wanting is never used.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.errors import NodeError, SandboxError
from agentsym.runtime.loop import run_sync
from agentsym.runtime.sandbox import trespass
from agentsym.runtime.sandbox.levels import NOBODY, Level, levels
from agentsym.runtime.sandbox.process import ProcessSandbox
from agentsym.runtime.sandbox.protocol import Limits, Sandbox

_PATIENCE_S = 10.0
_LIMITS = Limits(cpu_s=_PATIENCE_S)
_PLACES = ("/var/tmp", "/dev/shm")  # not where a call's scratch folder hides what is there


class Verdict(NamedTuple):
    """Whether a level works here.

    Attributes:
        level: its name.
        works: whether learned code may run in it.
        reason: why it does not work; "" where it does.
        found: what it is made of here: the version of Landlock, the user, namespaces (`yes`, or why there are none).
    """

    level: str
    works: bool
    reason: str
    found: dict[str, Any]


@lru_cache(1)
def find_sandbox() -> Sandbox:
    """Return the strongest sandbox that works here, tried on the first call (a fifth of a second).

    Raises:
        SandboxError: there is none; names what is missing for each level.
    """
    reasons = []
    for level in levels():
        verdict = judge(level)
        if verdict.works:
            return ProcessSandbox(level)
        reasons.append(f"  - {level.name}: {verdict.reason}")
    raise SandboxError(
        "learned code runs in a sandbox only, and none works on this machine; learning prompts and structure does "
        "without. What is missing:\n" + "\n".join(reasons)
    )


@lru_cache
def judge(level: Level) -> Verdict:
    """Try one level; the verdict is kept."""
    try:
        found, succeeded = run_sync(_try(ProcessSandbox(level)))
    except (SandboxError, NodeError) as error:
        return Verdict(level.name, False, str(error), {})
    if succeeded:
        return Verdict(level.name, False, f"it lets code {', '.join(succeeded)}", found)
    return Verdict(level.name, True, "", found)


async def _try(sandbox: ProcessSandbox) -> tuple[dict[str, Any], list[str]]:
    source = Path(trespass.__file__).read_text("utf-8")
    with _bait() as (folder, port):
        arguments = {"folder": str(folder), "port": port, "parent": os.getpid()}
        result = await sandbox.call(source, "trespass", arguments, timeout_s=_PATIENCE_S, limits=_LIMITS)
        return await sandbox.found(), result


@contextmanager
def _bait() -> Iterator[tuple[Path, int]]:
    """Make what must not be reached: a port, and a folder with a file and a socket, which learned code's user owns."""
    place = next((place for place in _PLACES if os.access(place, os.W_OK)), None)
    with (
        tempfile.TemporaryDirectory(prefix="agentsym-", dir=place) as name,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        folder = Path(name)
        listener.bind(f"{folder}/socket")
        listener.listen()
        (folder / "file").touch()
        for path in (folder, folder / "file", folder / "socket"):
            path.chmod(0o777)
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        yield folder, server.getsockname()[1]
