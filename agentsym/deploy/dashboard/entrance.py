"""Who gets in: forms from this site only, and only so many wrong tokens from one address."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Callable, Mapping

FAILURES, WITHIN_S = 10, 300.0
ADDRESSES = 10_000


def same_site(headers: Mapping[str, str]) -> bool:
    """Say whether a form was sent by a page of this very host, as the browser tells.

    The scheme is not compared: behind a proxy that ends TLS the server does not know it.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return False
    if site is not None and site != "same-origin":
        return False
    return origin is None or origin.partition("://")[2] == headers.get("host")


def same_key(given: str, expected: str) -> bool:
    """Compare two keys in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class Attempts:
    """Counts wrong tokens by the address that they came from, for a while, in this process.

    A token cannot be guessed; this keeps those who try from using up the server.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, deque[float]] = {}

    def wait(self, address: str) -> float:
        """Return how many seconds an address must wait until it may try again; 0 if it may now."""
        failed = self._failed.get(address, deque())
        oldest = self._clock() - WITHIN_S
        while failed and failed[0] <= oldest:
            failed.popleft()
        return failed[0] - oldest if len(failed) >= FAILURES else 0.0

    def begin(self, address: str) -> None:
        """Count an attempt as wrong until it is known to be right, so that many at once are counted, too."""
        while address not in self._failed and len(self._failed) >= ADDRESSES:
            del self._failed[next(iter(self._failed))]
        self._failed.setdefault(address, deque(maxlen=FAILURES)).append(self._clock())

    def right(self, address: str) -> None:
        """Forget the wrong tokens of an address that has shown a right one."""
        self._failed.pop(address, None)
