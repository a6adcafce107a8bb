"""The world outside of the sandbox: things that anyone may use, so that only the sandbox can keep code from them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRET = "this-stays-outside"
NOBODY = 65534


class World:
    """What learned code must neither see nor touch, and whether it did."""

    def __init__(self, folder: Path, victim: int, **sockets: socket.socket) -> None:
        self.folder, self.file, self.victim, self.sockets = folder, folder / "file", victim, sockets
        self.before: dict[str, Any] = {}

    @property
    def names(self) -> dict[str, Any]:
        """What an attack is told."""
        return {
            "folder": str(self.folder),
            "file": str(self.file),
            "checkout": __file__,
            "python": os.path.realpath(sys.executable),
            "parent": os.getpid(),
            "victim": self.victim,
            "port": self.sockets["tcp"].getsockname()[1],
            "datagram_port": self.sockets["udp"].getsockname()[1],
            "socket": str(self.folder / "socket"),
            "abstract": "\0" + self.folder.name,
        }

    def look(self) -> dict[str, Any]:
        """Return all that could be harmed, as it is now."""
        status = Path(f"/proc/{self.victim}/stat").read_text().rpartition(")")[2].split()
        return {
            "files": {
                file.name: (*_facts(file), file.read_text() if file.is_file() else "")
                for file in (*self.folder.iterdir(), self.folder)
            },
            "shared": sorted(
                str(file)
                for place in ("/tmp", "/var/tmp", "/dev/shm", "/sys/fs/cgroup")
                for file in Path(place).glob("agentsym-attack*")
            ),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "memory": Path("/proc/sysvipc/shm").read_text() if Path("/proc/sysvipc/shm").exists() else "",
            "victim": (status[0] in "RS", status[16], Path(f"/proc/{self.victim}/limits").read_text()),
            "victim's processors": os.sched_getaffinity(self.victim),
            "processes": len(_processes()),
            "library": sorted(file.name for file in Path(sys.base_prefix).glob("lib/python*/harm*")),
            "connections": sum(_came(listening) for listening in self.sockets.values()),
        }

    def harm(self) -> list[str]:
        """Return what is not as it was."""
        now = self.look()
        return [f"{name}: {self.before[name]} became {now[name]}" for name in now if now[name] != self.before[name]]


@contextmanager
def a_world() -> Iterator[World]:
    """Make a world: a folder and a file for everyone, servers, a process of the user that learned code runs as."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    victim = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **user)  # type: ignore[call-overload]
    place = "/var/tmp"  # not where a call's scratch folder would hide it
    with tempfile.TemporaryDirectory(prefix="agentsym-world-", dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "file").write_text(SECRET)
        tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        unix.bind(f"{name}/socket")
        abstract.bind("\0" + folder.name)
        for listening in (unix, abstract):
            listening.listen()
        for path, mode in ((folder, 0o777), (folder / "file", 0o666), (folder / "socket", 0o777)):
            path.chmod(mode)
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        sockets = {"tcp": tcp, "udp": udp, "unix": unix, "abstract": abstract}
        for listening in sockets.values():
            listening.setblocking(False)
        try:
            yield World(folder, victim.pid, **sockets)
        finally:
            victim.kill()
            victim.wait()
            for listening in sockets.values():
                listening.close()


def _facts(file: Path) -> tuple[Any, ...]:
    found = file.lstat()
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, found.st_nlink)


def _came(listening: socket.socket) -> int:
    """Whether somebody connected, or sent something."""
    try:
        if listening.type == socket.SOCK_DGRAM:
            listening.recv(1)
        else:
            listening.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


def _processes() -> list[int]:
    """All processes below this one, and those of sandboxes that lost their parent."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    return [pid for pid in parents if _is_ours(pid, parents)]


def _is_ours(pid: int, parents: dict[int, int]) -> bool:
    start = pid
    while pid in parents and pid != os.getpid():
        pid = parents[pid]
    if pid == os.getpid():
        return start != pid
    try:
        return parents[start] == 1 and b"inside.template" in Path(f"/proc/{start}/cmdline").read_bytes()
    except OSError:
        return False
