"""Kill runs with SIGKILL at random places of their journal, resume them, and compare with a run that nobody killed.

Each run is a process of its own that learns the toy task of `evals.peers` against a server with books of its own. Of a
killed and resumed run the server must have seen no more requests than of the whole run and those that were under way at
the kill; the journals must be equal, the account must cover the server's books, and no cap may be exceeded.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentsym.learning import Trainer
from agentsym.learning.answers import spent
from agentsym.models.cache import ResponseCache
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from evals.peers.agents import agent
from evals.peers.assignment import STEPS, TARGET, Assignment, call, configure
from evals.peers.ours import model, rows
from evals.peers.processes import server
from evals.peers.task import Task

LATENCY_MS = 10.0
MODES = ("cache", "no cache", "capped")
"""With the response cache, without it, and without it under a cap of half the calls that the whole run needs."""
_DEADLINE = 60.0  # seconds that a run may take to come to its place


@dataclass(frozen=True)
class Part:
    """What one process is to do: begin a run in a folder, or go on with one.

    Attributes:
        url: base URL of the server, with `/v1`.
        folder: where store and cache lie.
        seed: the run's seed.
        optimizer: one of the trainer's.
        concurrency: examples and calls in flight.
        cache: whether answers are cached.
        max_calls: the cap, None for none.
        resume: the run to go on with.
    """

    url: str
    folder: str
    seed: int
    optimizer: str
    concurrency: int
    cache: bool
    max_calls: int | None = None
    resume: str | None = None

    @property
    def store(self) -> Path:
        """The file of the store."""
        return Path(self.folder) / "store.db"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        return subprocess.Popen([sys.executable, "-m", "evals.resume", "--part", json.dumps(asdict(self))])

    def done(self) -> None:
        """Run the process to its end.

        Raises:
            SystemExit: it failed; what it said went to stderr.
        """
        if self.start().wait():
            sys.exit("error: a run failed; what it said stands above")

    def learn(self) -> None:
        """Do the part, in this process."""
        task = Task()
        with Store.open(self.store) as store:
            trainer = Trainer(
                agent(task),
                rows(task.tickets("train")),
                val=rows(task.tickets("val")),
                metric=lambda row, output: task.judge(output["label"], row["label"]),
                student=model(self.url, "student"),
                teacher=model(self.url, "teacher"),
                optimizer=self.optimizer,
                concurrency=self.concurrency,
                max_calls=self.max_calls,
                cache=False,
                store=store,
                steps=STEPS,
                patience=None,
                target=TARGET,
                seed=self.seed,
                comments="metric",
            )
            if not self.cache:
                trainer.fit(self.resume)
                return
            with ResponseCache(Path(self.folder) / "cache.db") as trainer.parts.door.cache:  # not the user's
                trainer.fit(self.resume)


@dataclass(frozen=True)
class Found:
    """What a run has come to, by its store and by the server's books."""

    status: str
    best: str | None
    events: int
    journal: str
    told: int
    requests: int
    errors: int


def found(part: Part) -> Found:
    """Look at a run that has ended."""
    with Store.open(part.store) as store:
        run = store.run()
        events = list(store.events(run.id))
        journal = "\n".join(json.dumps(line, ensure_ascii=False) for line in comparable(events))
        told = spent(store, run.id).total().calls
    stats = call(part.url, "/stats")
    return Found(run.status, run.best_version, len(events), journal, told, stats["requests"], len(stats["errors"]))


def whole(part: Part) -> Found:
    """Run without a kill, with new books."""
    configure(Assignment(part.url, Task(), part.seed, LATENCY_MS, {}))
    part.done()
    return found(part)


