"""How figures are written, on the screen and in a report alike."""

from __future__ import annotations

from agentsym.network.shown import cut


def count(amount: float, name: str) -> str:
    """Write a count with its noun: 1 row, 2,000 rows."""
    return f"{number(amount)} {name}{'s' * (amount != 1)}"


def number(value: float) -> str:
    """Write a count with its thousands parted."""
    return f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """Write an amount of US dollars; None is a price that nobody knows."""
    return "unknown" if value is None else f"${value:,.2f}" if value >= 0.995 or not value else f"${value:.4f}"


def spent(calls: int, tokens: int, usd: float | None) -> str:
    """Say in one phrase what was used."""
    return f"{count(calls, 'call')}, {count(tokens, 'token')}, {'price unknown' if usd is None else dollars(usd)}"


def span(seconds: float) -> str:
    """Write a time span as people say it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rows_named(name: str) -> str:
    """Return what people call a set of rows."""
    return "validation" if name == "val" else name


def short(text: str, length: int = 100) -> str:
    """Return a text on one line, cut to a length."""
    return cut(" ".join(text.split()), length)


def interval(low: float, high: float) -> str:
    """Write a 95 % interval of a difference."""
    return f"{low:+.3f} to {high:+.3f}"
