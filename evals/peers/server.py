"""The server of the comparison, as a process of its own: `python -m evals.peers.server`.

It is the provider's double with the task's brain, `POST /config` for another configuration, and in `GET /stats` the
books by role and the seconds from the first request to the last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from aiohttp import web

from evals.openai_server import Server
from evals.openai_server.__main__ import serve
from evals.peers.brain import Brain
from evals.peers.task import Task
from evals.peers.world import World


class PeerServer(Server):
    """The server.

    Args:
        world: its configuration to begin with.
        port: the port; 0 takes a free one.
    """

    def __init__(self, world: World, *, port: int = 0) -> None:
        self.mind = Brain(world)
        self._first = self._last = 0.0
        super().__init__(self.mind, latency=world.latency_ms / 1000, port=port)

    @property
    def seconds(self) -> float:
        """Seconds from the first request to the last answer since the books were opened."""
        return self._last - self._first

    def configure(self, world: World) -> None:
        """Take another configuration, and open new books."""
        self.latency = world.latency_ms / 1000
        self.mind.configure(world)
        self._first = self._last = 0.0
        super().reset()

    def reset(self) -> None:
        """Open new books."""
        self.configure(self.mind.world)

    def _routes(self) -> list[web.RouteDef]:
        return [*super()._routes(), web.post("/config", self._configure)]

    async def _configure(self, request: web.Request) -> web.Response:
        try:
            self.configure(World.from_json(await request.json()))
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"the configuration cannot be read: {error!r}"}, status=400)
        return web.json_response({})

    async def _books(self, request: web.Request) -> web.Response:
        return web.json_response({**self.stats.to_json(), "roles": self.mind.to_json(), "seconds": self.seconds})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._first = self._first or time.monotonic()
        try:
            return await super()._chat(request)
        finally:
            self._last = time.monotonic()


def main() -> None:
    """Serve until stopped, first the plain task; prints the base URL as one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="slept in every request (default 0)")
    args = parser.parse_args()
    asyncio.run(serve(PeerServer(Task().world(args.latency_ms), port=args.port)))


if __name__ == "__main__":
    main()
