"""How fast a served agent answers beside the bare agent: the two in turns, alone and while a candidate is learned.

Rounds alternate, so that a busy machine harms all alike; what counts are ratios of neighbouring rounds.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from evals.deployed import clients, direct
from evals.deployed.figures import cpu_s, load, median
from evals.deployed.provider import STUDENT, provider
from evals.deployed.serving import Serving, done
from evals.deployed.workers import Worker

POLICY = """
learning: {cool_down: 0, min_failures: 3}
release: {approval: always, canary: 0}
"""
GOAL_ALONE, GOAL_LEARNING, GOAL_CPU_MS, GOAL_TAIL = 0.5, 0.25, 2.0, 5.0
_JUDGED = 200  # answers that get a label before a round of learning
_NEW_SHARE = 0.4
_ENDS = ("held", "waits", "nothing", "rejected", "frozen")


class Settings(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: of direct and server, in turns.
        seconds: each.
        learning: rounds with a learning process beside.
        concurrency: clients.
        latency: seconds that the provider's double takes.
        nice: how far the learning process stands back for all others (`nice`).
    """

    rounds: int = 5
    seconds: float = 5.0
    learning: int = 2
    concurrency: int = 32
    latency: float = 0.05
    nice: int = 0


class _Numbers:
    """Hands out the numbers of messages, so that none is asked twice."""

    def __init__(self) -> None:
        self._next = 0

    def lot(self, size: int = 1_000_000) -> int:
        first, self._next = self._next, self._next + size
        return first


def measured(student: str, settings: Settings) -> dict[str, Any]:
    """Measure with one student: `embedded`, or `provider` for the double with latency."""
    with ExitStack() as stack:
        environment = dict(os.environ)
        if student == "provider":
            url = stack.enter_context(provider(settings.latency))
            environment |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}
        model = STUDENT if student == "provider" else student
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="load-"))
        serving = Serving(Path(place), student=model, environment=environment, policy=POLICY)
        bare = stack.enter_context(Worker("evals.deployed.direct", environment))
        many = stack.enter_context(Worker("evals.deployed.clients", environment))
        serving.start()
        stack.enter_context(serving)
        bench = _Bench(serving, bare, many, model, settings)
        bench.warm()
        rounds = [bench.round(turn) for turn in range(settings.rounds)]
        learned = [bench.learning_round() for _ in range(settings.learning)]
        return {"student": student, **_figures(rounds, learned)}


class _Bench:
    """The processes of one measurement."""

    def __init__(self, serving: Serving, bare: Worker, many: Worker, model: str, settings: Settings) -> None:
        self._serving = serving
        self._bare = bare
        self._many = many
        self._model = model
        self._settings = settings
        self._numbers = _Numbers()

    def warm(self) -> None:
        self._direct(1.0)
        self._server(seconds=1.0)

    def round(self, turn: int) -> dict[str, dict[str, float]]:
        """Measure both for some seconds, in turns of who is first."""
        seconds = self._settings.seconds
        if turn % 2:
            alone = self._server(seconds=seconds)
            return {"direct": self._direct(seconds), "server": alone}
        bare = self._direct(seconds)
        return {"direct": bare, "server": self._server(seconds=seconds)}

    def learning_round(self) -> dict[str, Any]:
        """Measure the server from the beginning to the end of learning and comparing a candidate."""
        judged = self._server(requests=_JUDGED, feedback=1, new_share=_NEW_SHARE)
        bare = self._direct(self._settings.seconds)
        before = cpu_s(self._serving.pid)
        with self._asked_until_told() as job:
            began = time.monotonic()
            turns = self._evolve()
            took = time.monotonic() - began
        found = _row(job, cpu_s(self._serving.pid) - before)
        last = turns[-1]
        if last["what"] == "held":
            self._serving.decide("reject", last["version"])
        return {"direct": bare, "server": found, "learning_s": took, "turns": turns, "judged": judged["requests"]}

    def _evolve(self) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = []
        while not turns or turns[-1]["what"] not in _ENDS:
            turns += done(self._serving.evolve("once", nice=self._settings.nice))
        return turns

    @contextmanager
    def _asked_until_told(self) -> Iterator[dict[str, Any]]:
        """Let the clients ask as long as the block lasts; what they found is in the dictionary afterwards."""
        end = self._serving.folder / "enough"
        found: dict[str, Any] = {}
        self._many.send(self._job(until=str(end)))
        try:
            yield found
        finally:
            end.touch()
            found.update(self._many.result())
            end.unlink()

    def _direct(self, seconds: float) -> dict[str, float]:
        job = direct.Job(self._model, self._numbers.lot(), seconds, self._settings.concurrency)
        found = self._bare.do(job._asdict())
        return {
            "rate": found["requests"] / found["wall_s"],
            "cpu_ms": 1000 * found["cpu_s"] / found["requests"],
            "load": load(),
        }

    def _server(self, **ends: Any) -> dict[str, Any]:
        before = cpu_s(self._serving.pid)
        found = self._many.do(self._job(**ends))
        return _row(found, cpu_s(self._serving.pid) - before)

    def _job(self, **ends: Any) -> dict[str, Any]:
        job = clients.Job(
            self._serving.url, self._serving.token, self._numbers.lot(), clients=self._settings.concurrency, **ends
        )
        return job._asdict()


def _row(found: dict[str, Any], cpu: float) -> dict[str, Any]:
    wrong = {what: times for what, times in found["counts"].items() if what != "feedback"}
    return {
        "requests": found["requests"],
        "rate": found["requests"] / found["wall_s"],
        "cpu_ms": 1000 * cpu / found["requests"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "wrong": wrong,
        "load": load(),
    }


def _figures(rounds: list[dict[str, Any]], learned: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians over rounds, and of the ratios within them."""

    def over(found: list[dict[str, Any]], who: str, what: str) -> float:
        return median([each[who][what] for each in found])

    def ratio(found: list[dict[str, Any]]) -> float:
        return median([each["server"]["rate"] / each["direct"]["rate"] for each in found])

    return {
        "rounds": len(rounds),
        "direct_rate": over(rounds, "direct", "rate"),
        "direct_cpu_ms": over(rounds, "direct", "cpu_ms"),
        "server_rate": over(rounds, "server", "rate"),
        "server_cpu_ms": over(rounds, "server", "cpu_ms"),
        "cpu_ms_over_direct": median([each["server"]["cpu_ms"] - each["direct"]["cpu_ms"] for each in rounds]),
        "ratio": ratio(rounds),
        "p50_ms": over(rounds, "server", "p50_ms"),
        "p99_ms": over(rounds, "server", "p99_ms"),
        "tail": median([each["server"]["p99_ms"] / each["server"]["p50_ms"] for each in rounds]),
        "learning_rounds": len(learned),
        "learning_rate": over(learned, "server", "rate"),
        "learning_ratio": ratio(learned),
        "learning_p99_ms": over(learned, "server", "p99_ms"),
        "learning_s": median([each["learning_s"] for each in learned]),
        "turns": [[turn["what"] for turn in each["turns"]] for each in learned],
        "wrong": [each["server"]["wrong"] for each in (*rounds, *learned) if each["server"]["wrong"]],
        "load": [each["server"]["load"] for each in (*rounds, *learned)],
        "each": {"rounds": rounds, "learning": learned},
    }
