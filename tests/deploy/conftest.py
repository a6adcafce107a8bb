"""A small agent that is deployed, and a server of it on a free port of this machine, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from agentsym import Agent, Choice, FunctionNode, PromptNode
from agentsym.deploy.beginning import begin
from agentsym.deploy.listener import listen
from agentsym.deploy.policy import Policy
from agentsym.deploy.server.app import create_app
from agentsym.deploy.server.listening import Server
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.service import Service
from agentsym.network.network import Network
from agentsym.store.live.tokens import Scope
from agentsym.store.store import Store

KINDS = {"fruit": "apple pear plum", "tool": "hammer saw drill", "animal": "dog cat horse"}
sort = PromptNode("sort", "Say what kind of thing it is.", inputs=["text"], output={"kind": Choice(KINDS)})


async def _waited(text: str) -> str:
    """Take as long as the text says, where it says so, or fail where it says that."""
    import asyncio

    word, _, rest = text.partition(" ")
    if word == "wait":
        await asyncio.sleep(float(rest))
    if word == "fail":
        raise ValueError(f"the secret of the machine is {rest}")
    return text.upper()


things = Agent("things", nodes=[sort])
slow = Agent("slow", nodes=[FunctionNode("slow", _waited, inputs=["text"], output={"said": str})])


class Running(NamedTuple):
    """A server that runs: where it is, what it serves, and how it is asked."""

    url: str
    service: Service
    server: Server
    client: httpx.Client

    @property
    def store(self) -> Store:
        """Its store."""
        return self.service.store

    def token(self, *scopes: Scope, name: str = "somebody") -> dict[str, str]:
        """Make a token and return the header that shows it."""
        return bearer(self.store, *scopes, name=name)


def bearer(store: Store, *scopes: Scope, name: str = "somebody") -> dict[str, str]:
    """Make a token and return the header that shows it."""
    return {"authorization": f"Bearer {store.tokens.create(name, scopes, actor='test').secret}"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(tmp_path / "agentsym.db") as opened:
        yield opened


Start = Callable[..., Running]


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    """Deploy an agent and serve it; at the end every server is stopped."""
    with ExitStack() as stack:

        def start(
            agent: Network = things,
            *,
            policy: Policy | None = None,
            timeout: float = 30.0,
            student: Any = None,
            parts: Sequence[Any] = (),
            background: Sequence[Any] = (),
            **settings: Any,
        ) -> Running:
            begin(store, agent.name, agent, actor="test")
            service = Service(store, agent.name, agent, policy=policy, timeout=timeout, student=student)
            app = create_app(service, Settings(**{"grace": 5.0, **settings}), parts=parts, background=background)
            return stack.enter_context(running(app, service))

        yield start


@contextmanager
def running(app: Any, service: Service) -> Iterator[Running]:
    """Serve an app on a free port until the block ends."""
    listener = listen("127.0.0.1", 0)
    ready = threading.Event()
    server = Server(app, listener, ready.set)
    thread = threading.Thread(target=server.serve_until_stopped, daemon=True)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.start()
    assert ready.wait(20)
    try:
        with httpx.Client(base_url=url, timeout=20) as client:
            yield Running(url, service, server, client)
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def eventually(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true and return it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)
    return found
