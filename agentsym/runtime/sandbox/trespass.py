"""What must not work in the sandbox, tried: the first code that runs in it, as learned code would.

Its text is what is run, so it uses the standard library alone; it harms nothing where it succeeds.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path


def trespass(folder: str, port: int, parent: int) -> list[str]:
    """Return those attempts that succeeded.

    Args:
        folder: one that anyone may enter, with a file `file` that anyone may read and write, and a listening `socket`.
        port: a TCP port of this machine on which someone listens.
        parent: the process that runs the sandbox.
    """
    file = Path(folder, "file")
    attempts: dict[str, Callable[[], object]] = {
        "read a file": file.read_bytes,
        "write to a file": lambda: file.open("a").close(),
        "make a file": Path(folder, "made").touch,
        "change a file's mode": lambda: file.chmod(0o666),
        "list a folder": lambda: list(Path(folder).iterdir()),
        "look into a process": Path(f"/proc/{parent}/environ").read_bytes,
        "signal a process": lambda: os.kill(parent, 0),
        "connect to a port": lambda: socket.create_connection(("127.0.0.1", port), 1).close(),
        "connect to a socket": lambda: socket.socket(socket.AF_UNIX).connect(f"{folder}/socket"),
        "start a process": lambda: os.fork() or os._exit(0),
        "start a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    }
    return [name for name, attempt in attempts.items() if _works(attempt)]


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
