"""What was used and what a version is worth, as the cells of tables: the same on the screen and in a report.

Both are taken as plain JSON (of `Usage` and of `Measured`), as it stands in the documents that the commands print.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentsym.learning.report.wording import dollars, number, span

USED = ("calls", "cached", "tokens", "cost", "model time")
WORTH = ("tokens a run", "cost of 1,000 runs", "seconds a run")


def used(usage: Mapping[str, Any]) -> tuple[str, ...]:
    """Write what model calls have used, in the columns of `USED`; `~` is before what is reckoned."""
    about = "~" if usage["estimated"] else ""
    tokens, usd = usage["prompt_tokens"] + usage["completion_tokens"], dollars(usage["usd"])
    return number(usage["calls"]), number(usage["cached"]), about + number(tokens), about + usd, span(usage["seconds"])


def worth(measured: Mapping[str, Any]) -> tuple[str, ...]:
    """Write what a run of a version takes, in the columns of `WORTH`."""
    return number(measured["tokens"]), dollars(_thousand(measured)), f"{measured['seconds']:.2f}"


def worth_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return rows of name, before, after and change in per cent; nothing where models are free."""
    if not (before["tokens"] or after["tokens"]):
        return []
    rows = [(WORTH[0], number(before["tokens"]), number(after["tokens"]), _share(before["tokens"], after["tokens"]))]
    if before["usd"] or after["usd"]:
        old, new = _thousand(before), _thousand(after)
        rows.append((WORTH[1], dollars(old), dollars(new), _share(old, new)))
    return rows


def _thousand(measured: Mapping[str, Any]) -> float | None:
    return None if measured["usd"] is None else 1000 * measured["usd"]


def _share(old: float | None, new: float | None) -> str:
    """Say by how many per cent something has changed."""
    return f"{100 * (new / old - 1):+.0f} %" if old and new is not None else ""
