"""What one request to a served agent costs, by part, and what 10 million a day need because of it.

CPU: the agent called directly, a service that also records, and the whole server, in turns; the differences are what
recording and HTTP cost. Disk: what the traces grow by, with all kept of a request and with its row only, in a SQLite
file and on a PostgreSQL server that is made for it. Students are the embedded reader and a provider's double that takes
50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from evals.deployed import clients, direct
from evals.deployed.figures import cpu_s, load, median
from evals.deployed.needs import FULL, PEAK, Cost, Needs, needs
from evals.deployed.provider import STUDENT, provider
from evals.deployed.serving import Serving
from evals.deployed.workers import Worker
from tests.postgres import NoServer, running_server

STUDENTS = ("embedded", "provider")
_WARM = 300  # requests before anything is measured


class Parts(NamedTuple):
    """CPU milliseconds of a request, by part."""

    student: str
    agent: float
    recording: float
    http: float


class Kept(NamedTuple):
    """What a request costs where it is recorded: the server, the database and the disk."""

    store: str
    sampling: float
    server_ms: float
    database_ms: float
    disk_bytes: float


class Database(NamedTuple):
    """Where traces are recorded.

    Attributes:
        name: what it is called in the table.
        url: of the store; None for a file in the server's folder.
        cpu_s: the CPU seconds that it has used by itself.
        size: the bytes of a store's traces on disk, with their indexes.
    """

    name: str
    url: str | None
    cpu_s: Callable[[], float]
    size: Callable[[str], int]


def parts(student: str, rounds: int, seconds: float, concurrency: int) -> Parts:
    """Measure the three ways to ask, in turns, and return the medians of the first and of the differences."""
    with ExitStack() as stack:
        serving, environment = _served(stack, student)
        yardstick = stack.enter_context(Worker("evals.deployed.direct", environment))
        many = stack.enter_context(Worker("evals.deployed.clients", environment))
        numbers = iter(range(0, 10**9, 10**6))

        def directly(store: str | None, length: float) -> float:
            job = direct.Job(serving.student, next(numbers), length, concurrency, store)
            found = yardstick.do(job._asdict())
            return float(1000 * found["cpu_s"] / found["requests"])

        def served(length: float) -> float:
            before = cpu_s(serving.pid)
            job = clients.Job(serving.url, serving.token, next(numbers), seconds=length, clients=concurrency)
            found = many.do(job._asdict())
            return float(1000 * (cpu_s(serving.pid) - before) / found["requests"])

        rows = []
        for turn in range(rounds + 1):
            length = seconds if turn else 1.0  # the first one warms up
            rows.append((directly(None, length), directly(f"{serving.store}.2", length), served(length)))
        del rows[0]
    return Parts(
        student,
        agent=median([bare for bare, _, _ in rows]),
        recording=median([recorded - bare for bare, recorded, _ in rows]),
        http=median([whole - recorded for _, recorded, whole in rows]),
    )


def kept(database: Database, sampling: float, requests: int, concurrency: int) -> Kept:
    """Ask a server so many times, and return what a request has cost.

    Args:
        database: where it records.
        sampling: the share of the requests of which all is kept.
        requests: how many.
        concurrency: clients.
    """
    with ExitStack() as stack:
        policy = f"traces: {{sampling: {sampling}}}"
        serving, environment = _served(stack, "provider", policy=policy, store=database.url)
        many = stack.enter_context(Worker("evals.deployed.clients", environment))
        counts = []
        for first, count in ((0, _WARM), (_WARM, requests)):
            job = clients.Job(serving.url, serving.token, first, requests=count, clients=concurrency)
            many.do(job._asdict())
            counts.append((cpu_s(serving.pid), database.cpu_s(), database.size(serving.store)))
    (server, own, size), (server_after, own_after, size_after) = counts
    return Kept(
        database.name,
        sampling,
        1000 * (server_after - server) / requests,
        1000 * (own_after - own) / requests,
        (size_after - size) / requests,
    )


def _served(stack: ExitStack, student: str, **settings: Any) -> tuple[Serving, dict[str, str]]:
    """Start a server for one student, and return it with the variables that other processes need, too."""
    environment, model = dict(os.environ), student
    if student == "provider":
        url = stack.enter_context(provider())
        environment, model = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}, STUDENT
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="costs-")))
    serving = stack.enter_context(Serving(place, student=model, environment=environment, **settings))
    serving.start()
    return serving, environment


def _file() -> Database:
    def size(place: str) -> int:
        with closing(sqlite3.connect(place)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(place).stat().st_size

    return Database("SQLite", None, lambda: 0.0, size)


@contextmanager
def _postgres() -> Iterator[Callable[[], Database]]:
    """Run a PostgreSQL server, and yield what makes a new database on it."""
    with running_server() as server:
        postmaster = int((server.data / "postmaster.pid").read_text("ascii").split()[0])

        def new() -> Database:
            url = server.database()

            def size(_place: str) -> int:
                [(found,)] = server.sql("SELECT pg_total_relation_size('traces')", url)
                return int(found)

            return Database("PostgreSQL", url, lambda: cpu_s(postmaster), size)

        yield new


def _databases(requests: int, concurrency: int) -> Iterator[Kept]:
    """Yield what is kept costs, in all stores that there are here."""
    for sampling in (1.0, 0.0):
        yield kept(_file(), sampling, requests, concurrency)
    try:
        with _postgres() as new:
            for sampling in (1.0, 0.0):
                yield kept(new(), sampling, requests, concurrency)
    except NoServer:
        return


def _needs(found: list[Kept], requests_a_day: float, days: float) -> dict[float, Needs]:
    """Return sampling → what so many requests need on PostgreSQL, or with a file where there is none."""
    whole, row = found[-2:]
    return {
        sampling: needs(
            requests_a_day,
            Cost(whole.server_ms, whole.database_ms, whole.disk_bytes, row.disk_bytes),
            sampling=sampling,
            days=days,
        )
        for sampling in (1.0, 0.1)
    }


def _table(document: dict[str, Any]) -> str:
    lines = [f"{'CPU ms a request':18}{'agent':>8}{'recording':>11}{'HTTP':>8}{'all':>8}"]
    for part in document["parts"]:
        whole = part["agent"] + part["recording"] + part["http"]
        lines.append(
            f"{part['student']:18}{part['agent']:>8.2f}{part['recording']:>11.2f}{part['http']:>8.2f}{whole:>8.2f}"
        )
    lines.append(f"\n{'store':12}{'sampling':>9}{'server ms':>11}{'database ms':>13}{'bytes':>8}")
    for row in document["kept"]:
        lines.append(
            f"{row['store']:12}{row['sampling']:>9.1f}{row['server_ms']:>11.2f}{row['database_ms']:>13.2f}"
            f"{row['disk_bytes']:>8.0f}"
        )
    days = document["days"]
    lines.append(
        f"\n{document['requests_a_day']:,.0f} requests a day (peak {PEAK:g} × the mean, cores {FULL:.0%} full):"
    )
    for sampling, need in document["needs"].items():
        lines.append(
            f"  all kept of {float(sampling):.0%}: {need['mean']:.0f} a second, {need['peak']:.0f} at the peak; "
            f"{need['server_cores']:.1f} cores in {need['processes']} processes, {need['database_cores']:.2f} cores of "
            f"the database; {need['gib_a_day']:.1f} GiB a day, {need['gib']:.0f} GiB in {days:g} days"
        )
    return "\n".join([*lines, f"load average {document['load']}"])


def main() -> None:
    """Measure and print a table, or with --json one document."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.deployed.costs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of the three ways to ask (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each (default 4)")
    parser.add_argument("--requests", type=int, default=3000, help="for what is kept (default 3000)")
    parser.add_argument("--concurrency", type=int, default=32, help="clients (default 32)")
    parser.add_argument("--a-day", type=float, default=1e7, help="requests a day to work out (default 10 million)")
    parser.add_argument("--days", type=float, default=90.0, help="days that traces are kept (default 90)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    split = [parts(student, args.rounds, args.seconds, args.concurrency) for student in STUDENTS]
    found = list(_databases(args.requests, args.concurrency))
    document = {
        "parts": [part._asdict() for part in split],
        "kept": [row._asdict() for row in found],
        "requests_a_day": args.a_day,
        "days": args.days,
        "needs": {str(share): need._asdict() for share, need in _needs(found, args.a_day, args.days).items()},
        "load": load(),
    }
    print(json.dumps(document, indent=1) if args.json else _table(document))


if __name__ == "__main__":
    main()
