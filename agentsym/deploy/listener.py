"""The socket that a server listens on: no other process has its port, and small answers are sent at once."""

from __future__ import annotations

import errno
import socket

from agentsym.errors import UsageError

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: the address or name.
        port: the port; 0 takes a free one.

    Raises:
        UsageError: the port is taken, or the address is not this machine's.
    """
    listener: socket.socket | None = None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With the protocol named asyncio switches Nagle's algorithm off, which holds small answers back for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        if listener is not None:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"{host}:{port}: another program listens there already; stop it, or name another port"
            ) from error
        raise UsageError(f"{host}:{port}: cannot listen there ({error.strerror or error})") from error
