"""What a command may use: the caps on calls, tokens, dollars and seconds, and how much runs at once.

The commands that ask models share these flags, so that a cap means and says the same in each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agentsym.errors import UsageError
from agentsym.learning.report.wording import count, span

if TYPE_CHECKING:
    from agentsym.models.budget import Budget

CONCURRENCY = 8


def above_zero(flag: str, about: str, kind: type[int] | type[float] = int, without: str = "no cap") -> Any:
    """Return an option that takes numbers above 0; all else is refused in the same words for each."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not 0 < value < float("inf"):
            whole = "whole " * (kind is int)
            raise UsageError(f"{flag} {text}: it must be a {whole}number above 0; leave it out for {without}")
        return value

    return typer.Option(flag, metavar="N" if kind is int else "X", parser=parse, help=about)


_IN_FLIGHT = f"Examples and model calls in flight (default: {CONCURRENCY})."
Concurrency = Annotated[int | None, above_zero("--concurrency", _IN_FLIGHT, without=str(CONCURRENCY))]
MaxCalls = Annotated[int | None, above_zero("--max-calls", "Cap on model calls.")]
MaxTokens = Annotated[int | None, above_zero("--max-tokens", "Cap on tokens, of prompts and replies together.")]
MaxUsd = Annotated[float | None, above_zero("--max-usd", "Cap on US dollars.", float)]
MaxSeconds = Annotated[float | None, above_zero("--max-seconds", "Start no model call after X seconds.", float)]


class Caps(NamedTuple):
    """What a command, a run or its resumption may use; None is no cap."""

    max_calls: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None
    max_seconds: float | None = None
    concurrency: int = CONCURRENCY

    @classmethod
    def given(
        cls,
        max_calls: int | None,
        max_tokens: int | None,
        max_usd: float | None,
        max_seconds: float | None,
        concurrency: int | None,
    ) -> Caps:
        """Make the caps from flags."""
        return cls(max_calls, max_tokens, max_usd, max_seconds, concurrency or CONCURRENCY)

    def budget(self) -> Budget:
        """Return the budget of a command that begins now."""
        from agentsym.models.budget import Budget

        return Budget(self.max_calls, self.max_tokens, self.max_usd, self.max_seconds)

    def __str__(self) -> str:
        parts = [
            *([] if self.max_calls is None else [count(self.max_calls, "model call")]),
            *([] if self.max_tokens is None else [count(self.max_tokens, "token")]),
            *([] if self.max_usd is None else [f"${self.max_usd:,.4g}"]),
            *([] if self.max_seconds is None else [span(self.max_seconds)]),
        ]
        return ", ".join(parts) or "none"
