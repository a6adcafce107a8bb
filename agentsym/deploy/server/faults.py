"""Faults: errors that are the server's own, logged without their text, which may hold what a person wrote.

Whatever turns an error into a reply itself calls this too, so that no `internal` error goes without a line in the log.
"""

from __future__ import annotations

import logging
import traceback

from agentsym.deploy.server.replies import described
from agentsym.errors import AgentsymError

log = logging.getLogger("agentsym.serve")


def log_fault(error: Exception) -> None:
    """Log class and place of an error that nobody foresaw; all others are told to the client."""
    status, _, _ = described(error)
    if status < 500 or isinstance(error, AgentsymError):
        return
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("a request failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
