"""The lesson of due days: a tool that adds months, and forgets December, short months and February."""

from __future__ import annotations

import re
from calendar import monthrange
from random import Random
from typing import Any

from evals.repair.lesson import PLAIN, Inputs, Lesson
from evals.repair.rewrites import Patches
from evals.repair.tools.due_day import due_day

_DECEMBER, _SHORT, _FEBRUARY = "December", "short month", "February"
_LONG = (1, 3, 5, 7, 8, 10)  # with 31 days, December apart


def _item(kind: str, chance: Random) -> Inputs:
    year, months = chance.randint(1996, 2031), chance.randint(1, 11)
    month, day = chance.choice(_LONG), chance.choice((*range(2, 28), 31, 31, 31, 31, 31, 31, 31))
    if kind == _DECEMBER:
        month, day = 12, chance.randint(2, 27)
    elif kind == _SHORT:
        month, day = chance.choice((4, 6, 9, 11)), 31
    elif kind == _FEBRUARY:
        month, day = 2, 31
    elif kind != PLAIN:
        raise ValueError(f"there is no kind {kind!r} of due day")
    before = [at for at in range(1, 12) if day <= 28 or (month - at - 1) % 12 + 1 in (*_LONG, 12)]
    months = min(before, key=lambda at: abs(at - months))
    count = year * 12 + month - 1 - months
    return {"start": f"{count // 12:04d}-{count % 12 + 1:02d}-{day:02d}", "months": months}


def _note(inputs: Inputs, other: str) -> str:
    ordered = f"Ordered on {other}. " if other else ""
    return f"{ordered}The bill is of {inputs['start']}, to be paid within {inputs['months']} months."


def _rest(note: str) -> Inputs:
    return {"months": int(re.findall(r"within (\d+) months", note)[-1])}


def _right(inputs: Inputs) -> Any:
    year, month, day = map(int, inputs["start"].split("-"))
    count = year * 12 + month - 1 + inputs["months"]
    year, month = count // 12, count % 12 + 1
    return f"{year:04d}-{month:02d}-{min(day, monthrange(year, month)[1]):02d}"


_SHIFTED = (
    "def shifted(year: int, month: int, months: int) -> tuple[int, int]:\n"
    '    """Return year and month after so many months."""\n'
)
_CLIPPED = (
    "def clipped(year: int, month: int, day: int) -> int:\n"
    '    """Return the day, or the month\'s last one where it has no such day."""\n'
)
_DAYS = 'def month_days(year: int, month: int) -> int:\n    """Return how many days a month has."""\n'
_WRITTEN = 'def written(year: int, month: int, day: int) -> str:\n    """Return a day as YYYY-MM-DD."""\n'
_FEB = 'def february(year: int) -> int:\n    """Return how many days February has."""\n'

DATES = Lesson(
    tool=due_day,
    reads="read_bill",
    says="tell_day",
    tasks=("Read from when and for how many months the bill runs.", "Tell the customer by which day to pay."),
    fields={"start": str, "months": int},
    result="due",
    pattern=re.compile(r"\d{4}-\d{2}-\d{2}"),
    item=_item,
    note=_note,
    rest=_rest,
    right=_right,
    template="Please pay by {}.",
    symptoms={
        _DECEMBER: re.compile(r"output due: \d{4}-00-"),
        _SHORT: re.compile(r"output due: \d{4}-(04|06|09|11)-31"),
        _FEBRUARY: re.compile(r"output due: \d{4}-02-(29|30|31)"),
    },
    patches={
        _DECEMBER: Patches(
            right=(
                _SHIFTED + "    more, month = divmod(month - 1 + months, 12)\n    return year + more, month + 1",
                _SHIFTED + "    count = year * 12 + month - 1 + months\n    return count // 12, count % 12 + 1",
            ),
            wrong=(
                _SHIFTED + "    return year, min(month + months, 12)",
                _SHIFTED + "    month += months\n    return year + month // 12, month % 12 or 12",
            ),
            odd=_SHIFTED + "    month += months\n    while month > 12:\n        year += 1\n    return year, month",
        ),
        _SHORT: Patches(
            right=(
                _DAYS
                + "    if month in (4, 6, 9, 11):\n        return 30\n    return february(year) if month == 2 else 31",
                _DAYS + "    days = (31, february(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)\n"
                "    return days[month - 1]",
            ),
            wrong=(
                _DAYS + "    return february(year) if month == 2 else 30",
                _DAYS + "    return february(year) if month == 2 else 31 - (month == 10)",
            ),
            odd=_DAYS + "    if month in (4, 6, 9, 11) return 30\n    return february(year) if month == 2 else 31",
        ),
        _FEBRUARY: Patches(
            right=(
                _FEB + "    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n"
                "    return 29 if leap else 28",
                _FEB + "    if year % 400 == 0 or (year % 4 == 0 and year % 100):\n        return 29\n    return 28",
            ),
            wrong=(_FEB + "    return 31 if year % 4 == 0 else 30", _FEB + "    return 27"),
            odd='def due_day(start: str, months: int, country: str) -> str:\n    """Return the day in a country."""\n'
            "    return start",
        ),
    },
    slips=(
        _CLIPPED + "    return max(1, min(day, month_days(year, month)) - 1)",
        _CLIPPED + "    return 15 if day <= 15 else month_days(year, month)",
    ),
    idle=_WRITTEN + '    return "-".join((f"{year:04d}", f"{month:02d}", f"{day:02d}"))',
    tests='def test_a_day_of_the_next_year_is_found():\n    assert len(due_day("2023-11-05", 3)) == 10\n',
    rules=(
        "Where there are several dates, take the last one.",
        "Of two dates the later in the text is that of the bill.",
        "Put the start on the first of its month.",
        "Start on the first of January of that year.",
        "A bill of the day 31 starts on the 28.",
        "Copy the date as it stands.",
        "Mind that a bill can be of any year.",
        "Never guess a date.",
    ),
    habits={
        r"first of its month": lambda value: f"{value[:8]}01",
        r"first of January": lambda value: f"{value[:5]}01-01",
        r"day 31 starts on the 28": lambda value: re.sub(r"-31$", "-28", value),
    },
)
