"""The server's figures for Prometheus, in a registry of their own.

Labels hold routes, statuses and methods that are known beforehand, never anything that a client wrote.
"""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from agentsym.deploy.service import Service
from agentsym.network.records import Usage

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class _Seen(NamedTuple):
    """The series of one route and status, found once."""

    requests: Counter
    seconds: Histogram


class Metrics:
    """Counts what a server does."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        requests, seconds, tokens, usd = "requests", "request_seconds", "tokens", "usd"
        self._requests = self._counter(requests, "Requests by route and status.", "route", "status")
        self._seconds = Histogram(
            f"agentsym_{seconds}", "Seconds a request took.", ("route",), buckets=SECONDS, registry=self.registry
        )
        self._tokens = self._counter(tokens, "Tokens of model calls.", "kind")
        self._usd = self._counter(usd, "US dollars of model calls, where the price is known.")
        self._gauge("runs_in_flight", "Runs under way.").set_function(lambda: service.running)
        self._gauge("trace_queue", "Traces and feedback that wait to be written.").set_function(
            lambda: service.writer.waiting
        )
        self._gauge("generation", "Counts the changes of the deployment that is served.").set_function(
            lambda: service.versions.current.generation
        )
        self._seen: dict[tuple[str, int], _Seen] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        seen = self._seen.get((route, status))
        if seen is None:
            seen = _Seen(self._requests.labels(route, str(status)), self._seconds.labels(route))
            self._seen[route, status] = seen
        seen.requests.inc()
        seen.seconds.observe(seconds)

    def used(self, usage: Usage) -> None:
        """Count what model calls have used."""
        if usage.tokens:
            self._tokens.labels("prompt").inc(usage.prompt_tokens)
            self._tokens.labels("completion").inc(usage.completion_tokens)
        if usage.usd:
            self._usd.inc(usage.usd)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"agentsym_{name}", says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(f"agentsym_{name}", says, registry=self.registry)
