"""Reckons the day on which a bill is due."""


def due_day(start: str, months: int) -> str:
    """Return the day so many months after another one, both as YYYY-MM-DD."""
    year, month, day = (int(part) for part in start.split("-"))
    year, month = shifted(year, month, months)
    return written(year, month, clipped(year, month, day))


def shifted(year: int, month: int, months: int) -> tuple[int, int]:
    """Return year and month after so many months."""
    month += months
    return year + month // 12, month % 12


def clipped(year: int, month: int, day: int) -> int:
    """Return the day, or the month's last one where it has no such day."""
    return min(day, month_days(year, month))


def month_days(year: int, month: int) -> int:
    """Return how many days a month has."""
    return february(year) if month == 2 else 31


def february(year: int) -> int:
    """Return how many days February has."""
    return 30


def written(year: int, month: int, day: int) -> str:
    """Return a day as YYYY-MM-DD."""
    return f"{year:04d}-{month:02d}-{day:02d}"
