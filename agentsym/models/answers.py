"""The seam between the door and whoever writes its calls down while they are made.

A call is written down before it is sent and its answer before anyone gets it, so a process that dies at any moment
leaves behind what it has spent and all that it was answered.
"""

from __future__ import annotations

from typing import Protocol

from agentsym.models.protocol import Phase, Reply
from agentsym.network.records import Usage

NO_CALL = Usage(cached=1)
"""What a caller has used whose answer had been paid for already."""


class AnswerLog(Protocol):
    """Keeps the calls of remote models, under keys that are equal for equal requests.

    An answer is there to be taken by the process that goes on after the one that had asked for it.
    """

    def take(self, key: str) -> Reply | None:
        """Return an answer that was there before this process began, or None; nothing is paid for it.

        Its usage is what it had cost, so that a run that goes on writes the same as one that was never stopped. Who
        asks for it again gets the usage of a cached answer.
        """
        ...

    def sent(self, key: str, phase: Phase, node: str, most: Usage) -> int:
        """Write down that a request is about to be sent, and the most that it can use; return the call's number.

        Raises:
            StoreError: it cannot be written down.
        """
        ...

    def settled(self, number: int, usage: Usage, reply: Reply | None) -> None:
        """Write down what a call has used, and its reply (None: it failed), which holds what all its attempts used.

        Raises:
            StoreError: it cannot be written down.
        """
        ...
