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
    """A language model could not answer."""


class OutputError(ModelError):
    """A model answered, but its answer does not fit the schema, also after the retries."""


class CannotAnswer(ModelError):
    """The chosen model can never answer such a request (the embedded reader asked for prose)."""


class NodeError(AgentsymError):
    """A node failed while the network ran; the message names the node and the cause."""


class SandboxError(AgentsymError):
    """Learned code was to be run, and there is no sandbox to run it in."""


class BudgetExceeded(AgentsymError):
    """A cap on calls or seconds was reached; nothing was sent that would have gone over it."""

    exit_code = 3


class RunStopped(AgentsymError):
    """A run ended before its time and was saved; the message says how to go on."""

    exit_code = 130


class StoreError(AgentsymError):
    """The store cannot be opened, read or written."""
