"""Whether a door has telemetry: as its maker says, else as the environment and the process do.

Who has set up a tracer provider wants spans, so that is enough; nothing of OpenTelemetry is loaded to find out.
"""

from __future__ import annotations

import os
import sys

from agentsym.errors import UsageError
from agentsym.telemetry.telemetry import Telemetry

VARIABLE = "AGENTSYM_TELEMETRY"
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def switched(given: Telemetry | bool | None) -> Telemetry | None:
    """Return the telemetry to use, or None where it is off or nobody takes what it makes.

    Args:
        given: a `Telemetry`; yes or no; None for what `AGENTSYM_TELEMETRY` says, and where that is not set, yes if this
            process has a tracer provider.

    Raises:
        UsageError: it is on and opentelemetry-api is missing, or the variable is neither yes nor no.
    """
    if not isinstance(given, Telemetry):
        on = asked() if given is None else given
        if on is None:
            on = "opentelemetry.trace" in sys.modules  # a provider cannot have been set up without it
        if not on:
            return None
        given = Telemetry()
    return given if given.active else None


def asked() -> bool | None:
    """Return what `AGENTSYM_TELEMETRY` says; None where it is not set.

    Raises:
        UsageError: it is neither yes nor no.
    """
    word = os.environ.get(VARIABLE, "").strip().lower()
    if word and word not in _WORDS:
        raise UsageError(f"{VARIABLE} is {word!r}; it must be 1 or 0")
    return _WORDS.get(word)
