"""Works out until when a customer's message must be answered.

One file, one tool: a due time is arithmetic on the arrival time, so code does it and no model has to guess.
"""

from datetime import datetime, time, timedelta

CLOSING = time(18)  # the service desk closes, Monday to Friday
MORNING = time(12)  # the end of a working morning
LAST_CALL = time(17)  # what arrives later on a working day is no longer answered that day
FORMAT = "%Y-%m-%dT%H:%M"


def deadline(urgency: str, arrived: str) -> str:
    """Return the time by which a message must be answered, as local ISO time in minutes.

    `now` means one hour later at any hour of any day. `today` means 18:00 of the same working day, or
    noon of the next working day for a message that came after 17:00 or at a weekend. `this_week` means
    18:00 of the fifth working day after the day of arrival. Working days are Monday to Friday; public
    holidays are not known here, and neither is today's date: the answer depends on the arguments alone.

    Args:
        urgency: How soon an answer is needed: now, today or this_week.
        arrived: When the message arrived, local time, e.g. 2026-03-02T09:30.

    Raises:
        ValueError: If the urgency is unknown or the time of arrival is not of that form.
    """
    try:
        start = datetime.strptime(arrived, FORMAT)
    except (TypeError, ValueError):
        raise ValueError(f"arrived: {arrived!r} is not a local time such as 2026-03-02T09:30") from None
    if urgency == "now":
        due = start + timedelta(hours=1)
    elif urgency == "today" and start.weekday() < 5 and start.time() <= LAST_CALL:
        due = datetime.combine(start, CLOSING)
    elif urgency == "today":
        due = datetime.combine(_working_day_after(start, 1), MORNING)
    elif urgency == "this_week":
        due = datetime.combine(_working_day_after(start, 5), CLOSING)
    else:
        raise ValueError(f"urgency: {urgency!r} is none of now, today, this_week")
    return due.strftime(FORMAT)


def _working_day_after(day: datetime, count: int) -> datetime:
    """Go `count` working days on from a day, itself not counted."""
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day
