"""A paid provider's double: an HTTP server on loopback that speaks OpenAI's chat protocol.

Tests and evals need a provider that counts what it was asked, bills it, and misbehaves on demand; this one does so over
real sockets, and its answers come from a function of the prompt (`brains`).
"""

from evals.openai_server.faults import Fault
from evals.openai_server.server import Plan, Server
from evals.openai_server.stats import Price, Stats

__all__ = ["Fault", "Plan", "Price", "Server", "Stats"]
