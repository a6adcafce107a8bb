"""What two runs of the same row must have in common: everything but the time that they took."""

from __future__ import annotations

from typing import Any

from agentsym.models.ledger import Ledger
from agentsym.runtime.forward import Outcome

_TIMES = {"seconds"}
_STEP = {"seconds": True, "usage": _TIMES, "tool_calls": {"__all__": _TIMES}}


def content(outcome: Outcome) -> dict[str, Any]:
    """All that an outcome says."""
    run, error = outcome
    return {
        **run.model_dump(exclude={"seconds": True, "usage": _TIMES, "steps": {"__all__": _STEP}}),
        "worth": run.worth.model_dump(exclude=_TIMES),
        "raised": (type(error), str(error)),
    }


def account(ledger: Ledger) -> list[dict[str, Any]]:
    """All that a ledger says."""
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in ledger.to_json()]
