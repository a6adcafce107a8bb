"""The versions that answer, ready to run, exchanged when the deployment in the store changes.

What is exchanged is one immutable value, so a run that has begun keeps the version that it began with.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from agentsym.deploy.canary import in_canary
from agentsym.errors import AgentsymError, StoreError, UsageError
from agentsym.network.network import Network
from agentsym.network.revive import revive
from agentsym.runtime.compile import Graph, compile
from agentsym.store.live.lifecycle import Deployment
from agentsym.store.store import Store

LOOK_S = 0.5
STALE_S = 5.0  # a store that has not answered for so long does not answer
RETRY_S = 30.0  # between attempts to prepare a version that could not be

log = logging.getLogger(__name__)


class Ready(NamedTuple):
    """A version that can run."""

    version: str
    network: Network
    graph: Graph


class Live(NamedTuple):
    """What answers: the live version, and the canary with its share of the threads."""

    generation: int
    live: Ready
    canary: Ready | None = None
    share: float = 0.0

    def of(self, deployment: str, thread: str) -> Ready:
        """Return the version that answers a thread."""
        canary = self.canary
        if canary is not None and in_canary(deployment, canary.version, thread, self.share):
            return canary
        return self.live


class Versions:
    """Keeps up with the deployment in the store.

    Args:
        store: where the deployment is.
        name: the deployment's name.
        relative: the agent as its files are; its code is lent to the stored versions.

    Attributes:
        current: what answers now.
        problem: why the version that should answer does not; None where it does.

    Raises:
        AgentsymError: the live version cannot be prepared.
    """

    def __init__(self, store: Store, name: str, relative: Network) -> None:
        self._store = store
        self._name = name
        self._relative = relative
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._answered = time.monotonic()
        self._tried = 0.0
        self._ready: dict[str, Ready] = {}
        self._lost: type[AgentsymError] | None = None  # why it cannot be read
        self.problem: str | None = None
        found = self._deployment()
        live = self._prepare(found.live)  # the one that has to run; the canary may fail
        self.current = Live(found.generation, live)
        self._ready[live.version] = live
        self._follow(found)

    @property
    def store_answers(self) -> bool:
        """Whether the store has answered lately."""
        return time.monotonic() - self._answered < STALE_S

    def start(self) -> None:
        """Begin to look at the store, in a thread, until `close`."""
        self._thread = threading.Thread(target=self._watch, name="agentsym-versions", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Look at the store once; what answered before goes on answering, and a change of what is wrong is logged."""
        try:
            found = self._deployment()
        except (StoreError, UsageError) as error:
            if self._lost is not type(error):  # it is looked at twice a second
                log.warning("the deployment cannot be read; what answered before goes on answering: %s", error)
            self._lost = type(error)
            return
        if self._lost is not None:
            log.warning("the deployment can be read again")
            self._lost = None
        self._answered = time.monotonic()
        again = self.problem is not None and time.monotonic() - self._tried >= RETRY_S
        if found.generation != self.current.generation or again:
            self._follow(found)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # a thread that dies here would serve old versions for ever
                log.exception("looking for new versions failed")

    def _deployment(self) -> Deployment:
        found = self._store.releases.deployment(self._name)
        if found is None:
            raise UsageError(f"there is no deployment {self._name!r} in the store any more")
        return found

    def _follow(self, found: Deployment) -> None:
        """Take over what the store says, as far as it can be prepared."""
        problems: list[str] = []
        live = self._or_none(found.live, problems) or self.current.live
        canary = None if found.canary is None else self._or_none(found.canary, problems)
        self.current = Live(found.generation, live, canary, found.share)
        self._ready = {ready.version: ready for ready in (live, canary) if ready is not None}
        self.problem, self._tried = "; ".join(problems) or None, time.monotonic()

    def _or_none(self, version: str, problems: list[str]) -> Ready | None:
        try:
            return self._prepare(version)
        except Exception as error:  # the user's code and a model's may raise anything
            why = str(error) if isinstance(error, AgentsymError) else f"{type(error).__name__}: {error}"
            problems.append(f"version {version[:12]} cannot be run: {why}")
            log.warning("%s: %s; what answered before goes on answering", self._name, problems[-1])
            return None

    def _prepare(self, version: str) -> Ready:
        if version in self._ready:
            return self._ready[version]
        network = self._relative
        if network.version != version:
            network = revive(self._relative, self._store.releases.content(self._name, version))
        return Ready(version, network, compile(network))
