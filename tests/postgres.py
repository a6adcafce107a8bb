"""A real PostgreSQL server for the tests of one process: made in a temporary folder, gone with the tests.

It listens on a socket in its folder only. PostgreSQL refuses to run as root, so then it runs as the user `postgres`. It
ends with the process of the tests, also when that is killed.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

OPTIONS = {
    "listen_addresses": "''",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
}
ENDING = """
import os, shutil, signal, sys
from pathlib import Path
folder = Path(sys.argv[1])
sys.stdin.readline()
try:
    os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
except (OSError, ValueError):
    pass  # it never started, or has ended
shutil.rmtree(folder, ignore_errors=True)
"""
"""A program that waits for a line or the end of whoever started it, and leaves nothing of the server."""
ROOM = 300
"""Seconds that a command of the server may take; the machine may be busy."""


class NoServer(Exception):
    """There is no PostgreSQL here that can be started; the text says why."""


def programs() -> Path:
    """Return the folder with `initdb` and `pg_ctl`: the one on PATH, else Debian's newest."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise NoServer("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    return versions[-1].parent


class PostgresServer:
    """A running server; `database()` makes an empty database on it and returns its URL."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._programs = programs
        self._user = _who(folder)
        self._numbers = count(1)

    def start(self) -> None:
        self._run("initdb", "-D", self.data, "-U", "agentsym", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
        access = self.data / "pg_hba.conf"  # all are trusted but one role, so that passwords can be tried
        access.write_text(f"local all guarded scram-sha-256\n{access.read_text()}")
        options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        self._run(
            "pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", f"{options} -k {self.folder}", "start"
        )

    def database(self, options: str = "") -> str:
        """Make an empty database, with the options of `CREATE DATABASE`, and return its URL."""
        name = f"test{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def url(self, database: str, user: str = "agentsym") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as another program would, and return its rows; `database` is a name or a URL."""
        import psycopg

        url = database if "://" in database else self.url(database)
        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        output = self.folder / f"{program}.out"  # a file: the server that pg_ctl starts would hold a pipe open
        with output.open("w+") as file:
            done = subprocess.run(
                command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, timeout=ROOM, cwd="/", **self._user
            )
        assert done.returncode == 0, f"{' '.join(command)}\n{output.read_text()}"


def _who(folder: Path) -> dict[str, Any]:
    """Return whom the server runs as, for `subprocess`; the folder is given to that user."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise NoServer("PostgreSQL does not run as root, and there is no user `postgres`") from None
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server and stop it; NoServer where there is none."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket's path has at most 107 bytes
    command = [sys.executable, "-c", ENDING, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as ending:
        try:
            server = PostgresServer(folder, programs())
            server.start()
            yield server
        finally:
            ending.communicate(b"\n", timeout=ROOM)
