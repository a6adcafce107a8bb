"""A deployed agent whose customers change: asked and judged over HTTP, learning from what people say.

Every request is labelled. After `drift_at` requests two in five speak of things that the agent has never heard of;
what was right stays right. `python -m evals.deployed.drift` does it with `agentsym serve` and `agentsym evolve watch`
in processes of their own; `--frozen` shows the same without learning.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, Protocol

import httpx

from agentsym.store.store import Store
from evals.deployed.serving import Serving
from evals.deployed.world import Asked, asked

POLICY = "learning: {cool_down: 0}\nrelease: {canary: 0}\n"
LOOKS = ((1, 100), (101, 200), (201, 300), (301, 500))


class Client(Protocol):
    """What sends requests: an `httpx.Client` whose base URL is the server's."""

    def post(self, url: str, *, json: Any, headers: dict[str, str]) -> Any:
        """Send one request."""
        ...


class Course(NamedTuple):
    """The score of every request in order, and the version that answered it."""

    scores: list[float]
    versions: list[str]
    drift_at: int

    def before(self) -> float:
        """Return the mean score before the drift."""
        return fmean(self.scores[: self.drift_at])

    def after(self, first: int, last: int) -> float:
        """Return the mean score of some requests after the drift, counted from 1."""
        return fmean(self.scores[self.drift_at + first - 1 : self.drift_at + last])


def drive(
    client: Client,
    headers: dict[str, str],
    *,
    seed: int,
    turn: Callable[[], None],
    requests: int = 1000,
    drift_at: int = 500,
    every: int = 20,
    label: Callable[[Asked], str] = lambda question: question.intent,
) -> Course:
    """Ask and judge, one request after the other, and let the wheel be turned every so many requests."""
    course = Course([], [], drift_at)
    for number, question in enumerate(asked(seed, requests, drift_at), start=1):
        answer = client.post("/invoke", json={"inputs": {"message": question.message}}, headers=headers)
        answer.raise_for_status()
        found = answer.json()
        course.scores.append(float(found["output"]["intent"] == question.intent))
        course.versions.append(found["version"])
        said = {"trace_id": found["trace_id"], "kind": "label", "label": {"intent": label(question)}}
        client.post("/feedback", json=said, headers=headers).raise_for_status()
        if number % every == 0:
            turn()
    return course


def measure(seed: int, *, learns: bool, pause: float) -> dict[str, Any]:
    """Serve, ask, judge, and let the agent learn meanwhile; return the means, and what was promoted.

    Args:
        seed: of the customers.
        learns: whether `agentsym evolve watch` runs.
        pause: seconds that customers leave between twenty requests.
    """
    with tempfile.TemporaryDirectory(prefix="drift-") as folder, Serving(Path(folder), policy=POLICY) as serving:
        serving.start()
        headers = {"authorization": f"Bearer {serving.token}"}
        watching = serving.evolve("watch", "--every", "0.5") if learns else None
        try:
            with httpx.Client(base_url=serving.url, timeout=60) as client:
                course = drive(client, headers, seed=seed, turn=lambda: time.sleep(pause))
        finally:
            if watching is not None:
                watching.terminate()
                watching.communicate()
        with Store.open(serving.store) as store:
            released = store.releases.releases(serving.name, "live", "superseded")
        gains = [each.details["shadow"]["gain"]["mean"] for each in released if "shadow" in each.details]
    return {
        "seed": seed,
        "before": course.before(),
        "after": {f"{first}-{last}": course.after(first, last) for first, last in LOOKS},
        "promoted": len(gains),
        "smallest_gain_on_replay": min(gains, default=None),
    }


def main() -> None:
    """Measure each seed and print the table, or with --json all rows."""
    parser = argparse.ArgumentParser(prog="python -m evals.deployed.drift", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--frozen", action="store_true", help="without learning")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between twenty requests")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(seed, learns=not args.frozen, pause=args.pause) for seed in args.seeds]
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    spans = [f"{first}-{last}" for first, last in LOOKS]
    print(f"{'seed':<6}{'before':>8}" + "".join(f"{span:>9}" for span in spans) + f"{'promoted':>10}{'least gain':>12}")
    for row in rows:
        gain = row["smallest_gain_on_replay"]
        means = "".join(f"{row['after'][span]:>9.3f}" for span in spans)
        tail = f"{row['promoted']:>10}{'-' if gain is None else f'{gain:+.3f}':>12}"
        print(f"{row['seed']:<6}{row['before']:>8.3f}{means}{tail}")


if __name__ == "__main__":
    main()
