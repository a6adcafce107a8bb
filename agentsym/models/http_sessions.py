"""Pooled HTTP connections that close themselves with their event loop.

A model is made once and asked from any loop, and nobody closes models; so each loop gets a session at first use, and
the loop's own shutdown ends it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.request
import weakref
from collections.abc import AsyncGenerator
from typing import NamedTuple

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL


class _Held(NamedTuple):
    """A session and the generator that closes it when the loop ends its generators."""

    session: ClientSession
    keeper: AsyncGenerator[ClientSession, None]


class Sessions:
    """One session an event loop, all to one address.

    The number of connections has no limit here: who calls limits the calls. A proxy of the environment is used, except
    to this machine itself.

    Args:
        url: the address.
        timeout: seconds for a whole request.
        connect_timeout: seconds for making a connection.
    """

    def __init__(self, url: URL, *, timeout: float, connect_timeout: float) -> None:
        self._url = url
        self._timeout = ClientTimeout(total=timeout, sock_connect=min(timeout, connect_timeout))
        self._held: dict[asyncio.AbstractEventLoop, _Held] = {}
        # A model may be forgotten while its loop runs on; what is held must not refer to it, or it never would be.
        weakref.finalize(self, _end_all, self._held).atexit = False

    async def get(self) -> ClientSession:
        """Return the running loop's session, made at first use."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            await self._close_orphans()
            held = self._held.get(loop)
        if held is None:
            keeper = _keep(loop, self._held, self._timeout, proxy_of(self._url))
            held = self._held[loop] = _Held(await anext(keeper), keeper)  # does not wait: nobody comes in between
        return held.session

    async def _close_orphans(self) -> None:
        """Close the sessions of loops that ended without shutting their generators down."""
        for loop in [loop for loop in self._held if loop.is_closed()]:
            if orphan := self._held.pop(loop, None):
                await orphan.session.close()


async def _keep(
    loop: asyncio.AbstractEventLoop,
    held: dict[asyncio.AbstractEventLoop, _Held],
    timeout: ClientTimeout,
    proxy: URL | None,
) -> AsyncGenerator[ClientSession, None]:
    """Hold a session open until the loop shuts its asynchronous generators down, or the model is forgotten."""
    session = ClientSession(connector=TCPConnector(limit=0), timeout=timeout, cookie_jar=DummyCookieJar(), proxy=proxy)
    try:
        yield session
    finally:
        held.pop(loop, None)
        await session.close()


def _end_all(held: dict[asyncio.AbstractEventLoop, _Held]) -> None:
    """Let each running loop close its session; called from whatever thread forgets the model.

    A loop ends a generator that nobody holds any more by itself, and never twice, as it may do with one that is told to
    end while the loop is shutting down.
    """
    held.clear()


def is_loopback(url: URL) -> bool:
    """Say whether an address is this machine's own."""
    host = url.host or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_of(url: URL) -> URL | None:
    """Return the environment's proxy for an address, with its login; none for this machine itself.

    The session is not told to trust the environment: it would then look into `.netrc` at every request, and refuse to
    send a key to a host that it finds there.
    """
    if is_loopback(url) or urllib.request.proxy_bypass(url.authority):
        return None
    given = urllib.request.getproxies().get(url.scheme)
    if not given:
        return None
    return URL(given if "://" in given else f"http://{given}")
