"""A due time follows from the urgency and the time of arrival alone, over nights and weekends."""

import importlib.util
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def load() -> Callable[[str, str], str]:
    path = Path(__file__).parents[2] / "tools" / "deadline.py"
    spec = importlib.util.spec_from_file_location("deadline", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.deadline


deadline = load()


# 2026-03-02 is a Monday.
@pytest.mark.parametrize(
    ("urgency", "arrived", "due"),
    [
        ("now", "2026-03-02T09:30", "2026-03-02T10:30"),
        ("now", "2026-03-06T19:45", "2026-03-06T20:45"),  # Friday evening
        ("now", "2026-03-07T23:30", "2026-03-08T00:30"),  # over midnight, at the weekend
        ("now", "2026-12-31T23:59", "2027-01-01T00:59"),
        ("today", "2026-03-02T00:00", "2026-03-02T18:00"),  # midnight opens the day
        ("today", "2026-03-02T09:30", "2026-03-02T18:00"),
        ("today", "2026-03-02T17:00", "2026-03-02T18:00"),  # the last call
        ("today", "2026-03-02T17:01", "2026-03-03T12:00"),
        ("today", "2026-03-02T23:59", "2026-03-03T12:00"),
        ("today", "2026-03-06T16:59", "2026-03-06T18:00"),  # Friday
        ("today", "2026-03-06T19:45", "2026-03-09T12:00"),  # Friday evening
        ("today", "2026-03-07T10:00", "2026-03-09T12:00"),  # Saturday
        ("today", "2026-03-08T23:59", "2026-03-09T12:00"),  # Sunday night
        ("this_week", "2026-03-02T09:30", "2026-03-09T18:00"),
        ("this_week", "2026-03-02T22:00", "2026-03-09T18:00"),
        ("this_week", "2026-03-06T19:45", "2026-03-13T18:00"),  # Friday evening
        ("this_week", "2026-03-07T10:00", "2026-03-13T18:00"),  # Saturday
        ("this_week", "2026-03-08T23:59", "2026-03-13T18:00"),  # Sunday night
        ("this_week", "2024-02-26T12:00", "2024-03-04T18:00"),  # over the 29th of February
    ],
)
def test_due(urgency: str, arrived: str, due: str) -> None:
    assert deadline(urgency, arrived) == due


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_what_is_more_urgent_is_never_due_later_and_nothing_is_due_before_it_came(arrived: datetime) -> None:
    text = arrived.strftime("%Y-%m-%dT%H:%M")
    now, today, this_week = (deadline(urgency, text) for urgency in ("now", "today", "this_week"))
    assert text < now <= today <= this_week


@pytest.mark.parametrize("urgency", ["", "Now", "urgent", "this week"])
def test_an_unknown_urgency_is_named(urgency: str) -> None:
    with pytest.raises(ValueError, match=f"urgency: '{urgency}' is none of now, today, this_week"):
        deadline(urgency, "2026-03-02T09:30")


@pytest.mark.parametrize(
    "arrived",
    ["", "yesterday", "2026-03-02", "2026-02-30T09:30", "2026-03-02T25:00", "2026-03-02T09:30Z", None],
)
def test_a_bad_time_of_arrival_is_named(arrived: str) -> None:
    with pytest.raises(ValueError, match="arrived: ") as caught:
        deadline("now", arrived)
    assert repr(arrived) in str(caught.value)
