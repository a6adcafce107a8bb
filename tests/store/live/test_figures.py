"""Figures are those of the traces and their feedback, counted one by one."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agentsym.learning.gate import mean
from agentsym.store.live.traces import Feedback, Trace, Wanted
from agentsym.store.store import Store

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def trace(number: int, **other: object) -> Trace:
    plain = {
        "id": f"t{number}",
        "deployment": "d",
        "version": f"v{number // 40}",
        "thread": f"u{number % 7}",
        "at": (BEGAN + timedelta(minutes=number)).isoformat(timespec="microseconds"),
        "example_id": "e",
        "status": "error" if number % 9 == 0 else "ok",
    }
    return Trace.model_validate({**plain, **other})


def said(number: int, place: int, score: float | None, kind: str = "thumb") -> Feedback:
    about = {"id": f"f{number}-{place}", "trace_id": f"t{number}", "deployment": "d", "author": "a", "at": "now"}
    return Feedback.model_validate({**about, "kind": kind, "score": score})


@pytest.fixture
def scores(store: Store) -> dict[int, list[float]]:
    """Write 100 traces with feedback of others between them; returns trace → its scores."""
    draw = random.Random(0)
    found = {number: [draw.random() for _ in range(draw.choice((0, 0, 1, 2)))] for number in range(100)}
    store.traces.add([trace(number) for number in range(100)])
    store.traces.add([], [said(n, at, score) for n, given in found.items() for at, score in enumerate(given)])
    store.traces.add([], [said(0, 9, None, "label")])
    others = [trace(200, deployment="other"), trace(201, origin="imported")]
    store.traces.add(others, [said(201, 0, 0.5)])
    return found


def test_buckets_are_equal_and_their_scores_are_means_of_requests(store: Store, scores: dict[int, list[float]]) -> None:
    buckets = store.figures.over_time("d", most=60, buckets=6)
    assert [bucket.requests for bucket in buckets] == [10] * 6
    for at, bucket in enumerate(buckets):
        numbers = range(40 + 10 * at, 50 + 10 * at)
        given = [mean(scores[number]) for number in numbers if scores[number]]
        assert bucket.scored == len(given)
        assert bucket.score == (pytest.approx(mean(given)) if given else None)
        assert bucket.failed == sum(number % 9 == 0 for number in numbers)
        assert (bucket.since, bucket.until) == (trace(numbers[0]).at, trace(numbers[-1]).at)


def test_few_requests_make_few_buckets_and_none_make_none(store: Store) -> None:
    assert store.figures.over_time("d", most=10, buckets=5) == ()
    store.traces.add([trace(1), trace(2)])
    assert [bucket.requests for bucket in store.figures.over_time("d", most=10, buckets=5)] == [1, 1]
    assert all(bucket.score is None for bucket in store.figures.over_time("d", most=10, buckets=5))


def test_a_version_is_worth_the_mean_of_its_requests(store: Store, scores: dict[int, list[float]]) -> None:
    worth = store.figures.worth("d")
    for version in ("v0", "v1", "v2"):
        given = [mean(s) for number, s in scores.items() if s and f"v{number // 40}" == version]
        assert worth[version].scored == len(given) and worth[version].score == pytest.approx(mean(given))


def test_feedback_is_counted_by_kind(store: Store, scores: dict[int, list[float]]) -> None:
    thumbs = [score for given in scores.values() for score in given] + [0.5]
    label, thumb = store.figures.said("d")
    assert (label.kind, label.count, label.score) == ("label", 1, None)
    assert (thumb.kind, thumb.count) == ("thumb", len(thumbs)) and thumb.score == pytest.approx(mean(thumbs))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(status="error"),
        Wanted(thread="u3"),
        Wanted(version="v1", status="ok"),
        Wanted(judged=True),
        Wanted(judged=False, thread="u1"),
    ],
)
def test_pages_of_traces_are_the_whole_list_in_pieces(
    store: Store, scores: dict[int, list[float]], wanted: Wanted
) -> None:
    everything = store.traces.recent("d", most=1000)
    judged = store.traces.feedback_of(found.id for found in everything)
    fits = wanted.model_dump(exclude={"judged"}, exclude_none=True).items()
    expected = [
        found.seq
        for found in everything
        if all(getattr(found, name) == value for name, value in fits)
        and (wanted.judged is None or (found.id in judged) == wanted.judged)
    ]
    down: list[int] = []
    while page := store.traces.page("d", wanted, before=down[-1] if down else None, most=7):
        down += [found.seq for found in page]
    assert down == expected
    up: list[int] = []
    while page := store.traces.page("d", wanted, after=up[0] if up else 0, most=7):
        up = [found.seq for found in page] + up
    assert up == expected


def test_the_audit_log_tells_of_one_deployment_only(store: Store) -> None:
    for about in ("d", "d@abc", "other", "d2", "dd@d", "d_"):
        for event in ("promoted", "frozen"):
            store.audit.write("me", event, about)
    own = store.audit.entries(deployment="d")
    assert Counter(entry.object_id for entry in own) == {"d": 2, "d@abc": 2}
    assert [(e.event, e.object_id) for e in store.audit.entries(deployment="d", events=("promoted",))] == [
        ("promoted", "d@abc"),
        ("promoted", "d"),
    ]