def killed(part: Part, event: int, pause: float) -> tuple[str, int, int, int]:
    """Start a run with new books and kill it some time after an event of its journal.

    Returns:
        The run's id, its last event, how many requests the server has seen whose answer had not arrived, and how many
        the run had written down as under way (some of which it may not have come to send).
    """
    configure(Assignment(part.url, Task(), part.seed, LATENCY_MS, {}))
    process = part.start()
    deadline = time.monotonic() + _DEADLINE
    while not part.store.is_file() and time.monotonic() < deadline:
        time.sleep(0.002)
    with Store.open(part.store) as store:
        while _last(store) < event and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(pause)
        process.kill()
        process.wait()
        run = store.run().id
        written = sum(call.seq is None for call in store.answers.calls(run))
        arrived = spent(store, run).total().calls - written
        return run, _last(store), _settled_requests(part.url) - arrived, written


def _last(store: Store) -> int:
    return max((last.seq for run in store.runs() if (last := store.last_event(run.id)) is not None), default=0)


def _settled_requests(url: str) -> int:
    """Return the requests that the server has seen, once no more come out of its sockets."""
    before = -1
    while (now := int(call(url, "/stats")["requests"])) != before:
        before = now
        time.sleep(5 * LATENCY_MS / 1000)
    return now


def experiment(part: Part, kills: int) -> Iterator[dict[str, Any]]:
    """Kill and resume in every mode, and yield one row a kill."""
    for mode in MODES:
        chance = random.Random(f"resume {part.seed} {mode}")
        with tempfile.TemporaryDirectory() as place:
            base = replace(part, cache=mode == "cache")
            expected = whole(replace(base, folder=_folder(place, "whole")))
            cap = expected.requests // 2 if mode == "capped" else None
            for number in range(kills):
                own = replace(base, folder=_folder(place, str(number)), max_calls=cap)
                event = chance.randrange(1, expected.events // 2 if cap else expected.events - 1)
                run, last, under_way, written = killed(own, event, chance.uniform(0.0, 6 * LATENCY_MS / 1000))
                replace(own, resume=run).done()
                yield {"mode": mode, "event": last, **_compared(expected, found(own), under_way, written, cap)}


def _folder(place: str, name: str) -> str:
    folder = Path(place) / name
    folder.mkdir()
    return str(folder)


def _compared(expected: Found, resumed: Found, under_way: int, written: int, cap: int | None) -> dict[str, Any]:
    """Judge a resumed run by the whole one, a capped run by its cap."""
    most = expected.requests + under_way if cap is None else cap
    checks = {
        "requests": resumed.requests <= most,
        "account": resumed.requests <= resumed.told <= resumed.requests + written - under_way,
        "version": cap is not None or resumed.best == expected.best,
        "journal": cap is not None or resumed.journal == expected.journal,
        "server": resumed.errors == 0,
    }
    return {
        "whole": expected.requests,
        "cap": cap,
        "under_way": under_way,
        "requests": resumed.requests,
        "told": resumed.told,
        "status": resumed.status,
        "wrong": [name for name, holds in checks.items() if not holds],
    }


def main() -> None:
    """Run the kills and print a table, or with --json the rows; exit code 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.resume", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=10, help="kills in each mode (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the runs and of the places (default 0)")
    parser.add_argument("--optimizer", default="symbolic", help="one of the trainer's (default symbolic)")
    parser.add_argument("--concurrency", type=int, default=8, help="calls in flight (default 8)")
    parser.add_argument("--json", action="store_true", help="flat rows as JSON instead of a table")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return Part(**json.loads(options.part)).learn()
    with server() as url:
        part = Part(url, "", options.seed, options.optimizer, options.concurrency, cache=True)
        found = list(experiment(part, options.kills))
    print(json.dumps(found, indent=1) if options.json else _table(found))
    if any(row["wrong"] for row in found):
        sys.exit("error: a resumed run is not what the whole one is")


def _table(found: list[dict[str, Any]]) -> str:
    lines = [f"{'mode':10}{'killed after event':>20}{'under way':>11}{'requests':>10}{'whole':>7}{'cap':>6}{'told':>6}"]
    lines += [
        f"{row['mode']:10}{row['event']:>20}{row['under_way']:>11}{row['requests']:>10}{row['whole']:>7}"
        f"{row['cap'] or '–':>6}{row['told']:>6}  {row['status']}  {', '.join(row['wrong'])}"
        for row in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
