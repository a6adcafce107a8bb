"""Errors on their way between driver and workers: their kind, text and facts, as plain JSON.

An exception of a user's library may not exist on the other side; what its text says arrives all the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agentsym import errors
from agentsym.errors import AgentsymError, NodeError


class Failure(NamedTuple):
    """An error as it travels: the name of its class in `agentsym.errors`, its text, and its attributes."""

    kind: str
    text: str
    facts: dict[str, Any]


def failure_of(error: Exception) -> Failure:
    """Return what is sent of an error; one that is not ours becomes a NodeError that names its class."""
    kind = type(error)
    if isinstance(error, AgentsymError) and getattr(errors, kind.__name__, None) is kind:
        return Failure(kind.__name__, str(error), dict(vars(error)))
    text = str(error) if isinstance(error, AgentsymError) else f"{kind.__name__}: {error}"
    return Failure(NodeError.__name__, text, {})


def error_of(failure: Failure) -> AgentsymError:
    """Return the error that was sent."""
    kind: type[AgentsymError] = getattr(errors, failure.kind)
    error = kind.__new__(kind, failure.text)  # the text is complete, so nothing may be added to it
    vars(error).update(failure.facts)
    return error
