"""Every exception that agentsym raises on purpose, in one tree.

Each one names what was wrong, where, and what to do about it, so a caller can show its text to a person as it
is; `exit_code` is what the command line returns for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class AgentsymError(Exception):
    """The root: catch this to catch everything that agentsym raises on purpose."""

    exit_code = 1


class UsageError(AgentsymError):
    """The caller asked for something that cannot be done as written (a flag, a name, a file)."""

    exit_code = 2


class Problem(NamedTuple):
    """One reason why a network is not legal: a stable code, the place, and what is wrong and what to do."""

    code: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.code}]"


class NetworkError(UsageError):
    """A network or an edit is not legal; `problems` lists every reason."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"  - {problem}" for problem in self.problems)]))


class DataError(UsageError):
    """A row or a file of a data set cannot be read; the message names file and line."""


class ModelError(AgentsymError):
    """A language model could not answer this request."""


class OutputError(ModelError):
    """A model answered, but its answer does not fit the schema, also after the retries."""


class CannotAnswer(ModelError):
    """The chosen model can never answer such a request (the embedded reader asked for prose)."""


class RequestRefused(ModelError):
    """The server refuses this very request (HTTP 400, 413, 422)."""


class ContextTooLong(RequestRefused):
    """The request does not fit into the model's context window."""


class AnswerRefused(ModelError):
    """The model declined to answer, or the provider's filter removed the answer."""


class BadReply(ModelError):
    """What came back is no reply in the provider's protocol (HTML, broken JSON, no choices)."""


class Transient(ModelError):
    """The same request may be answered when it is sent again.

    Attributes:
        retry_after: seconds that the server asks to wait; None where it does not say.
        charged: whether the server may have done the work all the same, so that it may be billed.
    """

    charged = False

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class RateLimited(Transient):
    """Too many requests or tokens for now (HTTP 429)."""


class ServerFailed(Transient):
    """The server failed (HTTP 5xx)."""


class TimedOut(Transient):
    """There was no whole answer in time."""

    charged = True


class Disconnected(Transient):
    """The connection broke after the request was sent."""

    charged = True


class Unavailable(ModelError):
    """No request to this model can succeed as things stand, so it ends a run instead of failing every example."""


class KeyRefused(Unavailable):
    """The server does not accept the key (HTTP 401, 403)."""

    exit_code = 2


class UnknownModel(Unavailable):
    """There is no such model at this address, or no such address on the server (HTTP 404)."""

    exit_code = 2


class OutOfCredit(Unavailable):
    """The account has no credit left (HTTP 402, or 429 with `insufficient_quota`)."""


class Unreachable(Unavailable, Transient):
    """Nobody answers at the address: the name is unknown, or the connection is refused."""


class NodeError(AgentsymError):
    """A node failed while the network ran; the message names the node and the cause."""


class SandboxError(AgentsymError):
    """Learned code was to be run, and there is no sandbox to run it in."""


class BudgetExceeded(AgentsymError):
    """A cap on calls, tokens, dollars or seconds was reached; nothing was sent that would have gone over it."""

    exit_code = 3


class RunStopped(AgentsymError):
    """A run ended before its time and was saved; the message says how to go on."""

    exit_code = 130


class StoreError(AgentsymError):
    """The store cannot be opened, read or written."""


class ConflictError(StoreError):
    """Somebody else has changed the same thing meanwhile; nothing was done."""
