"""The chart shows every score at its place, and changes of the live version where they fell."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from agentsym.deploy.dashboard.chart import chart, figures, marks
from agentsym.store.live.audit import Entry
from agentsym.store.live.figures import Bucket

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def at(minutes: float) -> str:
    return (BEGAN + timedelta(minutes=minutes)).isoformat(timespec="microseconds")


def buckets(*scores: float | None) -> list[Bucket]:
    """Return a bucket for each score, an hour long."""
    return [
        Bucket(since=at(60 * n), until=at(60 * n + 59), requests=10, failed=1, scored=0 if s is None else 4, score=s)
        for n, s in enumerate(scores)
    ]


def entry(minutes: float, event: str = "promoted") -> Entry:
    return Entry(seq=1, at=at(minutes), actor="a", event=event, object_id="d@v", details="{}", prev_hash="", hash="")


def drawn(*scores: float | None, entries: tuple[Entry, ...] = ()) -> str:
    shown = buckets(*scores)
    found = chart(shown, marks(shown, entries))
    assert found is not None
    return found


def places(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<path d="M([^"]*)" class="best"', svg)
    return [[(float(x), float(y)) for x, y in (pair.split() for pair in line.split("L"))] for line in lines]


def test_a_better_score_is_higher_and_a_later_one_further_right() -> None:
    ((first, second, third),) = places(drawn(0.2, 0.8, 0.5))
    assert first[0] < second[0] < third[0] and second[1] < third[1] < first[1], "y counts from the top"
    assert third[1] == pytest.approx((first[1] + second[1]) / 2, abs=0.1)


def test_where_nothing_has_a_score_there_is_a_gap() -> None:
    svg = drawn(0.2, 0.4, None, 0.6)
    assert [len(line) for line in places(svg)] == [2, 1] and svg.count("<circle") == 3


def test_without_any_score_there_is_no_chart() -> None:
    assert chart(buckets(None, None), []) is None and chart([], []) is None


def test_changes_stand_where_they_fell_the_oldest_first() -> None:
    shown = buckets(0.2, 0.4, 0.6)
    found = marks(shown, [entry(500), entry(90, "rolled_back"), entry(59.5), entry(-5)])
    assert [mark.number for mark in found] == [1, 2, 3], "what came before the first request is left out"
    assert [mark.place for mark in found] == [1.0, pytest.approx(1 + 30 / 59), 3.0]
    svg = drawn(0.2, 0.4, entries=(entry(90, "rolled_back"), entry(30)))
    assert svg.count('class="change promoted"') == svg.count('class="change turned"') == 2
    assert marks([], [entry(1)]) == []


def test_it_is_described_in_words_and_as_a_table() -> None:
    svg = drawn(0.25, None, 0.75, entries=(entry(70),))
    assert "<title" in svg and "from 0.250 to 0.750, lowest 0.250, highest 0.750. 1 change of the live" in svg
    assert "The mean score of 8 requests" in svg
    rows = re.findall(r"<tr>(?:(?!</tr>).)*</tr>", figures(buckets(0.25, None)))
    assert len(rows) == 3 and "–" in rows[1] and "0.250" in rows[2], "the newest first"
