"""What the pages of the dashboard cost where a deployment has answered many requests: CPU seconds a page.

The pages are asked for in this process, so the figure holds queries, templates and HTTP, without a network. Each page
is asked for once before it is measured. The limit is 0.3 s with 100,000 requests, a tenth of them judged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agentsym import Agent, Choice, PromptNode
from agentsym.deploy.dashboard.app import dashboard
from agentsym.network.records import Message, Step, Trajectory, Usage
from agentsym.store.live.traces import Feedback, Trace
from agentsym.store.store import Store

NAME = "support"
CHUNK = 1000
VERSIONS = 6
WORDS = ("parcel", "invoice", "late", "broken", "when", "who", "refund", "address", "courier", "thanks")
HOST = "http://dashboard"


def agent(number: int) -> Agent:
    """Return a version of the agent."""
    node = PromptNode(
        "sort", f"Choose the team ({number}).", inputs=["text"], output={"team": Choice(["billing", "repair"])}
    )
    return Agent(NAME, [node])


def seed(store: Store, requests: int) -> str:
    """Write a deployment with its requests; returns an admin's token."""
    draw, began = random.Random(0), datetime.now(UTC) - timedelta(days=30)
    versions = [agent(number) for number in range(VERSIONS)]
    store.releases.begin(NAME, versions[0], actor="eval")
    for first in range(0, requests, CHUNK):
        made = [_request(number, requests, versions, draw, began) for number in range(first, first + CHUNK)]
        said = [_said(trace, draw) for trace in made if draw.random() < 0.1]
        store.traces.add(made, said)
    return store.tokens.create("eval", ("admin",), actor="eval").secret


def _request(number: int, requests: int, versions: list[Agent], draw: random.Random, began: datetime) -> Trace:
    version = versions[number * VERSIONS // requests].version
    text, status = " ".join(draw.choices(WORDS, k=60)), "ok" if draw.random() < 0.98 else "error"
    asked = (Message(role="system", content="x" * 1200), Message(role="user", content=text))
    step = Step(index=0, node="sort", inputs={"text": text}, messages=asked, output={"team": "repair"})
    trajectory = Trajectory(
        id=f"t{number}", version=version, inputs={"text": text}, steps=(step, step), output={"team": "repair"}
    )
    return Trace(
        id=f"t{number}",
        deployment=NAME,
        version=version,
        thread=f"u{draw.randrange(5000)}",
        at=(began + timedelta(seconds=20 * number)).isoformat(timespec="microseconds"),
        example_id=f"e{number}",
        status=status,
        calls=1,
        tokens=Usage(prompt_tokens=300, completion_tokens=20).tokens,
        usd=0.0004,
        seconds=0.8,
        trajectory=trajectory,
    )


def _said(trace: Trace, draw: random.Random) -> Feedback:
    kind = draw.choice(("thumb", "judge"))
    about = {"id": f"f{trace.id}", "trace_id": trace.id, "deployment": NAME, "author": "app", "at": trace.at}
    return Feedback(kind=kind, score=draw.random(), **about)


def paths(requests: int) -> dict[str, str]:
    """Return what is measured: its name and its address."""
    return {
        "overview": "",
        "overview, all requests": "?window=100000",
        "candidates": "candidates",
        "traces": "traces",
        "traces, no match": "traces?status=capped",
        "traces of a thread": "traces?thread=u7",
        "traces with feedback, far back": f"traces?judged=yes&before={requests // 10}",
        "a trace": f"traces/t{requests // 2}",
        "audit log": "audit",
    }


async def measure(requests: int, times: int) -> dict[str, float]:
    """Return CPU seconds by page."""
    import httpx

    async def feedback(*_given: Any, **_more: Any) -> Feedback:
        raise NotImplementedError("nobody judges here")

    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "agentsym.db") as store:
        secret = seed(store, requests)
        transport = httpx.ASGITransport(dashboard(store, NAME, feedback=feedback))
        async with httpx.AsyncClient(transport=transport, base_url=HOST, headers={"origin": HOST}) as client:
            signed = await client.post("/login", data={"token": secret})
            assert signed.status_code == 303, signed.text
            return {name: await _cpu(client, f"/{path}", times) for name, path in paths(requests).items()}


async def _cpu(client: Any, path: str, times: int) -> float:
    found = []
    for _ in range(times + 1):
        began = time.process_time()
        answer = await client.get(path)
        found.append(time.process_time() - began)
        assert answer.status_code == 200 and re.search("<h1", answer.text), (path, answer.status_code)
    return round(statistics.median(found[1:]), 3)


def main() -> None:
    """Print the table, or with --json one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="requests, in thousands (default 100,000)")
    parser.add_argument("--times", type=int, default=5, help="measurements of each page (default 5)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    args = parser.parse_args()
    found = asyncio.run(measure(max(CHUNK, args.requests // CHUNK * CHUNK), args.times))
    if args.json:
        print(json.dumps({"requests": args.requests, "cpu_seconds": found}))
        return
    for name, seconds in found.items():
        print(f"{name:32}{seconds:8.3f} CPU seconds")


if __name__ == "__main__":
    main()
