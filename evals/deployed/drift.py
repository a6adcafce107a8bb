"""A deployed agent whose customers change: asked and judged over HTTP, learning from what people say.

Every request is labelled. After `drift_at` requests two in five speak of things that the agent has never heard of;
what was right stays right.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any, NamedTuple, Protocol

from evals.deployed.world import Asked, asked


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
