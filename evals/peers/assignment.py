"""What a runner is asked for and what it hands back, the same for every library.

A runner is a process of its own: it gets an assignment as JSON on its command line and prints its findings as JSON. It
needs nothing but the standard library besides its own, so it can live in an environment of its own.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evals.peers.task import Task

TARGET = 0.9  # of validation
ROLLOUTS = 3_000  # at most
STEPS = 80  # at most
CONCURRENCY = 32
ROLES = ("student", "loss", "backward", "optimizer")
_COUNTED = ("calls", "tokens")


@dataclass(frozen=True)
class Assignment:
    """One run of one library.

    Attributes:
        url: base URL of the server, with `/v1`.
        task: the task.
        seed: the library's own seed.
        latency_ms: what the server sleeps in every request.
        options: what only this library's runner understands.
    """

    url: str
    task: Task
    seed: int
    latency_ms: float
    options: Mapping[str, Any]

    def to_json(self) -> str:
        """Return the assignment as the argument of a runner."""
        return json.dumps({**vars(self), "task": self.task.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        """Read what `to_json` gave."""
        data = json.loads(text)
        return cls(**{**data, "task": Task.from_json(data["task"])})


def call(url: str, path: str, body: Any = None) -> Any:
    """Ask the server for something besides an answer: `/stats`, or with a body `/config`.

    Raises:
        OSError: nobody answers at the address, or the server refuses.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.removesuffix("/v1") + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def configure(assignment: Assignment) -> None:
    """Set the server up for a run, with new books."""
    call(assignment.url, "/config", assignment.task.world(assignment.latency_ms).to_json())


def measured(
    assignment: Assignment, learn: Callable[[], tuple[float, str]], rescore: Callable[[], float]
) -> dict[str, Any]:
    """Run a library and return the findings as one flat row.

    Args:
        assignment: what is asked for.
        learn: learns until the target or a cap is reached; returns the validation score that the library reports, and
            why it stopped.
        rescore: runs the candidate that was returned on validation, past every cache; no answer is flipped then.
    """
    configure(assignment)
    imported = peak_mib()
    started = time.process_time()  # so much went into imports, and a little into the server's configuration
    val, stopped = learn()
    cpu, peak = time.process_time() - started, peak_mib()
    stats = call(assignment.url, "/stats")
    truth = replace(assignment.task.world(), flip_pct=0)
    call(assignment.url, "/config", truth.to_json())
    fresh = rescore()
    after = call(assignment.url, "/stats")
    roles = stats["roles"]
    task = assignment.task
    return {
        "mode": task.mode,
        "seed": assignment.seed,
        "kinds": task.kinds,
        "chain": task.chain,
        "bad_pct": task.bad_pct,
        "edits": task.edits,
        "latency_ms": assignment.latency_ms,
        "val": round(val, 4),
        "val_fresh": round(fresh, 4),
        "stopped": stopped,
        "calls": stats["requests"],
        "tokens": sum(role["tokens"] for role in roles.values()),
        **{f"{role}_{what}": roles[role][what] if role in roles else 0 for what in _COUNTED for role in ROLES},
        "billed_tokens": stats["prompt_tokens"] + stats["completion_tokens"],
        "repeats": stats["repeats"],
        "max_in_flight": stats["peak"],
        "errors": len(stats["errors"]) + len(after["errors"]),
        "wall_s": round(stats["seconds"], 3),
        "cpu_s": round(cpu, 3),
        "import_cpu_s": round(started, 3),
        "rss_mib": round(peak, 1),
        "import_rss_mib": round(imported, 1),
    }


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB.

    The kernel's figure for the program that runs now; `getrusage` would count the parent that it was forked from.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return float(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
