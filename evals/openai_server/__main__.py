"""The server as a process of its own: `python -m evals.openai_server`.

Prints its base URL as one line and serves until it is stopped; `GET /stats` shows its books, `POST /reset` opens new
ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from evals.openai_server import Server
from evals.openai_server.brains import BRAINS


async def serve(server: Server) -> None:
    """Serve until the process is asked to stop (SIGINT, SIGTERM)."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        print(server.base_url, flush=True)
        await stop.wait()


def main() -> None:
    """Read the flags and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="slept in every request (default 0)")
    parser.add_argument("--brain", choices=sorted(BRAINS), default="classroom", help="who answers (default classroom)")
    parser.add_argument("--key", help="the key that requests must bear; without, any will do")
    args = parser.parse_args()
    brain = BRAINS[args.brain]()
    asyncio.run(serve(Server(brain, latency=args.latency_ms / 1000, key=args.key, port=args.port)))


if __name__ == "__main__":
    main()
