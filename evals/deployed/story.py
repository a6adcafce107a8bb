"""Three promotions, a rollback and a restart of a server that 32 clients ask all the while.

Every request must be answered in the end, by the version that was live when it began, with the prompts of that version
from the first step to the last.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from agentsym.deploy.live import LOOK_S
from agentsym.store.live.traces import Trace
from agentsym.store.store import Store
from evals.deployed import clients
from evals.deployed.editions import edition, editions_of, held
from evals.deployed.figures import cpu_s, load
from evals.deployed.provider import STUDENT, provider
from evals.deployed.serving import Serving
from evals.deployed.workers import Worker

NAME = "counter"
GOAL_GAP_S = 5.0
_PROMOTIONS = 3
_SLACK_S = 1.0  # a busy machine looks at the store later than it means to
_PAGE = 500


class Change(NamedTuple):
    """A version that went live, and when."""

    version: str
    at: float


def story(pause: float, concurrency: int = 32, latency: float = 0.05, promotions: int = _PROMOTIONS) -> dict[str, Any]:
    """Live the story, with some seconds between its events, and return what the clients and the store say of it."""
    with provider(latency) as url, tempfile.TemporaryDirectory(prefix="story-") as place:
        environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}
        serving = Serving(Path(place), student=STUDENT, environment=environment, served=edition(0))
        with Worker("evals.deployed.clients", environment) as many, Store.open(serving.store) as store, serving:
            serving.start()
            numbers = {edition(0).version: 0}
            changes = [_change(store)]
            end, log = Path(place) / "enough", Path(place) / "log.jsonl"
            many.send(
                clients.Job(serving.url, serving.token, 0, until=str(end), clients=concurrency, log=str(log))._asdict()
            )
            time.sleep(pause)
            for number in range(1, promotions + 1):
                release = held(store, number)
                numbers[release.version] = number
                serving.decide("promote", release.version)
                changes.append(_change(store))
                time.sleep(pause)
                if number == max(1, promotions - 1):
                    code = serving.stop()
                    restart_s = serving.start()
                    restart_cpu_s = cpu_s(serving.pid)
                    time.sleep(pause)
            if promotions > 1:
                serving.decide("rollback")
                changes.append(_change(store))
                time.sleep(pause)
            end.touch()
            told = many.result()
            answers, cut = _read(log)
            traces = {trace.id: trace for trace in _traces(store)}
            return {
                "seconds": told["wall_s"],
                "answered": told["requests"],
                "versions": len(told["versions"]),
                "sent again": told["counts"],
                "longest_gap_s": told["longest_gap_s"],
                "exit_code": code,
                "restart_s": restart_s,
                "restart_cpu_s": restart_cpu_s,
                "under way at a change": _straddling(traces.values(), changes),
                "load": load(),
                "wrong": _wrong(answers, cut, traces, changes, numbers, code),
            }


def _change(store: Store) -> Change:
    found = store.releases.deployment(NAME)
    assert found is not None
    return Change(found.live, _seconds(found.changed))


def _wrong(
    answers: list[dict[str, Any]],
    cut: set[str],
    traces: dict[str, Trace],
    changes: list[Change],
    numbers: dict[str, int],
    code: int,
) -> dict[str, int]:
    """Count what must not be."""
    by_thread = {trace.thread for trace in traces.values()}
    asked = {answer["number"] for answer in answers}
    missing = set(range(max(asked) + 1)) - asked
    mixed = [trace for trace in traces.values() if editions_of(trace) != {numbers[trace.version]}]
    counts = {
        "numbers without an answer": len(missing),
        "answered and not recorded": sum(answer["trace_id"] not in traces for answer in answers),
        "accepted and cut off": len(cut & by_thread),
        "by a version that was not live": sum(not _was_live(answer, changes) for answer in answers),
        "answer and trace name two versions": sum(
            answer["version"] != traces[answer["trace_id"]].version
            for answer in answers
            if answer["trace_id"] in traces
        ),
        "prompts of another version": len(mixed),
        "exit code of the server": code,
    }
    return {what: number for what, number in counts.items() if number}


def _was_live(answer: dict[str, Any], changes: list[Change]) -> bool:
    """Whether the version of an answer was live at some moment between its beginning and its end."""
    for change, following in zip(changes, [*changes[1:], None], strict=True):
        ended = float("inf") if following is None else following.at + LOOK_S + _SLACK_S
        if answer["version"] == change.version and answer["ended"] >= change.at and answer["begun"] <= ended:
            return True
    return False


def _straddling(traces: Any, changes: list[Change]) -> int:
    """Count the runs that had begun before the first run of the next version and ended after it began."""
    all_, count = list(traces), 0
    for change, following in pairwise(changes):
        later = [_seconds(trace.at) for trace in all_ if trace.version == following.version]
        first = min((at for at in later if at >= following.at), default=float("inf"))
        mine = (trace for trace in all_ if trace.version == change.version)
        count += sum(_seconds(trace.at) <= first < _seconds(trace.at) + trace.seconds for trace in mine)
    return count


def _read(log: Path) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the answers that the clients got, and the threads of the requests that were cut off."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    answers = [line for line in lines if "version" in line]
    return answers, {clients.thread(line["number"], line["attempt"]) for line in lines if "cut_off" in line}


def _traces(store: Store) -> Iterator[Trace]:
    before: int | None = None
    while page := store.traces.recent(NAME, before=before, most=_PAGE):
        yield from page
        before = page[-1].seq


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
