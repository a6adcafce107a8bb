"""Small agents that differ in one sentence: versions for the tests of releases."""

from __future__ import annotations

from agentsym.network.network import Network
from agentsym.network.nodes import PromptNode


def version(number: int) -> Network:
    """An agent whose instructions hold a number."""
    node = PromptNode("sort", f"Say what it is, way {number}.", inputs=["text"], output={"kind": str})
    return Network("things", [node])


VERSIONS = tuple(version(number) for number in range(8))
