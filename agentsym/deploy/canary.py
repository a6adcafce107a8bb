"""Which threads the canary answers: a pure function, so that every server and every restart decides alike."""

from __future__ import annotations

import hashlib

_RANGE = 2**64


def in_canary(deployment: str, version: str, thread: str, share: float) -> bool:
    """Say whether a thread is among the share that the canary answers.

    The version is part of the hash, so that it is not always the same threads that try what is new.

    Args:
        deployment: the deployment's name.
        version: the canary's version.
        thread: the conversation or user; all its requests get the same answer here.
        share: the canary's share of the threads, in [0, 1].
    """
    digest = hashlib.sha256("\0".join((deployment, version, thread)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * _RANGE
