"""`Settings`: what an operator may set of the HTTP server, in one value."""

from __future__ import annotations

from agentsym.network.canonical import Frozen


class Settings(Frozen):
    """Limits and doors of the server.

    Attributes:
        auth: whether requests need a token; without, the server listens on this machine only.
        concurrency: the most requests that run at once.
        waiting: the most that wait for one of those places; further ones get 503.
        grace: seconds that running requests may take to end when the server stops.
        max_body: bytes of a request's body.
        body_seconds: seconds in which a body must have come.
        header_seconds: seconds in which the head of a request must have come.
        connections: the most open connections.
        rate: requests a minute and token; None for no limit.
        max_batch: items of a batch.
        ping: seconds between two signs of life of a stream.
        chat_input: the input that takes the last message of a chat.
        access_log: write one JSON line a request to stderr.
    """

    auth: bool = True
    concurrency: int = 32
    waiting: int = 128
    grace: float = 30.0
    max_body: int = 1024 * 1024
    body_seconds: float = 20.0
    header_seconds: float = 10.0
    connections: int = 1000
    rate: float | None = None
    max_batch: int = 100
    ping: float = 15.0
    chat_input: str | None = None
    access_log: bool = False
