"""How a request to a deployed agent can fail, apart from being wrong itself (UsageError).

A client is told which of these it was and the trace's id, never the cause, which may speak of the operator's machine;
the cause is in the trace.
"""

from __future__ import annotations

from agentsym.errors import AgentsymError


class RequestFailed(AgentsymError):
    """A request was accepted and has no answer; `trace_id` says where what happened is kept, if it is."""

    def __init__(self, message: str, trace_id: str | None = None) -> None:
        self.trace_id = trace_id
        super().__init__(message)


class RunFailed(RequestFailed):
    """The agent failed at this request."""


class ModelBusy(RunFailed):
    """The model behind the agent could not answer for now; the same request may be answered later."""


class RunExpired(RequestFailed):
    """The agent took longer than a request may take."""


class NotRecorded(RequestFailed):
    """The trace or the feedback could not be written down, so it does not count."""


class Stopping(RequestFailed):
    """The server ends and could not finish this run within its grace."""


class Overloaded(RequestFailed):
    """As many requests run and wait as the server takes."""


class UnknownTrace(AgentsymError):
    """There is no such trace of this deployment, or none any more."""
