"""A call under way that several callers wait for, and what each of them hears of it.

Equal requests at the same time are sent once; the door begins such a call, joins others to it, and stops it
when all have gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from agentsym.models.protocol import Reply

OnText = Callable[[str], None]
"""Is handed the pieces of an answer's text while it is written."""


class Listener:
    """A caller who is handed the text while it is written; what it raises is its own matter."""

    def __init__(self, on_text: OnText) -> None:
        self.on_text: OnText | None = on_text
        self.error: Exception | None = None

    def tell(self, text: str) -> None:
        """Hand on a piece, unless the caller has gone or has failed at one before."""
        if self.on_text is not None and self.error is None:
            try:
                self.on_text(text)
            except Exception as error:
                self.error = error


@dataclass
class Flight:
    """One call under way, how many callers wait for it, who of them listens, and what was said until now."""

    call: asyncio.Task[Reply]
    waiting: int = 0
    listeners: list[Listener] = field(default_factory=list)
    said: str = ""

    def tell(self, text: str) -> None:
        """Hand a piece of the answer to all who listen."""
        self.said += text
        for listener in self.listeners:
            listener.tell(text)
