"""The teacher's double: it blames by the values that a request shows, and draws rules by the request's hash.

For the node that reads it knows rules of which a quarter helps; for the others it knows none that mends anything.
"""

from __future__ import annotations

from typing import Any

from evals.model_choice.mails import right_order
from evals.peers.forms import Schema, asks_for, fill
from evals.repair.critic import Finding, criticism
from evals.repair.edits import new_rule
from evals.repair.reading import Failure, failures, paths_to_edit
from evals.repair.student import SAYINGS
from evals.structure import subjects

RULES = (
    "If an order is corrected further down, take the last one.",
    "Of several orders in one mail the latter counts.",
    "Take the first thing that is ordered.",
    "Round the prices to tens.",
    "Count one piece of each.",
    "Copy the order word for word.",
    "A greeting is no order.",
    "Never add anything to the order.",
)
"""Sentences that the teacher might tell the node that reads; some spoil what it reads."""


def answer(schema: Schema, text: str, draw: str = "") -> Any:
    """Fill a form of the teacher's.

    Args:
        schema: the form: for edits of a node, for the blame of a run, for a gradient, or for a judgement.
        text: all that the request says.
        draw: tells apart independent answers to the same request.
    """
    shown = failures(text)
    if asks_for(schema, "op"):
        edits = _advice(schema, text, shown, draw)
        return {"analysis": "The failures have a cause in common.", "edits": edits}
    return fill(schema, criticism(_fault(shown[0]) if shown else None, schema, text))


def _advice(schema: Schema, text: str, shown: list[Failure], draw: str) -> list[dict[str, Any]]:
    """Return a rule for the node that is to be mended, or none; for the first node, where a failing mail has orders."""
    paths = [path for path in paths_to_edit(schema, text) if path.endswith("/rules")]
    if not shown or not paths:
        return []
    reads = paths[0].startswith("read/")
    if reads and not any(len(subjects.orders(str(item.values.get("mail", "")))) > 1 for item in shown):
        return []
    made = new_rule(schema, text, paths[0], RULES if reads else SAYINGS, draw)
    return [made] if made else []


def _fault(shown: Failure) -> Finding | None:
    """Return the node that went wrong first, as far as the values of a run show it, and what is wrong."""
    values = {name: str(value) for name, value in shown.values.items()}
    mail, order = values.get("mail", ""), values.get("order", "")
    if mail and order and order != right_order(mail):
        return Finding("read", f"Of the mail “{right_order(mail)}” should have been read.")
    if order and "figure" in values and values["figure"] != str(subjects.total(order)):
        return Finding("reckon", f"The order comes to {subjects.total(order)}.")
    if "figure" in values and "reply" in values and values["reply"] != subjects.sentence(values["figure"]):
        return Finding("reply", "The sentence does not give the total alone.")
    return None
